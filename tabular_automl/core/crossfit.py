"""Results of fitting candidates on folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.errors import FoldPlanMismatchError
from tabular_automl.core.fitting import FloatArray


@dataclass(frozen=True, eq=False)
class FoldFit:
    """One candidate on one fold, or fitted again on all rows.

    Attributes
    ----------
    key
        Key of the run store: a hash of all that determines the fit.
    fold
        Number of the fold in the plan; -1 for a refit on all rows.
    folder
        Where the kept model is.
    curve
        Held-out loss after each round (`FitOutcome.curve`); empty for a refit.
    seconds
        Wall seconds of the fit on its one worker.
    memory_mb
        Peak resident memory of the worker by the end of the fit, in MB.
    complete
        False when the deadline cut it short.
    given_up
        Whether it was left because it fell behind `FitContext.bar`.
    """

    key: str
    fold: int
    folder: Path
    curve: FloatArray
    seconds: float
    memory_mb: float
    complete: bool = True
    given_up: bool = False


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
        Core-seconds spent on fits and held-out predictions, also of folds that the result leaves out; what
        was spent on a fold that failed is told by its `Failure`.
    n_repeats
        Whole repeats of the plan that the folds are, each of equally many.
    max_rounds
        Cap on rounds that was set for want of time; None: the learner's own.
    pruned
        Why the search left it before all its folds were fitted; empty where it did not. What was pruned is
        shown, but never a member of the ensemble.
    unjudged
        Whether it was pruned for want of its other folds alone: nothing speaks against it.
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
    pruned: str = ""
    unjudged: bool = False

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

    @property
    def capped(self) -> bool:
        """Whether the cap on rounds ended some fold's fit."""
        return self.max_rounds is not None and any(len(fold.curve) >= self.max_rounds for fold in self.folds)

    @property
    def stopped(self) -> bool:
        """Whether the cap or the clock ended some fold's fit: with more rounds it would be another."""
        return self.capped or not self.complete


@dataclass(frozen=True)
class Failure:
    """What failed, why, after how long; shown in the report, never swallowed.

    Attributes
    ----------
    candidate, reason, seconds
        What, why, after how long.
    fold
        None when the candidate as a whole could not be proposed, or its refit on all rows failed.
    skipped
        Whether it was not even started, for want of time; a later stage may still try it.
    """

    candidate: Candidate
    fold: int | None
    reason: str
    seconds: float
    skipped: bool = False


def tried(results: Sequence[CrossFit | Failure]) -> tuple[CrossFit | Failure, ...]:
    """Return the results of what was started, be it fitted or failed: not what was skipped."""
    return tuple(result for result in results if isinstance(result, CrossFit) or not result.skipped)


def lasting_failures(results: Sequence[CrossFit | Failure]) -> tuple[Failure, ...]:
    """Return what failed, and what was skipped if no later stage tried it, maybe with bigger steps."""
    names = {result.candidate.name for result in tried(results)}
    failures = (result for result in results if isinstance(result, Failure))
    return tuple(one for one in failures if not (one.skipped and one.candidate.name in names))


def shared_rows(fits: Sequence[CrossFit]) -> NDArray[np.intp]:
    """Return the sorted rows that all cross fits cover.

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
    distinct = {fit.rows.tobytes(): fit.rows for fit in fits}
    return reduce(partial(np.intersect1d, assume_unique=True), distinct.values())
