"""The time that refits of an ensemble's members will need, so that the search leaves it to them."""

from collections.abc import Sequence
from heapq import heapreplace

from tabular_automl.core.crossfit import CrossFit
from tabular_automl.crossfit.refit import START_SHARE, expected_refit_seconds, n_copies
from tabular_automl.crossfit.runtime import Runtime
from tabular_automl.ensemble.serve import COPIES, loading_seconds

# Time is kept for the refits of members with at least this weight; lighter ones get what is left.
HEAVY = 0.05
# Beyond one refit of each member, refits may keep this share of the time limit from further candidates.
COPIES_SHARE = 0.2
# Choosing the ensemble comes before the refits; it is expected to take this share of what is reserved for
# weighing.
CHOOSING_SHARE = 0.25


def kept_for_refits(weighted: Sequence[tuple[CrossFit, float]], runtime: Runtime) -> float:
    """Return the wall seconds to keep for refits of an ensemble's heaviest members.

    It is the time for one refit of each, and for further copies up to `COPIES_SHARE` of the limit, with that
    for choosing before and loading after them. Nothing is kept for a refit that could not start even now: its
    fold models will predict, and others may have its time.

    Parameters
    ----------
    weighted
        The members so far with their weights.
    runtime
        What time is left, how many refits run at a time, and what loading takes.
    """
    problem, budget = runtime.problem, runtime.budget
    heavy = [fit for fit, weight in weighted if weight >= HEAVY]
    loading = loading_seconds([fit for fit, _ in weighted], problem, runtime)
    besides = loading + CHOOSING_SHARE * budget.reserve
    expected = [(expected_refit_seconds(fit, problem), n_copies(fit, COPIES)) for fit in heavy]
    able = [one for one in expected if one[0] <= START_SHARE * (budget.remaining - besides)]
    if not able:
        return 0.0
    # The first copies of all come before any second one, as in `refit`.
    in_turn = [seconds for copy in range(COPIES) for seconds, copies in able if copy < copies]
    one_each, all_copies = (_makespan(jobs, budget.cores) for jobs in (in_turn[: len(able)], in_turn))
    needed = min(all_copies, max(one_each, COPIES_SHARE * (budget.limit or 0.0)))
    return besides + needed / START_SHARE


def _makespan(seconds: Sequence[float], cores: int) -> float:
    """Return when the last of some jobs ends, each started in turn on the core that is free first."""
    ends = [0.0] * cores
    for job in seconds:
        heapreplace(ends, ends[0] + job)
    return max(ends)
