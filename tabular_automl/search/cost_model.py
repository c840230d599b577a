"""What a candidate will cost on this table: the learners' static formulas, scaled by what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.problem import ProblemShape
from tabular_automl.crossfit import Pace
from tabular_automl.learners import learner_for


@dataclass(frozen=True)
class CostModel:
    """Predicts core-seconds a fold from the probes and the fold fits seen so far.

    A learner expects a number of rounds and a formula turns rounds into seconds; both are scaled by how
    far this table was off: as a median over the family's fold fits, else by its probe, else as a median over
    all families.
    """

    shape: ProblemShape
    observed: tuple[CrossFit, ...] = ()
    paces: tuple[Pace, ...] = ()

    @classmethod
    def of(
        cls, shape: ProblemShape, results: Sequence[CrossFit | Failure], paces: Sequence[Pace] = ()
    ) -> "CostModel":
        """Build from the cross fits among the results so far; the prior costs nothing and teaches nothing."""
        fits = (r for r in results if isinstance(r, CrossFit) and r.folds)
        teaching = tuple(fit for fit in fits if learner_for(fit.candidate.family).capabilities.needs_features)
        return cls(shape, teaching, tuple(paces))

    def fold_seconds(self, candidate: Candidate, max_rounds: int | None = None) -> float:
        """Return the expected core-seconds of fitting a candidate on one fold, for so many rounds at most."""
        rounds = self.rounds(candidate)
        if max_rounds is not None:
            rounds = min(rounds, max_rounds)
        return self._scale(candidate.family) * self._formula(candidate, rounds)

    def rounds(self, candidate: Candidate) -> int:
        """Return how many rounds a fit is expected to run; those given up don't tell how many it takes."""
        same_family = [
            fit
            for fit in self.observed
            if fit.candidate.family == candidate.family and not any(fold.given_up for fold in fit.folds)
        ]
        ratio = _median(self._rounds_ratios(same_family))
        most = learner_for(candidate.family).limits(self.shape, candidate.params).max_rounds
        return max(1, min(most, round(self._expected_rounds(candidate) * ratio)))

    def _scale(self, family: str) -> float:
        """Return by how much the formula is off for a family on this table and machine."""
        ratios = self._ratios
        return _median(ratios[family] if family in ratios else [r for some in ratios.values() for r in some])

    @cached_property
    def _ratios(self) -> dict[str, list[float]]:
        """By family, what each fit took over what the formula says; of probes where there is no fit."""
        of_fits: dict[str, list[float]] = {}
        for fit in self.observed:
            of_fits.setdefault(fit.candidate.family, []).append(self._seconds_ratio(fit))
        of_probes: dict[str, list[float]] = {}
        for pace in self.paces:
            of_probes.setdefault(pace.candidate.family, []).append(self._pace_ratio(pace))
        return of_probes | of_fits

    def _rounds_ratios(self, fits: Sequence[CrossFit]) -> list[float]:
        """Return how many times the expected rounds each fit took."""
        ratios = [(_rounds(fit) / self._expected_rounds(fit.candidate), fit.stopped) for fit in fits]
        usual = _median([ratio for ratio, is_stopped in ratios if not is_stopped])
        # What was stopped from outside says only that so many rounds were not enough.
        return [max(usual, ratio) if is_stopped else ratio for ratio, is_stopped in ratios]

    def _seconds_ratio(self, fit: CrossFit) -> float:
        a_fold = float(np.mean([fold.seconds for fold in fit.folds]))
        return a_fold / self._formula(fit.candidate, _rounds(fit))

    def _pace_ratio(self, pace: Pace) -> float:
        rounds = self._expected_rounds(pace.candidate)
        return pace.seconds(rounds) / self._formula(pace.candidate, rounds)

    def _expected_rounds(self, candidate: Candidate) -> int:
        return max(1, learner_for(candidate.family).expected_rounds(self.shape, candidate.params))

    def _formula(self, candidate: Candidate, rounds: int) -> float:
        return max(1e-6, learner_for(candidate.family).cost(self.shape, candidate.params, rounds))


def _rounds(fit: CrossFit) -> int:
    return max(1, round(float(np.mean([len(fold.curve) for fold in fit.folds]))))


def _median(ratios: Sequence[float]) -> float:
    return float(np.median(ratios)) if ratios else 1.0
