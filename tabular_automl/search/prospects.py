"""What the next candidate may bring the ensemble, judged by what the last ones brought."""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.problem import Problem
from tabular_automl.ensemble import choose, marginal_gain

# Core-seconds for one look at the ensemble so far.
SECONDS_A_LOOK = 0.05
# A gain counts so much less than the one of the same arm after it.
MEMORY = 0.7
# What the next candidate of a family that carries all of the ensemble's weight is expected to bring, as a
# share of the loss. The weight, not the loss without the family, tells who is strong: of two strong families
# that stand in for each other neither would be missed.
USUAL_GAIN = 0.02
# Families without weight so far count as if they had this much: what failed once may work otherwise.
LEAST_WEIGHT = 0.15
# The first candidate of a family promises so many times what the next one of any other does.
FIRST_OF_A_FAMILY = 2.0
# A smaller relative gain, judged on the rows that chose the weights, is none.
LEAST_GAIN = 1e-4


class Source(StrEnum):
    """Where a family's candidates come from."""

    PORTFOLIO = "portfolio"
    STUDY = "study"


class Arm(NamedTuple):
    """A family and where its candidates come from: what there is to choose between."""

    family: str
    source: Source


class Prospects:
    """The ensemble so far, and what each arm promises it.

    An arm's expected gain is the mean of what its candidates brought (`marginal_gain`), the last one counting
    most, and of a prior: the weight that its family carries, shared among the family's candidates, so that
    none is tried for ever. What is under way counts as a candidate.

    Parameters
    ----------
    problem
        What is being solved.
    first
        The results so far.

    Attributes
    ----------
    chosen
        The ensemble so far, from a quick look; None without a candidate.
    results
        All results so far.
    in_vain
        How many candidates in a row brought nothing.
    """

    def __init__(self, problem: Problem, first: Sequence[CrossFit | Failure]) -> None:
        self._problem = problem
        self.results = list(first)
        self.chosen = choose(problem, self.results, look=SECONDS_A_LOOK)
        self.in_vain = 0
        self._gains: dict[Arm, list[float]] = {}
        self._under_way: Counter[Arm] = Counter()
        self._ended: Counter[Arm] = Counter()
        self._completed: Counter[Arm] = Counter()

    def start(self, arm: Arm) -> None:
        """Take note that a candidate of an arm starts."""
        self._under_way[arm] += 1

    def add(self, arm: Arm, result: CrossFit | Failure) -> None:
        """Learn what came of a candidate: completed, left early or failed."""
        self.results.append(result)
        self._under_way[arm] -= 1
        self._ended[arm] += 1
        gain = 0.0
        if isinstance(result, CrossFit) and not result.pruned:
            self._completed[arm] += 1
            self.chosen = choose(self._problem, self.results, look=SECONDS_A_LOOK)
            gain = self._gain_of(result)
        self._gains.setdefault(arm, []).append(gain)
        self.in_vain = 0 if gain > LEAST_GAIN else self.in_vain + 1

    def gain(self, arm: Arm) -> float:
        """Return by which share of itself the arm's next candidate is expected to lower the loss."""
        tried = self.n_tried()
        if arm.family in tried:
            return self._expected(arm, tried[arm.family])
        others = [self._expected(Arm(one, arm.source), n) for one, n in tried.items()]
        return FIRST_OF_A_FAMILY * max(others, default=USUAL_GAIN)

    def n_tried(self) -> Counter[str]:
        """Return by family how many candidates were tried or are under way."""
        candidates = {(result.candidate.family, result.candidate.key) for result in self.results}
        under_way = [arm.family for arm in self._under_way.elements()]
        return Counter([*(family for family, _ in candidates), *under_way])

    def share_run(self, arm: Arm, rungs: Sequence[int]) -> float:
        """Return which share of its folds the arm's next candidate is expected to run before it is left."""
        completed = (1 + self._completed[arm]) / (2 + self._ended[arm])
        first = rungs[0] / rungs[-1]
        return first + (1 - first) * completed

    def _expected(self, arm: Arm, n_tried: int) -> float:
        """Return the mean of what an arm's candidates brought and of what its family's weight promises."""
        gains = self._gains.get(arm, [])
        weights = [MEMORY**age for age in range(len(gains))]
        observed = sum(w * g for w, g in zip(weights, reversed(gains), strict=True))
        chosen = () if self.chosen is None else self.chosen.weighted
        carried = sum(weight for fit, weight in chosen if fit.candidate.family == arm.family)
        return (USUAL_GAIN * max(LEAST_WEIGHT, carried) / n_tried + observed) / (1 + sum(weights))

    def _gain_of(self, result: CrossFit) -> float:
        if self.chosen is None:
            return 0.0
        return marginal_gain(self.chosen, [result.candidate.key], seconds=SECONDS_A_LOOK)
