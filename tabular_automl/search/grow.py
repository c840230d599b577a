"""Growing: the portfolio's next candidates, as long as they can finish."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure, tried
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit import Request, Runtime, cross_fit
from tabular_automl.ensemble import choose, refit_seconds
from tabular_automl.ensemble.greedy import most_candidates
from tabular_automl.search.allocate import Allocation, Offer, Rung, kept_for_refits
from tabular_automl.search.cost_model import CostModel
from tabular_automl.search.portfolio import PRIOR

# A candidate starts only if this many times its expected time is left.
SAFETY = 1.15
# One candidate may take this share of the time that is left for growing.
CANDIDATE_SHARE = 0.5
# On so few rows, where chance decides most, this share of the time limit is kept for repeats; on more rows
# they get what growing leaves.
REPEAT_ROWS = 1_000
REPEAT_SHARE = 0.2
# Families without weight so far are tried as if they had this much: what failed once may work otherwise.
LEAST_WEIGHT = 0.15
# Fewer folds than the others have would leave fewer rows to weigh all of them on.
LADDER = (Rung(None, 1.0), Rung(None, 1.5), Rung(None, 2.0))
# No fit is to end before its time (`Allocation.fewest_rounds`): there are other candidates to try instead.
ALL_ROUNDS = 1.0
SECONDS_A_LOOK = 0.05
# A candidate may take this share of the time that is left for growing, however little was expected.
FAIR_SHARE = 0.1
# With a single fold, the stopping round would be chosen on the very rows that score it.
FEWEST_FOLDS = 2
# A family of which so many candidates failed and none was fitted is left alone.
MOST_FAILURES = 2


def grow(
    problem: Problem, starts: Sequence[Candidate], first: Sequence[CrossFit | Failure], runtime: Runtime
) -> tuple[CrossFit | Failure, ...]:
    """Fit what the first wave left of the portfolio, as long as it can finish.

    With a time limit the next candidate is that of the family which promises most for its cost: the weight
    its candidates carry in the ensemble so far, shared among them, over the seconds the next one is expected
    to take plus those there are for each place that is left. So seconds count where they are short, and not
    where the rows bear no more than a few candidates. Within a family the portfolio's order stands. Time for
    repeats and refits is kept. A run bounded by counts takes the portfolio in its order.
    """
    # Whom the first wave had no time for may come now.
    first = tried(first)
    names = {result.candidate.name for result in first}
    rest = [candidate for candidate in starts if candidate.name not in names]
    bound = runtime.budget.max_candidates
    allowed = most_candidates(problem.n_rows) if bound is None else bound
    # By key: a candidate that lost a fold is there twice, as what it finished and as its failure.
    allowed -= len({result.candidate.key for result in first if result.candidate.family != PRIOR})
    if allowed <= 0 or not rest:
        return ()
    seen = list(first)
    requests = islice(_requests(problem, rest, seen, runtime, places=allowed), allowed)
    for result in cross_fit(requests, problem, runtime):
        seen.append(result)  # noqa: PERF402 - the generator of requests reads it between fits
    return tuple(seen[len(first) :])


def _requests(
    problem: Problem,
    rest: Sequence[Candidate],
    seen: Sequence[CrossFit | Failure],
    runtime: Runtime,
    *,
    places: int,
) -> Iterator[Request]:
    """Propose one after the other; ``seen`` grows while this generator is being pulled."""
    budget, waiting = runtime.budget, list(rest)
    if not budget.timed:
        yield from (Request(candidate, problem.folds.folds_per_repeat) for candidate in waiting)
        return
    # Hastened, a candidate may become one that was tried.
    keys = {result.candidate.key for result in seen}
    outlook = _Outlook.of(problem, seen, runtime)
    while waiting and not budget.over:
        if len(seen) != outlook.n_results:
            outlook = _Outlook.of(problem, seen, runtime)
        found = _most_promising(waiting, outlook, problem, runtime, places=min(places, len(waiting)))
        if found is None:
            return
        candidate, offer = found
        waiting.remove(candidate)
        if offer.request.candidate.key not in keys:
            keys.add(offer.request.candidate.key)
            places -= 1
            yield offer.request


def common_folds(seen: Sequence[CrossFit | Failure], n_folds: int) -> int:
    """Return on how many folds most results rest: what comes next should be comparable with them.

    Of numbers that are equally frequent the largest; at least two, where the plan has them.
    """
    lengths = Counter(
        fit.folds_per_repeat for fit in seen if isinstance(fit, CrossFit) and fit.candidate.family != PRIOR
    )
    if not lengths:
        return n_folds
    most_frequent = max(lengths, key=lambda length: (lengths[length], length))
    return min(n_folds, max(FEWEST_FOLDS, most_frequent))


@dataclass(frozen=True)
class _Outlook:
    """What the results so far say of the next ones.

    Attributes
    ----------
    n_results
        How many results there were.
    costs, n_folds
        What candidates cost, and on how many folds they will be fitted.
    promises
        By family, its candidates' weight in the ensemble so far, shared among them.
    given_up
        Families that only failed so far.
    refit_seconds
        Core-seconds that refits of the members so far would take.
    """

    n_results: int
    costs: CostModel
    n_folds: int
    promises: Mapping[str, float]
    given_up: frozenset[str]
    refit_seconds: float

    @classmethod
    def of(cls, problem: Problem, seen: Sequence[CrossFit | Failure], runtime: Runtime) -> "_Outlook":
        chosen = choose(problem, seen, look=SECONDS_A_LOOK)
        weighted = () if chosen is None else chosen.weighted
        keys_of: dict[str, set[str]] = {}
        for result in seen:
            keys_of.setdefault(result.candidate.family, set()).add(result.candidate.key)
        carried = dict.fromkeys(keys_of, 0.0)
        for fit, weight in weighted:
            carried[fit.candidate.family] += weight
        fitted = {result.candidate.family for result in seen if isinstance(result, CrossFit)}
        return cls(
            len(seen),
            CostModel.of(problem.shape, seen, runtime.observations.paces),
            common_folds(seen, problem.folds.folds_per_repeat),
            {family: max(LEAST_WEIGHT, carried[family]) / len(keys) for family, keys in keys_of.items()},
            frozenset(f for f, keys in keys_of.items() if f not in fitted and len(keys) >= MOST_FAILURES),
            refit_seconds(weighted, problem),
        )


def _most_promising(
    waiting: Sequence[Candidate], outlook: _Outlook, problem: Problem, runtime: Runtime, *, places: int
) -> tuple[Candidate, Offer] | None:
    """Return the next candidate of the family that promises most for its cost; None if nothing fits.

    The next of a family is the first that can be afforded.
    """
    budget = runtime.budget
    kept = kept_for_refits(outlook.refit_seconds, budget)
    repeats = problem.n_rows <= REPEAT_ROWS and problem.folds.n_repeats > 1
    if repeats and outlook.n_folds == problem.folds.folds_per_repeat:
        kept += REPEAT_SHARE * (budget.limit or 0.0)
    seconds = (budget.remaining - kept) / SAFETY
    core_seconds = seconds * budget.cores
    allocation = Allocation(
        outlook.costs, outlook.n_folds, budget.cores, FAIR_SHARE * core_seconds, LADDER, ALL_ROUNDS
    )
    found: dict[str, tuple[float, Candidate, Offer]] = {}
    for candidate in waiting:
        family = candidate.family
        if family in found or family in outlook.given_up:
            continue
        offer = allocation.affordable(candidate, CANDIDATE_SHARE * seconds)
        if offer is not None:
            promise = outlook.promises.get(family, LEAST_WEIGHT)
            found[family] = promise / (offer.seconds + core_seconds / places), candidate, offer
    return max(found.values(), key=lambda one: one[0])[1:] if found else None
