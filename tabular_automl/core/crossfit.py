"""Results of fitting candidates on folds."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.errors import FoldPlanMismatchError
from tabular_automl.core.fitting import FloatArray


@dataclass(frozen=True, eq=False)
class FoldFit:
    """One candidate on one fold.

    Attributes
    ----------
    key
        Key of the run store: a hash of all that determines the fit.
    fold
        Number of the fold in the plan.
    folder
        Where the kept model is.
    curve
        Held-out loss after each round (`FitOutcome.curve`).
    seconds
        Wall seconds of the fit on its one worker.
    memory_mb
        Peak resident memory of the worker by the end of the fit, in MB.
    complete
        False when the deadline cut it short.
    """

    key: str
    fold: int
    folder: Path
    curve: FloatArray
    seconds: float
    memory_mb: float
    complete: bool = True


@dataclass(frozen=True, eq=False)
class CrossFit:
    """A candidate on a prefix of the folds: a part of the first repeat, or whole repeats.

    Attributes
    ----------
    candidate
        What was fitted.
    plan
        Digest of the fold plan; results of different plans don't mix.
    folds
        The fold fits, in fold order; empty for baselines and for predictions given by the user.
    rows
        Sorted positions of the rows the predictions cover.
    predictions
        Out-of-fold predictions, shape (len(rows), n_outputs). A row's prediction comes from a model that
        did not see it, at the round chosen on the other folds of the repeat; with a single fold, on that fold
        itself. The model of a fold that stopped before that round gives all the rounds it has. After several
        repeats it is the mean over these: one prediction a row still.
    joint_round
        The one stopping round of the whole bag.
    seconds
        Core-seconds spent on fits and held-out predictions, also of folds that came to nothing.
    n_repeats
        Whole repeats of the plan that the folds are, each of equally many.
    max_rounds
        Cap on rounds that was set for want of time; None: the learner's own.
    """

    candidate: Candidate
    plan: str
    folds: tuple[FoldFit, ...]
    rows: NDArray[np.intp]
    predictions: FloatArray
    joint_round: int
    seconds: float
    n_repeats: int = 1
    max_rounds: int | None = None

    def __post_init__(self) -> None:
        if self.n_repeats < 1 or len(self.folds) % self.n_repeats:
            raise ValueError(
                f"{len(self.folds)} folds of {self.candidate.name} are not {self.n_repeats} whole repeats."
            )

    @property
    def folds_per_repeat(self) -> int:
        """Folds that held out each row once; fewer than the plan's if the first repeat is unfinished."""
        return len(self.folds) // self.n_repeats

    @property
    def complete(self) -> bool:
        """Whether no fold was cut short."""
        return all(fold.complete for fold in self.folds)


@dataclass(frozen=True)
class Failure:
    """What failed, why, after how long; shown in the report, never swallowed.

    ``fold`` is None when the candidate as a whole could not be proposed, or its refit on all rows failed.
    """

    candidate: Candidate
    fold: int | None
    reason: str
    seconds: float


@dataclass(frozen=True, eq=False)
class CommonRows:
    """Several cross fits seen on the rows that all of them cover."""

    rows: NDArray[np.intp]
    predictions: FloatArray

    @classmethod
    def of(cls, fits: "tuple[CrossFit, ...]") -> "CommonRows":
        """Stack predictions on the shared rows: shape (n_fits, n_shared_rows, n_outputs).

        Raises
        ------
        FoldPlanMismatchError
            If the fits come from different fold plans.
        """
        plans = {fit.plan for fit in fits}
        if len(plans) != 1:
            raise FoldPlanMismatchError(
                f"Cannot compare results of {len(plans)} fold plans; fit them on the same one."
            )
        rows = fits[0].rows
        for fit in fits[1:]:
            rows = np.intersect1d(rows, fit.rows, assume_unique=True)
        stacked = np.stack([fit.predictions[np.searchsorted(fit.rows, rows)] for fit in fits])
        return cls(rows, stacked)

    @cached_property
    def n_rows(self) -> int:
        """Number of shared rows."""
        return len(self.rows)
