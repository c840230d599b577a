"""What the next candidate may bring the ensemble, judged by what the last ones brought."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.problem import Problem
from tabular_automl.ensemble import choose, marginal_gain

# Core-seconds for one look at the ensemble so far.
SECONDS_A_LOOK = 0.05
# A gain counts so much less than the one of the same arm after it.
MEMORY = 0.7
# Of what a family brought with its first candidates, the next one is expected to bring this share.
NEXT_SHARE = 0.25
# An arm that brought nothing is judged as if it promised this share of what the best one does, and as much
# again for every candidate of others since its last one: what failed once may work otherwise, and can't show
# it without another turn.
LEAST_SHARE = 0.1
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
    most, and of a prior: a share of what the ensemble would lose without the arm's family; for the first of a
    family, all of what the best one brought. What is under way counts as if it brought its share already.

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
    in_vain
        How many candidates in a row brought nothing.
    """

    def __init__(self, problem: Problem, first: Sequence[CrossFit | Failure]) -> None:
        self._problem = problem
        self._results = list(first)
        self.chosen = choose(problem, self._results, look=SECONDS_A_LOOK)
        self.in_vain = 0
        self._priors = self._marginal_gains()
        self._gains: dict[Arm, list[float]] = {}
        self._n_started = 0
        self._last: dict[Arm, int] = {}
        self._under_way: Counter[Arm] = Counter()
        self._ended: Counter[Arm] = Counter()
        self._completed: Counter[Arm] = Counter()

    def start(self, arm: Arm) -> None:
        """Take note that a candidate of an arm starts."""
        self._n_started += 1
        self._last[arm] = self._n_started
        self._under_way[arm] += 1

    def add(self, arm: Arm, result: CrossFit | Failure) -> None:
        """Learn what came of a candidate: completed, left early or failed."""
        self._results.append(result)
        self._under_way[arm] -= 1
        self._ended[arm] += 1
        gain = 0.0
        if isinstance(result, CrossFit) and not result.pruned:
            self._completed[arm] += 1
            self.chosen = choose(self._problem, self._results, look=SECONDS_A_LOOK)
            gain = self._gain_of([result.candidate.key])
        self._gains.setdefault(arm, []).append(gain)
        self.in_vain = 0 if gain > LEAST_GAIN else self.in_vain + 1

    def gain(self, arm: Arm, arms: Sequence[Arm]) -> float:
        """Return by which share the arm's next candidate is expected to lower the loss, among these arms."""
        best = max(self._expected(other) for other in arms)
        waited = 1 + self._n_started - self._last.get(arm, 0)
        expected = max(self._expected(arm), LEAST_SHARE * waited * best) or 1.0
        return expected / (1 + self._under_way[arm])

    def share_run(self, arm: Arm, rungs: Sequence[int]) -> float:
        """Return which share of its folds the arm's next candidate is expected to run before it is left."""
        completed = (1 + self._completed[arm]) / (2 + self._ended[arm])
        first = rungs[0] / rungs[-1]
        return first + (1 - first) * completed

    def _expected(self, arm: Arm) -> float:
        gains = self._gains.get(arm, [])
        weights = [MEMORY**age for age in range(len(gains))]
        observed = sum(w * g for w, g in zip(weights, reversed(gains), strict=True))
        most = max(self._priors.values(), default=0.0)
        prior = self._priors.get(arm.family, most / NEXT_SHARE)
        return (prior + observed) / (1 + sum(weights))

    def _marginal_gains(self) -> Mapping[str, float]:
        """By family, what the next of it is expected to bring: a share of what it brought so far."""
        keys: dict[str, set[str]] = {}
        for result in self._results:
            keys.setdefault(result.candidate.family, set()).add(result.candidate.key)
        return {family: NEXT_SHARE * self._gain_of(some) / len(some) for family, some in keys.items()}

    def _gain_of(self, keys: Collection[str]) -> float:
        return 0.0 if self.chosen is None else marginal_gain(self.chosen, keys, seconds=SECONDS_A_LOOK)
