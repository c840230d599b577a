"""The first wave: one candidate of each family, so that an ensemble exists early."""

from collections.abc import Iterator, Sequence

from tabular_automl.core.candidate import Candidate, Origin
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit import Request, Runtime, cross_fit
from tabular_automl.search.cost_model import CostModel

# The first candidates may take this share of the time that is left; the rest is for growing and weighing.
WAVE_SHARE = 0.7
# At least two folds: with one, the stopping round would be chosen on the very rows that score it.
FOLD_PREFIXES = (5, 3, 2)


def first_wave(
    problem: Problem, starts: Sequence[Candidate], runtime: Runtime
) -> tuple[CrossFit | Failure, ...]:
    """Fit the user's own candidates and the first of each family, in the portfolio's order.

    With a time limit the number of folds is the longest prefix that the cost model expects to fit into
    `WAVE_SHARE` of the time left, and each fold gets an equal share of it: a booster that reaches its share
    stops and keeps its rounds.
    """
    prior, *wave = wave_of(starts, runtime.budget.max_candidates)
    # The prior is fitted here while the workers still warm up: whatever happens next, there is a model.
    instant = cross_fit(iter([Request(prior, len(problem.folds))]), problem, runtime.in_driver())
    return (*instant, *cross_fit(_requests(problem, wave, runtime), problem, runtime))


def wave_of(starts: Sequence[Candidate], max_candidates: int | None) -> tuple[Candidate, ...]:
    """Return the prior, the user's own and the first of each family; the prior is not counted."""
    firsts: dict[str, Candidate] = {}
    for candidate in starts:
        # Each of the user's own is a first of its own.
        firsts.setdefault(candidate.key if candidate.origin is Origin.USER else candidate.family, candidate)
    prior, *others = firsts.values()
    return (prior, *others[:max_candidates])


def _requests(problem: Problem, wave: Sequence[Candidate], runtime: Runtime) -> Iterator[Request]:
    costs = CostModel(problem.shape)
    everything = len(problem.folds)
    if not runtime.budget.timed:
        yield from (Request(candidate, everything, None) for candidate in wave)
        return
    core_seconds = WAVE_SHARE * runtime.budget.remaining * min(runtime.budget.cores, everything * len(wave))
    expected = sum(costs.fold_seconds(candidate) for candidate in wave)
    prefixes = [everything, *(k for k in FOLD_PREFIXES if k < everything)]
    n_folds = next((k for k in prefixes if k * expected <= core_seconds), prefixes[-1])
    for candidate in wave:
        share = costs.fold_seconds(candidate) / expected
        # Half of the wave is shared by expected cost, half equally: the formula may be wrong about a family.
        share = 0.5 * share + 0.5 / len(wave)
        yield Request(candidate, n_folds, max(0.1, share * core_seconds / n_folds))
