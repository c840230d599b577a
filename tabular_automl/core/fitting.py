"""What passes between a fold job, a preprocessing recipe and a learner."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.state import State
from tabular_automl.core.table import Table

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class FeatureSpec:
    """The columns of an encoded matrix.

    Attributes
    ----------
    names
        Internal names, in column order; letters, digits and ``_`` only.
    categorical
        Positions of the columns that hold category codes 0, 1, … (NaN where missing).
    n_levels
        Number of levels of each categorical column, in the order of ``categorical``.
    """

    names: tuple[str, ...]
    categorical: tuple[int, ...] = ()
    n_levels: tuple[int, ...] = ()


class Encoder(Protocol):
    """A preprocessing recipe fitted on features alone; state saves without pickle."""

    @property
    def features(self) -> FeatureSpec:
        """The columns that `transform` makes."""
        ...

    def transform(self, table: Table) -> FloatArray:
        """Return the matrix, shape (n_rows, n_features), C-ordered."""
        ...

    def state(self) -> State:
        """Return what is needed to build this encoder again."""
        ...


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows handed to a learner: ``X`` (n, p), ``y`` (n,), ``weight`` (n,) or None."""

    X: FloatArray
    y: FloatArray
    weight: FloatArray | None = None


def never() -> bool:
    """Say that a fit need not stop."""
    return False


@dataclass(frozen=True, eq=False)
class FitContext:
    """The circumstances of one fit.

    Attributes
    ----------
    shape
        Sizes of the *whole* problem, by which size-dependent defaults are chosen.
    features
        The columns of ``X``.
    seed
        Seed of this fit.
    threads
        Threads the learner may use; results may depend on it, so it is part of the store's key.
    max_rounds
        Cap on boosting rounds, or on whatever the learner counts.
    patience
        Rounds without improvement on the held-out rows after which it stops at the latest; None: run to
        ``max_rounds``.
    should_stop
        Asked between rounds; when true the learner keeps its rounds and reports ``complete=False``.
    bar
        Threshold curve, shape (n,): the lowest held-out loss so far that a fit must have reached by round
        1, 2, … (infinite: any will do; beyond its end the last value counts). A learner with rounds leaves a
        fit that is behind it with the rounds it has, and says ``given_up=True``. None: none.
    """

    shape: ProblemShape
    features: FeatureSpec
    seed: int
    threads: int = 1
    max_rounds: int = 10_000
    patience: int | None = None
    should_stop: Callable[[], bool] = never
    bar: FloatArray | None = None


class FittedModel(Protocol):
    """A fitted model as the rest of the package sees it."""

    @property
    def rounds(self) -> int:
        """How many rounds it holds; 1 for a model without rounds."""
        ...

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        """Return predictions of the first ``rounds`` rounds (None: all), shape (n, n_outputs).

        Binary: probability of the positive class; multiclass: a row of probabilities; regression: values.
        """
        ...

    def save(self, folder: Path, rounds: int | None = None) -> None:
        """Write native model files into an existing folder, cut to the first ``rounds`` rounds."""
        ...


@dataclass(frozen=True, eq=False)
class FitOutcome:
    """What `Learner.fit` returns.

    Attributes
    ----------
    model
        The fitted model with *all* its rounds.
    curve
        Held-out loss after round 1, 2, … (weighted mean cross-entropy or squared error); empty without
        held-out rows; one value for a model without rounds.
    complete
        False when ``should_stop`` cut the fit short.
    given_up
        Whether the fit was left because it fell behind ``FitContext.bar``.
    """

    model: FittedModel
    curve: FloatArray
    complete: bool = True
    given_up: bool = False
