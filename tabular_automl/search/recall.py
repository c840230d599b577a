"""Recall: what an earlier run in the same folder fitted, before anything new is done."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tabular_automl.core.candidate import Candidate, Origin
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.problem import Problem
from tabular_automl.core.search import Search
from tabular_automl.crossfit import Request, Runtime, cross_fit
from tabular_automl.search.family_space import FamilySpace
from tabular_automl.search.portfolio import AS_SHIPPED, PRIOR

# What has a smaller share of the most folds that anything has was left on its way: whoever proposes it again
# finds these folds.
LEAST_SHARE = 0.7


def recall(
    problem: Problem, starts: Sequence[Candidate], runtime: Runtime, *, search: Search = AS_SHIPPED
) -> tuple[CrossFit | Failure, ...]:
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
    search
        What the user says now: what lies outside its spaces or beyond its bounds is not recalled.
    """
    if runtime.budget.counted or not runtime.store.durable:
        return ()
    earlier = _wanted(runtime.store.recallable(runtime.identity, seed=runtime.seed), starts, search, problem)
    recalled = tuple(cross_fit(iter(earlier), problem, runtime))
    if recalled:
        runtime.emit("fit", f"Took up {len(earlier)} candidates of earlier runs in this folder.")
    return recalled


def _wanted(
    earlier: Sequence[Request], starts: Sequence[Candidate], search: Search, problem: Problem
) -> list[Request]:
    """Return the requests to repeat, under names that this run does not use for others."""
    families = {candidate.family for candidate in starts if candidate.family != PRIOR}
    current = {candidate.key: candidate for candidate in starts}
    plan = problem.folds.folds_per_repeat
    fewest = LEAST_SHARE * max((min(plan, request.n_folds) for request in earlier), default=0)
    wanted: list[Request] = []
    sizes: Counter[str] = Counter()
    for request in earlier:
        candidate = current.get(request.candidate.key, request.candidate)
        family = candidate.family
        is_own = candidate.origin is Origin.USER
        fits_in = is_own or (sizes[family] < search.bound(family) and _is_allowed(candidate, search, problem))
        if family in families and request.n_folds >= fewest and fits_in:
            sizes[family] += 1
            wanted.append(replace(request, candidate=_named(candidate, current)))
    return wanted


def _is_allowed(candidate: Candidate, search: Search, problem: Problem) -> bool:
    if candidate.family not in search.spaces:
        return True
    return FamilySpace.of(candidate.family, problem.shape, search).space.contains(candidate.params)


def _named(candidate: Candidate, current: Mapping[str, Candidate]) -> Candidate:
    """Return a candidate under a name of its own: this run's first own or tuned one may be another."""
    is_renamed = candidate.key in current or candidate.label.endswith(candidate.key[:4])
    if is_renamed or candidate.origin not in {Origin.USER, Origin.TUNED}:
        return candidate
    return replace(candidate, label=f"{candidate.label}-{candidate.key[:4]}")
