"""Threshold curves inside a fit: who can't catch up with the better half on the first fold is left early."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.problem import ProblemShape
from tabular_automl.learners import learner_for

# Fewer finished candidates tell too little.
FEWEST_FINISHED = 4
# A candidate may have so many times the way before it that any finished one still went from there, and may
# end behind the worst of the better half by a share of the way from the first round to the best. Over the
# first share of the progress that fits take any loss will do. On six tables this saves a fifth of the seconds
# and leaves one in 200 of those that would end among the best third; without the margin it is one in 100.
LONGER_WAY = 2.0
MARGIN = 0.005
FREE_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class _Run:
    """How a candidate went on the first fold.

    Attributes
    ----------
    best
        Shape (n_rounds,): its lowest loss so far.
    step
        Progress of a round.
    given_up
        Whether it was left, so that nothing is known beyond its end.
    """

    best: FloatArray
    step: float
    given_up: bool

    @property
    def final(self) -> float:
        """The lowest loss of all; infinite where nobody knows."""
        return float("inf") if self.given_up else float(self.best[-1])

    @property
    def end(self) -> float:
        """The progress at which it was best."""
        return (int(self.best.argmin()) + 1) * self.step

    def way_from(self, progress: FloatArray) -> FloatArray:
        """Return how much the loss still fell from there on; infinite before the first round."""
        rounds = np.floor(progress / self.step + 1e-9).astype(np.intp)
        found = self.best[np.clip(rounds, 1, len(self.best)) - 1] - self.best[-1]
        return np.where(rounds < 1, np.inf, found)


def bar_for(
    candidate: Candidate, results: Sequence[CrossFit | Failure], shape: ProblemShape
) -> FloatArray | None:
    """Return what a candidate must have reached on the first fold round by round (`FitContext.bar`).

    The median rule (Golovin et al., "Google Vizier", KDD 2017), on where a loss curve may lead: a candidate
    is left when even `LONGER_WAY` times as much as any finished candidate of its family still gained from
    that progress on would leave it behind the worst of their better half. Candidates are compared at equal
    progress, which for boosted trees is rounds times learning rate and what a tree learns
    (`Learner.progress`). Those that were left themselves count as worse than all others, so that bars don't
    become stricter from one candidate to the next.

    Parameters
    ----------
    candidate
        Who is to be fitted.
    results
        What is known so far; of it counts the first fold of candidates of the same family whose rounds were
        not capped.
    shape
        Sizes of the problem.

    Returns
    -------
    FloatArray or None
        Shape (n_rounds,); None where too little is known.
    """
    runs = _runs(candidate.family, results)
    finished = [run for run in runs if not run.given_up]
    worst_of_better = sorted(run.final for run in runs)[(len(runs) - 1) // 2] if runs else np.inf
    if len(finished) < FEWEST_FINISHED or not np.isfinite(worst_of_better):
        return None
    progress = _progress(candidate, finished, shape)
    longest_way = np.max([run.way_from(progress) for run in finished], axis=0)
    start, best = max(run.best[0] for run in finished), min(run.final for run in finished)
    bar: FloatArray = worst_of_better + LONGER_WAY * longest_way + MARGIN * (start - best)
    bar[progress < FREE_SHARE * np.median([run.end for run in finished])] = np.inf
    return bar


def _runs(family: str, results: Sequence[CrossFit | Failure]) -> list[_Run]:
    """Return how the candidates of a family went on the first fold, each once."""
    learner = learner_for(family)
    found: dict[str, _Run] = {}
    for result in results:
        if not isinstance(result, CrossFit) or result.candidate.family != family or not result.folds:
            continue
        first, step = result.folds[0], learner.progress(result.candidate.params)
        if first.complete and not result.capped:
            found[result.candidate.key] = _Run(np.minimum.accumulate(first.curve), step, first.given_up)
    return list(found.values())


def _progress(candidate: Candidate, finished: Sequence[_Run], shape: ProblemShape) -> FloatArray:
    """Return a candidate's progress after each round, up to where all others had ended."""
    learner = learner_for(candidate.family)
    step = learner.progress(candidate.params)
    most = learner.limits(shape, candidate.params).max_rounds
    n_rounds = max(len(run.best) * run.step for run in finished) / step
    progress: FloatArray = step * np.arange(1.0, np.clip(np.ceil(n_rounds - 1e-9), 1, most) + 1)
    return progress
