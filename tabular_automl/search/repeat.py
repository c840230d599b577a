"""Repeats: the best candidates once more, on folds dealt anew."""

from collections.abc import Iterator, Sequence

from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit import Request, Runtime, cross_fit
from tabular_automl.ensemble import choose, kept_for_refits
from tabular_automl.search.portfolio import PRIOR

# So many members are repeated at most, the heaviest first.
MOST_MEMBERS = 5
# A repeat starts only if this many times its expected time is left.
SAFETY = 1.1


def repeat(
    problem: Problem, results: Sequence[CrossFit | Failure], runtime: Runtime
) -> tuple[CrossFit | Failure, ...]:
    """Fit the members of the ensemble so far on the further repeats of the fold plan, while time is left.

    On few rows chance decides how the folds fall. Repeats make both the members and the numbers by which they
    are weighed steadier. All members get their second repeat before any gets its third. A run bounded by
    counts makes no repeats, nor does a plan that has none.
    """
    if not runtime.budget.timed or problem.folds.n_repeats == 1 or runtime.budget.over:
        return ()
    repeated: list[CrossFit | Failure] = []
    for result in cross_fit(_requests(problem, results, repeated, runtime), problem, runtime):
        repeated.append(result)  # noqa: PERF402 - the generator of requests reads it between fits
    return tuple(repeated)


def _requests(
    problem: Problem,
    results: Sequence[CrossFit | Failure],
    repeated: Sequence[CrossFit | Failure],
    runtime: Runtime,
) -> Iterator[Request]:
    """Ask for one repeat after the other; ``repeated`` grows while this generator is being pulled."""
    chosen = choose(problem, results, seed=runtime.seed)
    if chosen is None:
        return
    n_folds, budget = problem.folds.folds_per_repeat, runtime.budget
    members = [fit for fit, _ in chosen.weighted if _can_be_repeated(fit, n_folds)]
    kept = kept_for_refits(chosen.weighted, runtime)
    for number in range(2, problem.folds.n_repeats + 1):
        for fit in members[:MOST_MEMBERS]:
            core_seconds = (budget.remaining - kept) * min(budget.cores, n_folds)
            failed = {result.candidate.key for result in repeated if isinstance(result, Failure)}
            affordable = not budget.over and SAFETY * fit.seconds <= core_seconds
            if affordable and fit.candidate.key not in failed:
                yield Request(fit.candidate, number * n_folds, max_rounds=fit.max_rounds)


def _can_be_repeated(fit: CrossFit, n_folds: int) -> bool:
    """Return whether further repeats say more: not of the prior; a cut fit would be fitted anew."""
    return fit.candidate.family != PRIOR and len(fit.folds) == n_folds and fit.complete
