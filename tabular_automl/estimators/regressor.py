"""The engine as a scikit-learn regressor."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from tabular_automl.core.task import TaskKind
from tabular_automl.estimators.tabular_estimator import TabularEstimator
from tabular_automl.estimators.targets import read_target


class TabularRegressor(RegressorMixin, TabularEstimator):  # type: ignore[misc]  # untyped library
    """Fit an ensemble that predicts a number: `tabular_automl.fit` as a scikit-learn estimator.

    Parameters
    ----------
    metric
        What to be good at, as in `tabular_automl.fit`; default ``rmse``. The method ``score`` stays R², as in
        all scikit-learn estimators.
    time_limit
        Seconds that `fit` may take; None: no limit. ``auto``: 300, and no limit when ``max_candidates``
        bounds the run.
    max_candidates
        Number of candidates to fit. Then nothing depends on the clock, and one ``random_state`` gives one
        model.
    n_jobs
        Worker processes; -1: all cores, or one inside a joblib worker, as in ``cross_validate(...,
        n_jobs=2)``; None: as ``joblib.parallel_config`` says, else 1. With 1, a run bounded by counts fits in
        this process.
    random_state
        An integer: all randomness is derived from it. A ``RandomState``, or None for numpy's global one: the
        integer is drawn from it.
    cv
        The folds on which members are compared: a number of folds of our own plan (groups and copies of a
        row kept together), None for up to 8 of them, a splitter, or pairs of (train, held-out) row positions.
    time_column
        Name of a column of ``X`` (its position, if ``X`` is an array) with the order in time, when folds must
        never look ahead.
    schema
        Overrides of the inferred column kinds, such as ``{"zip": "categorical"}``.
    candidates
        Your own candidates, where the search starts: fitted before any other, and known to the tuner. Pairs
        of a family and the hyperparameters that differ from its defaults, such as ``("lightgbm",
        {"num_leaves": 7})``. They are always fitted, whatever ``families`` says.
    families
        Learner families to use; default: all. ``package.module:Class`` names a learner of your own.
    search
        How candidates are searched for, a `Search`: sampler, pruner, spaces narrowed or widened, families
        forbidden or bounded, such as ``ta.Search(spaces={"lightgbm": {"num_leaves": (8, 64)}})``. It is
        replaced as a whole: ``set_params(search__sampler=...)`` is an error, as a `Search` cannot change.
    human_level
        The score people reach, in the metric's own direction: a baseline in the report of ``model_``.
    run_dir
        Folder in which everything is kept as it is made: a fit that was killed goes on there, later ones on
        the same data begin with what they find, and `tabular_automl.history` tells what was tried. One run
        at a time, so not for ``cross_validate(..., n_jobs=2)`` or several clones at once.
    progress
        False: silence; True: a live display in a terminal or a notebook, elsewhere lines on stderr; a
        callable receives each `Event`, and what it raises ends the fit; None: as True when a terminal or a
        notebook is watching, else the logger ``tabular_automl``.
    strict
        Stop on warnings about the data, too.

    Attributes
    ----------
    model_
        The `Model`: expected score, leaderboard, report, saving without pickle.
    n_features_in_
        Number of columns of ``X``.
    feature_names_in_
        Their names, where ``X`` was a frame with names of text.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import cross_val_score
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = TabularRegressor(max_candidates=1, families=["linear"], n_jobs=1)
    >>> f"{cross_val_score(model, X, y, cv=3).mean():.2f}"
    '0.49'
    """

    _task: ClassVar[str] = str(TaskKind.REGRESSION)

    def predict(self, X: Any) -> NDArray[np.floating[Any]]:
        """Return the value of each row, shape (n_rows,)."""
        rows = self._new_rows(X)
        return self.model_.predict(rows).to_numpy()

    def _read_target(self, y: Any) -> NDArray[Any]:
        values = read_target(y)
        # Truth values and texts are numbers to scikit-learn; what else is no number the engine refuses.
        return values.astype(np.float64) if values.dtype.kind in "bOSU" else values
