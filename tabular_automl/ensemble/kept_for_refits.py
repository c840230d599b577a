"""The time that refits of an ensemble's members will need, so that the search leaves it to them."""

from collections.abc import Sequence

from tabular_automl.core.budget import Budget
from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit.refit import START_SHARE, expected_refit_seconds, n_copies
from tabular_automl.ensemble.serve import COPIES

# Time is kept for the refits of members with at least this weight; lighter ones get what is left.
HEAVY = 0.05
# Beyond one refit of each member, refits may keep this share of the time limit from further candidates.
COPIES_SHARE = 0.2


def kept_for_refits(weighted: Sequence[tuple[CrossFit, float]], problem: Problem, budget: Budget) -> float:
    """Return the wall seconds to keep for refits of an ensemble's heaviest members.

    It is the time for one refit of each, and for further copies up to `COPIES_SHARE` of the limit. A refit
    runs on one core, so it is never less than the longest takes. Nothing is kept for a refit that could not
    start even now: its fold models will predict, and others may have its time.

    Parameters
    ----------
    weighted
        The members so far with their weights.
    problem
        What is being solved.
    budget
        What time is left, and how many refits run at a time.
    """
    heavy = [
        (expected_refit_seconds(fit, problem), n_copies(fit, COPIES))
        for fit, weight in weighted
        if weight >= HEAVY
    ]
    able = [(seconds, copies) for seconds, copies in heavy if seconds <= START_SHARE * budget.remaining]
    longest = max((seconds for seconds, _ in able), default=0.0)
    one_each = max(longest, sum(seconds for seconds, _ in able) / budget.cores)
    all_copies = max(longest, sum(seconds * copies for seconds, copies in able) / budget.cores)
    return min(all_copies, max(one_each, COPIES_SHARE * (budget.limit or 0.0))) / START_SHARE
