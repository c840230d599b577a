"""Recall: what an earlier run in the same folder fitted, before anything new is done."""

from collections.abc import Sequence

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit import Runtime, cross_fit
from tabular_automl.search.portfolio import PRIOR

# What was left after a smaller share of the folds is no result; whoever proposes it again finds these folds.
LEAST_FOLDS = 0.5


def recall(problem: Problem, starts: Sequence[Candidate], runtime: Runtime) -> tuple[CrossFit | Failure, ...]:
    """Take up the candidates that earlier runs in this run folder fitted wholly.

    A run bounded by time can't do as an earlier one did, since the clock decides. So it begins with what is
    there: no fit is made, but for one whose files are damaged. A run bounded by counts recalls nothing, since
    it repeats the earlier one step by step, and finds every fit where it needs it.

    Parameters
    ----------
    problem, runtime
        What is being solved, and how.
    starts
        The portfolio: only its families are recalled.
    """
    if runtime.budget.counted or not runtime.store.durable:
        return ()
    families = {candidate.family for candidate in starts if candidate.family != PRIOR}
    fewest = LEAST_FOLDS * problem.folds.folds_per_repeat
    earlier = [
        request
        for request in runtime.store.recallable(runtime.identity, seed=runtime.seed)
        if request.n_folds >= fewest and request.candidate.family in families
    ]
    recalled = tuple(cross_fit(iter(earlier), problem, runtime))
    if recalled:
        runtime.emit("fit", f"Took up {len(recalled)} candidates of earlier runs in this folder.")
    return recalled
