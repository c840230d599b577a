"""What both estimators share: parameters, the way in through the engine's front door, tags and pickles."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data

from tabular_automl.automl import Model, fit
from tabular_automl.core.candidate import Value
from tabular_automl.core.progress import Event
from tabular_automl.core.search import Search
from tabular_automl.crossfit.allowed_jobs import allowed_jobs
from tabular_automl.estimators.tables import check_same_rows, in_order_of, read_features, with_target
from tabular_automl.ingest.checks import MIN_ROWS

_SEEDS = 2**31 - 1


class TabularEstimator(BaseEstimator, ABC):  # type: ignore[misc]  # untyped library
    """The base of `TabularClassifier` and `TabularRegressor`, which document the parameters."""

    _task: ClassVar[str]

    def __init__(
        self,
        *,
        metric: str | None = None,
        time_limit: float | Literal["auto"] | None = "auto",
        max_candidates: int | None = None,
        n_jobs: int | None = -1,
        random_state: Any = 0,
        cv: Any = None,
        time_column: Any = None,
        schema: Mapping[Any, str] | None = None,
        candidates: Sequence[tuple[str, Mapping[str, Value]]] = (),
        families: Sequence[str] | None = None,
        search: Search | None = None,
        human_level: float | None = None,
        run_dir: str | Path | None = None,
        progress: bool | Callable[[Event], None] | None = False,
        strict: bool = False,
    ) -> None:
        self.metric = metric
        self.time_limit = time_limit
        self.max_candidates = max_candidates
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.cv = cv
        self.time_column = time_column
        self.schema = schema
        self.candidates = candidates
        self.families = families
        self.search = search
        self.human_level = human_level
        self.run_dir = run_dir
        self.progress = progress
        self.strict = strict

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Fit the ensemble.

        Rows go by position, as in scikit-learn. Where two indexes were set by you, or come from a larger
        table, they must be equal; one that pandas has numbered from 0 by itself is not looked at.

        Parameters
        ----------
        X
            Features, shape (n_rows, n_features): a pandas, polars or Arrow frame, an array, a list, or a
            sparse matrix that fits into memory as a dense one. Text, dates, categories and missing values
            are fine.
        y
            Shape (n_rows,): what to predict.
        sample_weight
            Shape (n_rows,): how much a row counts; None: all alike.
        groups
            Shape (n_rows,): rows of one group stay in one fold; None: every row is its own.

        Returns
        -------
        The estimator itself.

        Raises
        ------
        InputError
            A ``ValueError``: if the data or a parameter cannot be used; raised before time is spent.
        """
        check_same_rows(X, {"y": y, "sample_weight": sample_weight, "groups": groups})
        features = read_features(X, self, min_rows=MIN_ROWS)
        validate_data(self, features, y, skip_check_array=True)
        check_consistent_length(features, y)
        values = self._read_target(y)
        table, target = with_target(features, y, values)
        self.model_ = self._fit_engine(table, target, _row_values(sample_weight), _row_values(groups))
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.sparse = True
        tags.input_tags.string = True
        tags.non_deterministic = self.max_candidates is None  # then the clock decides what is fitted
        return tags

    @abstractmethod
    def _read_target(self, y: Any) -> NDArray[Any]:
        """Check ``y`` and return it as an array of one dimension."""

    def _new_rows(self, X: Any) -> pd.DataFrame:
        """Return new rows under the names that the model was trained with.

        Frames go by name, whatever the order of their columns; arrays by position.
        """
        check_is_fitted(self, "model_")
        names = [column.name for column in self.model_.run.schema]
        features = in_order_of(read_features(X, self, min_rows=0), names)
        validate_data(self, features, skip_check_array=True, reset=False)
        return features.set_axis(pd.Index(names, dtype=object), axis=1)

    def _fit_engine(self, table: pd.DataFrame, target: str, weight: Any, groups: Any) -> Model:
        return fit(
            table,
            target,
            task=self._task,
            metric=self.metric,
            time_limit=self.time_limit,
            max_candidates=self.max_candidates,
            n_jobs=allowed_jobs(self.n_jobs),
            seed=_seed(self.random_state),
            weight=weight,
            groups=groups,
            time_column=self.time_column,
            splitter=self.cv,
            schema=self.schema,
            candidates=self.candidates,
            families=self.families,
            search=self.search,
            human_level=self.human_level,
            run_dir=self.run_dir,
            progress=self.progress,
            strict=self.strict,
        )


def _seed(random_state: Any) -> Any:
    """Return an integer as it is, so that it means the same as ``seed`` of `fit`; else draw one."""
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return int(check_random_state(random_state).randint(_SEEDS))
    return random_state


def _row_values(values: Any) -> NDArray[Any] | None:
    return None if values is None else column_or_1d(values)
