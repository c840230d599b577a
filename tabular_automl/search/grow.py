"""Growing: the portfolio's next candidates, as long as they can finish."""

from collections.abc import Iterator, Sequence
from itertools import islice

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit import Request, Runtime, cross_fit
from tabular_automl.ensemble.greedy import most_candidates
from tabular_automl.search.cost_model import CostModel
from tabular_automl.search.portfolio import PRIOR

# A candidate starts only if this many times its expected time is left.
SAFETY = 1.15


def grow(
    problem: Problem, starts: Sequence[Candidate], first: Sequence[CrossFit | Failure], runtime: Runtime
) -> tuple[CrossFit | Failure, ...]:
    """Fit what the first wave left of the portfolio, in order, skipping what can't finish in time.

    All candidates get the folds of the first wave, so that they can be compared on the same rows.
    """
    tried = {result.candidate.key for result in first}
    rest = [candidate for candidate in starts if candidate.key not in tried]
    bound = runtime.budget.max_candidates
    allowed = most_candidates(problem.n_rows) if bound is None else bound
    # By key: a candidate that lost a fold is there twice, as what it finished and as its failure.
    allowed -= len({result.candidate.key for result in first if result.candidate.family != PRIOR})
    if allowed <= 0 or not rest:
        return ()
    seen = list(first)
    requests = islice(_requests(problem, rest, seen, runtime), allowed)
    for result in cross_fit(requests, problem, runtime):
        seen.append(result)  # noqa: PERF402 - the generator of requests reads it between fits
    return tuple(seen[len(first) :])


def _requests(
    problem: Problem, rest: Sequence[Candidate], seen: Sequence[CrossFit | Failure], runtime: Runtime
) -> Iterator[Request]:
    """Propose in order; ``seen`` grows while this generator is being pulled."""
    budget = runtime.budget
    fits = [fit for fit in seen if isinstance(fit, CrossFit) and fit.candidate.family != PRIOR]
    n_folds = max((len(fit.folds) for fit in fits), default=len(problem.folds))
    for candidate in rest:
        if not budget.timed:
            yield Request(candidate, n_folds, None)
            continue
        if budget.over:
            return
        core_seconds = budget.remaining * min(budget.cores, n_folds)
        expected = n_folds * CostModel.of(problem.shape, seen).fold_seconds(candidate)
        if SAFETY * expected <= core_seconds:
            yield Request(candidate, n_folds, core_seconds / n_folds)
