"""What a candidate will cost on this table: the learners' static formulas, scaled by what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.problem import ProblemShape
from tabular_automl.learners import learner_for


@dataclass(frozen=True)
class CostModel:
    """Predicts core-seconds a fold from the fold fits seen so far.

    A learner expects a number of rounds and a formula turns rounds into seconds; both are scaled by how
    far this table was off, as a median over the family's fold fits (else over all families').
    """

    shape: ProblemShape
    observed: tuple[CrossFit, ...] = ()

    @classmethod
    def of(cls, shape: ProblemShape, results: Sequence[CrossFit | Failure]) -> "CostModel":
        """Build from the cross fits among the results so far; the prior costs nothing and teaches nothing."""
        fits = (r for r in results if isinstance(r, CrossFit) and r.folds)
        return cls(
            shape, tuple(fit for fit in fits if learner_for(fit.candidate.family).capabilities.needs_features)
        )

    def fold_seconds(self, candidate: Candidate) -> float:
        """Return the expected core-seconds of fitting the candidate on one fold."""
        same_family = [fit for fit in self.observed if fit.candidate.family == candidate.family]
        rounds = self._expected_rounds(candidate) * _median([self._rounds_ratio(fit) for fit in same_family])
        scale = _median([self._seconds_ratio(fit) for fit in same_family or self.observed])
        return scale * self._formula(candidate, max(1, round(rounds)))

    def _rounds_ratio(self, fit: CrossFit) -> float:
        return _rounds(fit) / self._expected_rounds(fit.candidate)

    def _seconds_ratio(self, fit: CrossFit) -> float:
        return fit.seconds / len(fit.folds) / self._formula(fit.candidate, _rounds(fit))

    def _expected_rounds(self, candidate: Candidate) -> int:
        return max(1, learner_for(candidate.family).expected_rounds(self.shape, candidate.params))

    def _formula(self, candidate: Candidate, rounds: int) -> float:
        return max(1e-6, learner_for(candidate.family).cost(self.shape, candidate.params, rounds))


def _rounds(fit: CrossFit) -> int:
    return max(1, round(float(np.mean([len(fold.curve) for fold in fit.folds]))))


def _median(ratios: Sequence[float]) -> float:
    return float(np.median(ratios)) if ratios else 1.0
