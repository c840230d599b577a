"""One candidate in progress: which folds are fitted, which are predicted, and what came of it."""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.folds import FoldPlan
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit.fold_job import predictions_file
from tabular_automl.crossfit.given_up_key import given_up_key
from tabular_automl.crossfit.joint_round import joint_round, rounds_without_each
from tabular_automl.crossfit.request import Request
from tabular_automl.crossfit.stored_array import sealed_array
from tabular_automl.learners import Limits

# A last fold cut short below this share of the other folds' rounds would only weaken the bag: it is left out.
SHORTEST_SHARE = 0.5


@dataclass(frozen=True)
class FoldSetup:
    """What is known of a fold's fit before it starts.

    Attributes
    ----------
    key, seed
        Its key in the run store, and its seed.
    bar
        What it must have reached round by round (`FitContext.bar`).
    """

    key: str
    seed: int
    bar: FloatArray | None = field(default=None, compare=False)

    def key_of(self, *, given_up: bool) -> str:
        """Return the key of the fit by how it ended."""
        return given_up_key(self.key, self.bar) if given_up and self.bar is not None else self.key


@dataclass(eq=False)
class Bag:
    """A candidate on its way to a `CrossFit`: fits in fold order, then predictions at the chosen rounds.

    Attributes
    ----------
    number
        How many candidates were proposed before it.
    request, limits, setups
        What is to be fitted, and how.
    fits
        Finished fits by fold, found in the store or made.
    waiting, running
        Folds to fit, and folds being fitted or predicted right now.
    rounds
        By fold, the round of its held-out predictions; empty until the last fit is in.
    to_predict
        Folds whose held-out predictions are to be made.
    predictions
        Held-out predictions by fold.
    lost
        By fold, why it failed or its job never came back: the result will be of the folds before the first.
    failed
        Whether the candidate was given up as a whole.
    """

    number: int
    request: Request
    limits: Limits
    setups: tuple[FoldSetup, ...]
    fits: dict[int, FoldFit]
    waiting: deque[int] = field(init=False)
    running: set[int] = field(default_factory=set)
    rounds: dict[int, int] = field(default_factory=dict)
    to_predict: deque[int] = field(default_factory=deque)
    predictions: dict[int, FloatArray] = field(default_factory=dict)
    lost: dict[int, Failure] = field(default_factory=dict)
    prediction_seconds: float = 0.0
    failed: bool = False

    def __post_init__(self) -> None:
        self.waiting = deque(fold for fold in range(len(self.setups)) if fold not in self.fits)
        if self.given_up is not None:
            self.cut_here()

    @property
    def given_up(self) -> int | None:
        """The fold on which the candidate fell behind its bar: the last one of the result."""
        return min((fold for fold, fit in self.fits.items() if fit.given_up), default=None)

    @property
    def seconds(self) -> float:
        """Core-seconds spent so far."""
        return sum(fit.seconds for fit in self.fits.values()) + self.prediction_seconds

    @property
    def unpredicted_seconds(self) -> float:
        """Core-seconds of fits whose held-out predictions are still to be made."""
        return sum(fit.seconds for fold, fit in self.fits.items() if fold not in self.predictions)

    @property
    def fitted(self) -> bool:
        """Whether no fit is to come any more."""
        return not self.waiting and not self.running

    def keep(self, fit: FoldFit) -> None:
        """Take in a finished fit; one that was given up is the last, whatever became of those beyond it."""
        self.fits[fit.fold] = fit
        if self.given_up is not None:
            self.cut_here()
            self.lost = {fold: why for fold, why in self.lost.items() if fold <= fit.fold}

    def cut_here(self) -> None:
        """Start no further fold: the result will be what is there."""
        self.waiting.clear()

    def lose(self, failure: Failure, fold: int) -> None:
        """Go on without a fold that failed or whose job never came back."""
        self.lost[fold] = failure
        self.cut_here()
        self.to_predict = deque(other for other in self.to_predict if not self.dropped(other))

    def dropped(self, fold: int) -> bool:
        """Whether nobody waits for that fold any more."""
        behind = self.given_up is not None and fold > self.given_up
        return self.failed or behind or any(lost <= fold for lost in self.lost)

    def choose_rounds(self, problem: Problem, weights: Sequence[float]) -> None:
        """Choose the round of each fold of the finished prefix, and line up the predictions to make.

        A fold's round is chosen by the other folds of its own repeat: those of another repeat hold out rows
        of this fold. ``weights`` are the total weights of the held-out rows of all folds of the plan.
        """
        curves = [fit.curve for fit in self._prefix(problem.folds)]
        for numbers in problem.folds.repeats(len(curves)):
            part = slice(numbers.start, numbers.stop)
            chosen = rounds_without_each(curves[part], weights[part])
            for fold, round_ in zip(numbers, chosen, strict=True):
                # A fold that stopped before the chosen round gives all it has.
                self.rounds[fold] = min(len(curves[fold]), round_)
        self.to_predict.extend(fold for fold in self.rounds if not self.take_predictions(fold, problem))

    def take_predictions(self, fold: int, problem: Problem) -> bool:
        """Read a fold's held-out predictions; False if they are not there or damaged."""
        found = sealed_array(predictions_file(self.fits[fold].folder, self.rounds[fold]))
        if found is None or found.shape != (len(problem.folds.folds[fold].held_out), problem.shape.n_outputs):
            return False
        self.predictions[fold] = found
        return True

    def result(self, problem: Problem, weights: Sequence[float]) -> CrossFit | Failure:
        """Return what came of it: the longest prefix of folds with predictions, cut to whole repeats."""
        repeats = problem.folds.repeats(self._prefix_length(self.predictions))
        candidate = self.request.candidate
        if not repeats and self.lost:
            first = self.lost[min(self.lost)]
            return replace(first, seconds=self.seconds + first.seconds)
        if not repeats:
            reason = "the time was over before its first fold was finished"
            return Failure(candidate, 0, reason, self.seconds, skipped=True)
        folds = tuple(self.fits[fold] for numbers in repeats for fold in numbers)
        rows, predictions = self._out_of_fold(problem.folds, repeats)
        return CrossFit(
            candidate,
            problem.folds.digest,
            folds,
            rows,
            predictions,
            joint_round([fit.curve for fit in folds], weights[: len(folds)]),
            self.seconds,
            len(repeats),
            self.request.max_rounds,
            self._why_pruned(folds[-1]),
        )

    def _why_pruned(self, last: FoldFit) -> str:
        bar = self.setups[last.fold].bar
        if not last.given_up or bar is None:
            return ""
        n_rounds = len(last.curve)
        asked = float(bar[min(n_rounds, len(bar)) - 1])
        return (
            f"fell behind after {n_rounds} rounds on fold {last.fold}: loss {last.curve.min():.4g}, "
            f"{asked:.4g} or less was asked for"
        )

    def _out_of_fold(self, plan: FoldPlan, repeats: Sequence[range]) -> tuple[NDArray[np.intp], FloatArray]:
        """Return the rows, sorted, and for each the mean over the repeats of its held-out predictions."""
        found = []
        for numbers in repeats:
            rows = np.concatenate([plan.folds[fold].held_out for fold in numbers])
            order = np.argsort(rows, kind="stable")
            found.append(np.concatenate([self.predictions[fold] for fold in numbers])[order])
        return rows[order], np.mean(found, axis=0)

    def _prefix_length(self, folds: Collection[int]) -> int:
        return next((fold for fold in range(len(self.setups)) if fold not in folds), len(self.setups))

    def _prefix(self, plan: FoldPlan) -> list[FoldFit]:
        """Return the fits of the usable finished prefix.

        Nothing follows a fold that was given up; last folds that were cut much too short are left out.
        """
        length = plan.usable_folds(self._prefix_length(self.fits))
        if self.given_up is not None:
            length = min(length, self.given_up + 1)
        while length > 1 and self._cut_much_too_short(length - 1):
            length = plan.usable_folds(length - 1)
        return [self.fits[fold] for fold in range(length)]

    def _cut_much_too_short(self, last: int) -> bool:
        if self.fits[last].complete:
            return False
        others = float(np.median([len(self.fits[fold].curve) for fold in range(last)]))
        return len(self.fits[last].curve) < SHORTEST_SHARE * others
