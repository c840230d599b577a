"""The first wave: one candidate of each family, so that an ensemble exists early."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tabular_automl.core.candidate import Candidate, Origin
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.problem import Problem
from tabular_automl.core.search import Search
from tabular_automl.crossfit import Pace, Request, Runtime, cross_fit, probe
from tabular_automl.crossfit.probe import FORMULA_FACTOR
from tabular_automl.search.allocate import Allocation, Offer, ladder_for
from tabular_automl.search.cost_model import CostModel
from tabular_automl.search.first_model import first_model
from tabular_automl.search.portfolio import AS_SHIPPED

# The first candidates may take this share of the time that is left; the rest is for growing, repeats, refits.
WAVE_SHARE = 0.45
# No candidate of a wave of several may take more than this share of the time that is left.
CANDIDATE_SHARE = 0.3
# So many of the wave decide on how many folds it runs; whoever comes after them joins if there is room.
LEADERS = 3
# On odd tables (many classes, some of them rare) a formula may be off by more than `FORMULA_FACTOR`.
FARTHEST_FACTOR = 10.0


def first_wave(
    problem: Problem,
    starts: Sequence[Candidate],
    runtime: Runtime,
    *,
    recalled: Sequence[CrossFit | Failure] = (),
    search: Search = AS_SHIPPED,
) -> tuple[CrossFit | Failure, ...]:
    """Fit the user's own candidates and the first of each family, in the portfolio's order.

    With a time limit, probes of a few rounds tell what each family costs on this table. Then the first few
    step down the ladder of `allocate` together (fewer folds, bigger steps) until they fit into `WAVE_SHARE`
    of the time left, and the others join as far as there is room; whoever alone would take more than
    `CANDIDATE_SHARE` steps further down, or is put off. Where there is no room for two, one has it all. What
    is put off is said, comes last as a `Failure` marked as skipped, and may still be fitted later (`grow`,
    which tells at its end what was not). What was recalled comes first, and its families have no further
    candidate in the wave. If nothing was fitted, one is, beyond the limit (`first_model`).
    """
    prior, *others = wave_of(starts, runtime.budget.max_candidates)
    wave = _without_recalled(others, recalled)
    # The prior is fitted here while the workers still warm up: whatever happens next, there is a model.
    instant = tuple(
        cross_fit(iter([Request(prior, problem.folds.folds_per_repeat)]), problem, runtime.in_driver())
    )
    requests, too_dear = _planned(problem, wave, runtime, search)
    waiting = iter(requests)
    fitted = tuple(cross_fit(waiting, problem, runtime))
    too_late = [_skipped(request.candidate, "the run ended before its turn.") for request in waiting]
    results = (*recalled, *instant, *fitted, *too_dear, *too_late)
    return (*results, *first_model(problem, wave, results, runtime))


def wave_of(starts: Sequence[Candidate], max_candidates: int | None) -> tuple[Candidate, ...]:
    """Return the prior, the user's own and the first of each family; the prior is not counted."""
    firsts: dict[str, Candidate] = {}
    for candidate in starts:
        # Each of the user's own is a first of its own.
        firsts.setdefault(candidate.key if candidate.origin is Origin.USER else candidate.family, candidate)
    prior, *others = firsts.values()
    return (prior, *others[:max_candidates])


def _without_recalled(wave: Sequence[Candidate], recalled: Sequence[CrossFit | Failure]) -> list[Candidate]:
    """Leave out what was recalled, of the user's own by name, of the others by family."""
    names = {result.candidate.name for result in recalled}
    families = {result.candidate.family for result in recalled if isinstance(result, CrossFit)}
    return [
        candidate
        for candidate in wave
        if candidate.name not in names
        and (candidate.origin is Origin.USER or candidate.family not in families)
    ]


def _planned(
    problem: Problem, wave: Sequence[Candidate], runtime: Runtime, search: Search
) -> tuple[list[Request], tuple[Failure, ...]]:
    """Return what to ask for, and who is put off from the start."""
    plan, budget = problem.folds, runtime.budget
    if not budget.timed or not wave:
        return [Request(candidate, plan.folds_per_repeat) for candidate in wave], ()
    costs = CostModel.of(problem.shape, (), _paces(problem, wave, runtime))
    seconds = budget.remaining
    fair_share = WAVE_SHARE * seconds * budget.cores / len(wave)
    allocation = Allocation(
        costs,
        plan.folds_per_repeat,
        budget.cores,
        fair_share,
        ladder=ladder_for(problem.n_rows),
        search=search,
        fewest_folds=plan.fewest_folds,
    )
    shares = share_out(wave, seconds, allocation)
    put_off = []
    for candidate in (candidate for candidate, offer in shares.items() if offer is None):
        reason = _too_dear(candidate, seconds, allocation)
        runtime.emit("fit", f"{candidate.name} is put off, it may come later: {reason}")
        put_off.append(_skipped(candidate, f"{reason} Raise time_limit to include it."))
    distinct: dict[str, Request] = {}
    for offer in (offer for offer in shares.values() if offer is not None):
        # What differed by its learning rate alone may be the same when hastened.
        distinct.setdefault(offer.request.candidate.key, offer.request)
    return list(distinct.values()), tuple(put_off)


def _skipped(candidate: Candidate, reason: str) -> Failure:
    return Failure(candidate, None, reason, 0.0, skipped=True)


def _paces(problem: Problem, wave: Sequence[Candidate], runtime: Runtime) -> tuple[Pace, ...]:
    """Probe one of each family where its cost may matter; the paces are kept for the stages that follow."""
    plan, budget, ladder = problem.folds, runtime.budget, ladder_for(problem.n_rows)
    costs = CostModel(problem.shape)
    guess = Allocation(
        costs, plan.folds_per_repeat, budget.cores, ladder=ladder, fewest_folds=plan.fewest_folds
    )
    expected = sum(guess.offer(candidate, ladder[0]).seconds for candidate in wave)
    # Probes pay only where the wave would take a good part of its time.
    if FORMULA_FACTOR * expected > WAVE_SHARE * budget.remaining * budget.cores:
        # For one that is too dear even if the formula is off that much, a probe would only take time.
        most = FARTHEST_FACTOR * WAVE_SHARE * budget.remaining
        firsts: dict[str, Candidate] = {}
        for candidate in wave:
            if candidate.family not in firsts and guess.affordable(candidate, most) is not None:
                firsts[candidate.family] = candidate
        runtime.observations.paces = probe(list(firsts.values()), runtime)
    return runtime.observations.paces


def share_out(
    wave: Sequence[Candidate], seconds: float, allocation: Allocation
) -> dict[Candidate, Offer | None]:
    """Return what each candidate gets of so many wall seconds; None for those who get nothing.

    The common rung is the dearest on which the first `LEADERS` fit into the wave's share: those who come
    later must not cost the others folds. They join on that rung in their order, as long as there is room. A
    candidate that would take more than its own share steps further down. Those that are too dear on all rungs
    are left out first. Where no two leaders have room, the first candidate that all of the wave's share pays
    for is fitted alone; where there is none, the cheapest is tried all the same.
    """
    bound = max(CANDIDATE_SHARE, WAVE_SHARE / len(wave)) * seconds
    staying = [candidate for candidate in wave if allocation.affordable(candidate, bound) is not None]
    for n_leaders in range(min(LEADERS, len(staying)), 1, -1):
        for rung in allocation.ladder:
            below = allocation.below(rung)
            offers = {candidate: below.affordable(candidate, bound) for candidate in staying}
            joined = _joined(staying, offers, WAVE_SHARE * seconds * allocation.cores)
            if all(candidate in joined for candidate in staying[:n_leaders]):
                bounded = {
                    candidate: offer.bounded(allocation.core_seconds(offer, bound))
                    for candidate, offer in joined.items()
                }
                return dict.fromkeys(wave) | _patient(bounded, seconds, allocation)
    return dict.fromkeys(wave) | _alone(wave, seconds, allocation)


def _joined(
    candidates: Sequence[Candidate], offers: Mapping[Candidate, Offer | None], core_seconds: float
) -> dict[Candidate, Offer]:
    """Return who has room, in order of their turn."""
    joined: dict[Candidate, Offer] = {}
    for candidate in candidates:
        offer = offers[candidate]
        if offer is not None and offer.seconds <= core_seconds:
            joined[candidate] = offer
            core_seconds -= offer.seconds
    return joined


def _patient(
    joined: Mapping[Candidate, Offer], seconds: float, allocation: Allocation
) -> dict[Candidate, Offer]:
    """Return the offers, no fit of which is stopped while all together keep to the wave's share."""
    # On a machine slower than expected all of them are slower: there is room for that.
    n_fits = sum(offer.request.n_folds for offer in joined.values())
    share = WAVE_SHARE * seconds * min(allocation.cores, n_fits)
    slower = share / sum(offer.seconds for offer in joined.values())
    return {candidate: offer.with_patience(slower) for candidate, offer in joined.items()}


def _alone(
    candidates: Sequence[Candidate], seconds: float, allocation: Allocation
) -> dict[Candidate, Offer | None]:
    """Return the first candidate that all of the wave's share pays for, else the cheapest."""
    for candidate in candidates:
        offer = allocation.affordable(candidate, WAVE_SHARE * seconds)
        if offer is not None:
            share = allocation.core_seconds(offer, WAVE_SHARE * seconds)
            return {candidate: offer.with_patience(share / offer.seconds)}
    candidate = min(candidates, key=lambda candidate: allocation.cheapest(candidate).seconds)
    offer = allocation.cheapest(candidate)
    # Its folds share the time: one that ran until the deadline would leave none for the others.
    a_fold = allocation.core_seconds(offer, seconds) / offer.request.n_folds
    return {candidate: replace(offer, request=replace(offer.request, seconds=a_fold))}


def _too_dear(candidate: Candidate, seconds: float, allocation: Allocation) -> str:
    cheapest = allocation.cheapest(candidate)
    expected = cheapest.seconds / min(allocation.cores, cheapest.request.n_folds)
    return (
        f"{max(0.0, WAVE_SHARE * seconds):.1f} s are for all candidates of the first wave, at least "
        f"{expected:.1f} s expected for this one, and those before it come first."
    )
