"""The first wave: who is in it, how its time is shared out, and what is said of those left out."""

import itertools
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import (  # type: ignore[import-not-found]
    FIRST,
    PRIOR,
    SECOND,
    SHAPE,
    THIRD,
    World,
    priced,
    problem_of,
)

from tabular_automl.core.candidate import Candidate, Origin
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.search import first_wave
from tabular_automl.search.allocate import FEW_ROWS, LADDER, LADDER_ON_FEW_ROWS, Allocation, Offer, Rung
from tabular_automl.search.cost_model import CostModel
from tabular_automl.search.first_wave import CANDIDATE_SHARE, LEADERS, WAVE_SHARE, share_out, wave_of

WAVE = (priced("a", 1.0, FIRST), priced("b", 2.0, SECOND), priced("c", 4.0, THIRD))
STARTS = (PRIOR, *WAVE, priced("d", 1.0, FIRST, origin=Origin.PORTFOLIO))
FULL = 8 * (1.0 + 2.0 + 4.0)
waves = st.lists(
    st.tuples(st.floats(0.01, 1e3), st.integers(1, 3_000), st.booleans()), min_size=1, max_size=6
).map(
    lambda found: tuple(
        priced(str(i), price, n_rounds=rounds, origin=Origin.USER if own else Origin.DEFAULT)
        for i, (price, rounds, own) in enumerate(found)
    )
)
ladders = st.sampled_from([LADDER, LADDER_ON_FEW_ROWS])
# Times in which a wave just fits, or does not: seconds for each second that all its folds take once.
tightness = st.floats(0.1, 30.0)


def shared(
    wave: tuple[Candidate, ...],
    seconds: float,
    n_folds: int = 8,
    cores: int = 2,
    ladder: tuple[Rung, ...] = LADDER,
) -> tuple[dict[Candidate, Offer | None], Allocation]:
    allocation = Allocation(CostModel(SHAPE), n_folds, cores, ladder=ladder)
    return share_out(wave, seconds, allocation), allocation


def price_of(wave: tuple[Candidate, ...]) -> float:
    """What a fold of each takes."""
    return sum(CostModel(SHAPE).fold_seconds(candidate) for candidate in wave)


def bound_of(wave: tuple[Candidate, ...], seconds: float) -> float:
    """What one candidate may take: of few, each may take its equal part of the wave's share."""
    return max(CANDIDATE_SHARE, WAVE_SHARE / len(wave)) * seconds


def is_for_one(wave: tuple[Candidate, ...], seconds: float, allocation: Allocation) -> bool:
    """Whether the first two that can be afforded do not fit into the wave's share together, on any rung."""
    first_two = affordable(wave, seconds, allocation)[:2]
    bound, room = bound_of(wave, seconds), WAVE_SHARE * seconds * allocation.cores
    costs = [sum(cost_below(allocation, rung, one, bound) for one in first_two) for rung in allocation.ladder]
    return len(first_two) < 2 or min(costs) > room


def affordable(wave: tuple[Candidate, ...], seconds: float, allocation: Allocation) -> list[Candidate]:
    """Those who could be in the wave at all."""
    bound = bound_of(wave, seconds)
    return [candidate for candidate in wave if allocation.affordable(candidate, bound) is not None]


def common_rungs(shares: dict[Candidate, Offer | None], seconds: float, allocation: Allocation) -> list[Rung]:
    """The rungs, from dear to cheap, on each of which all would cost what they were offered for."""
    bound = bound_of(tuple(shares), seconds)
    offers = [(candidate, offer) for candidate, offer in shares.items() if offer is not None]
    return [
        rung
        for rung in allocation.ladder
        if all(cost_below(allocation, rung, one, bound) == offer.seconds for one, offer in offers)
    ]


def cost_below(allocation: Allocation, rung: Rung, candidate: Candidate, bound: float) -> float:
    offer = allocation.below(rung).affordable(candidate, bound)
    assert offer is not None
    return offer.seconds


def kept(shares: dict[Candidate, Offer | None]) -> list[str]:
    return [candidate.label for candidate, offer in shares.items() if offer is not None]


def limit_for(core_seconds: float, cores: int = 2) -> float:
    """A limit with which the whole wave has so many core-seconds (budgets keep 4% for weighing)."""
    return core_seconds / WAVE_SHARE / cores / 0.96 * 1.001


@settings(deadline=None)
@given(wave=waves, seconds=st.floats(0.01, 1e5), n_folds=st.integers(1, 8), cores=st.integers(1, 32))
def test_the_wave_and_each_candidate_keep_to_their_shares(
    wave: tuple[Candidate, ...], seconds: float, n_folds: int, cores: int
) -> None:
    shares, allocation = shared(wave, seconds, n_folds, cores)
    assert tuple(shares) == wave
    offers = [offer for offer in shares.values() if offer is not None]
    assert offers, "something is always tried"
    assert all(min(2, n_folds) <= offer.request.n_folds <= n_folds for offer in offers)
    if len(offers) == 1 and offers[0].seconds > allocation.core_seconds(offers[0], WAVE_SHARE * seconds):
        costs = [allocation.cheapest(candidate).seconds for candidate in wave]
        assert offers[0].seconds == min(costs), "nothing can be afforded: the cheapest is tried all the same"
        return
    n_fits = sum(offer.request.n_folds for offer in offers)
    assert sum(offer.seconds for offer in offers) <= WAVE_SHARE * seconds * min(cores, n_fits) * (1 + 1e-9)
    bound = WAVE_SHARE * seconds if is_for_one(wave, seconds, allocation) else bound_of(wave, seconds)
    assert all(offer.seconds <= allocation.core_seconds(offer, bound) for offer in offers)


@settings(deadline=None)
@given(wave=waves, tight=tightness, ladder=ladders)
def test_all_are_on_one_rung_but_those_that_would_exceed_their_share(
    wave: tuple[Candidate, ...], tight: float, ladder: tuple[Rung, ...]
) -> None:
    seconds = tight * price_of(wave)
    shares, allocation = shared(wave, seconds, ladder=ladder)
    if is_for_one(wave, seconds, allocation):
        return
    offers = {candidate: offer for candidate, offer in shares.items() if offer is not None}
    bound = bound_of(wave, seconds)
    common = common_rungs(shares, seconds, allocation)
    assert common
    for candidate, offer in offers.items():
        on_rungs = [allocation.offer(candidate, rung) for rung in common]
        fitted = (offer.request.candidate, offer.seconds)
        is_same = fitted in [(one.request.candidate, one.seconds) for one in on_rungs]
        assert is_same or on_rungs[-1].seconds > allocation.core_seconds(on_rungs[-1], bound)


@settings(deadline=None)
@given(wave=waves, tight=tightness, ladder=ladders, cores=st.integers(1, 4))
def test_as_many_leaders_as_fit_are_on_the_dearest_rung_that_they_can_afford_together(
    wave: tuple[Candidate, ...], tight: float, ladder: tuple[Rung, ...], cores: int
) -> None:
    seconds = tight * price_of(wave)
    shares, allocation = shared(wave, seconds, cores=cores, ladder=ladder)
    leaders = affordable(wave, seconds, allocation)[:LEADERS]
    if is_for_one(wave, seconds, allocation):
        return
    core_seconds, bound = WAVE_SHARE * seconds * cores, bound_of(wave, seconds)

    def fit_on(rung: Rung, count: int) -> bool:
        return sum(cost_below(allocation, rung, one, bound) for one in leaders[:count]) <= core_seconds

    n_decide = len(list(itertools.takewhile(lambda one: shares[one] is not None, leaders)))
    assert n_decide >= 2, "the first two fit together"
    if n_decide < len(leaders):
        assert not any(fit_on(rung, n_decide + 1) for rung in ladder)
    common, *_ = common_rungs(shares, seconds, allocation)
    assert not any(fit_on(rung, n_decide) for rung in ladder[: ladder.index(common)])


@settings(deadline=None)
@given(wave=waves, tight=tightness, ladder=ladders, cores=st.integers(1, 4))
def test_nobody_who_comes_later_changes_what_those_before_get(
    wave: tuple[Candidate, ...], tight: float, ladder: tuple[Rung, ...], cores: int
) -> None:
    seconds = tight * price_of(wave)
    shares, allocation = shared(wave, seconds, cores=cores, ladder=ladder)
    leaders = affordable(wave, seconds, allocation)[:LEADERS]
    if not leaders:
        return
    # A wave of one may take more than one of several.
    for end in range(max(2, wave.index(leaders[-1]) + 1), len(wave)):
        without, _ = shared(wave[:end], seconds, cores=cores, ladder=ladder)
        for candidate, offer in without.items():
            assert fitted_as(shares[candidate]) == fitted_as(offer)


def fitted_as(offer: Offer | None) -> tuple[Candidate, int, int | None] | None:
    """What is fitted, whatever the patience."""
    if offer is None:
        return None
    return offer.request.candidate, offer.request.n_folds, offer.request.max_rounds


@settings(deadline=None)
@given(wave=waves, seconds=st.floats(0.1, 1e5), cores=st.integers(1, 32))
def test_nobody_is_stopped_while_all_together_keep_to_the_share(
    wave: tuple[Candidate, ...], seconds: float, cores: int
) -> None:
    shares, _ = shared(wave, seconds, cores=cores)
    offers = [offer for offer in shares.values() if offer is not None]
    share = WAVE_SHARE * seconds * min(cores, sum(offer.request.n_folds for offer in offers))
    slower = share / sum(offer.seconds for offer in offers)
    for offer in offers:
        limit = offer.request.seconds
        assert limit is not None
        assert limit * offer.request.n_folds >= slower * offer.seconds * (1 - 1e-9)


@settings(deadline=None)
@given(wave=waves, seconds=st.floats(0.1, 1e5))
def test_what_a_caller_chose_is_fitted_as_it_was_chosen(wave: tuple[Candidate, ...], seconds: float) -> None:
    shares, _ = shared(wave, seconds)
    for candidate, offer in shares.items():
        if offer is not None and candidate.origin is Origin.USER:
            assert offer.request.candidate == candidate


@settings(deadline=None)
@given(wave=waves, tight=tightness, ladder=ladders, cores=st.integers(1, 4))
def test_whoever_is_left_out_is_too_dear_or_had_no_room_at_its_turn(
    wave: tuple[Candidate, ...], tight: float, ladder: tuple[Rung, ...], cores: int
) -> None:
    seconds = tight * price_of(wave)
    shares, allocation = shared(wave, seconds, cores=cores, ladder=ladder)
    staying = affordable(wave, seconds, allocation)
    if is_for_one(wave, seconds, allocation):
        return
    common, *_ = common_rungs(shares, seconds, allocation)
    room = WAVE_SHARE * seconds * cores
    for candidate in wave:
        offer = shares[candidate]
        if offer is not None:
            assert candidate in staying
            room -= offer.seconds
        elif candidate in staying:
            assert cost_below(allocation, common, candidate, bound_of(wave, seconds)) > room


def test_a_hopeless_candidate_takes_nothing_from_the_others() -> None:
    cheap, hopeless = priced("cheap", 1.0, FIRST), priced("hopeless", 1e6, SECOND)
    with_it, _ = shared((cheap, hopeless), 40.0)
    alone, _ = shared((cheap,), 40.0)
    assert with_it[hopeless] is None
    assert with_it[cheap] == alone[cheap]
    assert [offer.request.n_folds for offer in with_it.values() if offer is not None] == [8]


def test_a_dear_first_candidate_does_not_keep_the_others_out() -> None:
    dear, cheap = priced("dear", 1e6, FIRST, origin=Origin.USER), priced("cheap", 0.1, SECOND)
    shares, _ = shared((dear, cheap), 60.0)
    assert shares[dear] is None
    assert shares[cheap] is not None


def test_of_leaders_that_have_no_room_together_the_first_stay() -> None:
    # What a caller chose is not hastened, and a single round cannot be capped: two folds are the cheapest.
    prices = {"first": 1.45, "second": 1.0, "third": 1.1}
    first, second, third = (
        priced(label, price, origin=Origin.USER, n_rounds=1) for label, price in prices.items()
    )
    assert kept(shared((first, second, third), 10.0, cores=1)[0]) == ["first"]
    assert kept(shared((second, third, first), 10.0, cores=1)[0]) == ["second", "third"]


def test_a_leader_without_room_leaves_it_to_those_who_come_later() -> None:
    prices = {"first": 0.7, "second": 0.7, "third": 1.4, "late": 0.03}
    wave = tuple(priced(label, price, origin=Origin.USER, n_rounds=1) for label, price in prices.items())
    assert kept(shared(wave, 10.0, cores=1)[0]) == ["first", "second", "late"]


@settings(deadline=None)
@given(wave=waves, tight=tightness, ladder=ladders, cores=st.integers(1, 4))
def test_where_no_two_have_room_one_has_it_all(
    wave: tuple[Candidate, ...], tight: float, ladder: tuple[Rung, ...], cores: int
) -> None:
    seconds = tight * price_of(wave)
    shares, allocation = shared(wave, seconds, cores=cores, ladder=ladder)
    if not is_for_one(wave, seconds, allocation):
        assert sum(offer is not None for offer in shares.values()) >= 2
        return
    able = [one for one in wave if allocation.affordable(one, WAVE_SHARE * seconds) is not None]
    (alone,) = (one for one, offer in shares.items() if offer is not None)
    assert not able or alone == able[0]
    best = allocation.affordable(alone, WAVE_SHARE * seconds)
    assert best is None or fitted_as(shares[alone]) == fitted_as(best)


def test_whoever_comes_after_the_leaders_joins_as_far_as_there_is_room() -> None:
    # Of 36 core-seconds three leaders take 24; one that alone may take as much does not step down for room.
    leaders = tuple(priced(f"leader {number}", 1.0) for number in range(LEADERS))
    late = (priced("dear", 2.0), priced("cheap", 1.0), priced("cheapest", 0.6))
    shares, _ = shared((*leaders, *late), 40.0)
    assert kept(shares) == ["leader 0", "leader 1", "leader 2", "cheap"]
    for candidate, offer in shares.items():
        assert offer is None or (offer.request.candidate, offer.request.n_folds) == (candidate, 8)


def test_with_many_cores_no_fold_is_expected_to_outlast_the_wave() -> None:
    shares, allocation = shared(WAVE, 4.0, cores=64)
    for offer in shares.values():
        if offer is not None:
            assert offer.seconds / offer.request.n_folds <= CANDIDATE_SHARE * 4.0 * (1 + 1e-9)
    assert allocation.cores == 64


def test_where_nothing_can_be_afforded_two_folds_share_the_time() -> None:
    shares, _ = shared(WAVE, 0.1, cores=1)
    (offer,) = (offer for offer in shares.values() if offer is not None)
    assert offer.request.candidate.label == "a"
    assert offer.request.n_folds == 2
    assert offer.request.seconds == pytest.approx(0.05)


def test_the_wave_is_the_callers_own_and_the_first_of_each_family() -> None:
    own = [priced(f"own {number}", family=FIRST, origin=Origin.USER) for number in range(2)]
    assert wave_of((PRIOR, *own, *STARTS[1:]), None) == (PRIOR, *own, *WAVE)


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_counts_bound_the_wave_but_not_the_prior(count: int) -> None:
    assert wave_of(STARTS, count) == (PRIOR, *WAVE[:count])


def test_a_run_bounded_by_counts_asks_for_all_folds_whatever_the_clock_says(world: World) -> None:
    world.clock.now = 1e9
    world.slowness = {FIRST: 1e6}
    first_wave(world.problem, STARTS, world.runtime(count=9))
    assert [(request.candidate, request.n_folds) for request in world.requests] == [(c, 8) for c in WAVE]
    assert {(request.seconds, request.max_rounds) for request in world.requests} == {(None, None)}
    assert world.probed == []


def test_a_run_without_any_bound_is_not_hastened_or_probed(world: World) -> None:
    first_wave(world.problem, STARTS, world.runtime())
    assert [request.candidate for request in world.requests] == list(WAVE)
    assert {request.n_folds for request in world.requests} == {8}
    assert world.probed == []


FEW, MANY = 2_600, FEW_ROWS + 1


@pytest.mark.parametrize(
    ("n_rows", "share", "n_folds", "factor"),
    [
        (FEW, 1.0, 8, 1.0), (FEW, 0.67, 8, 1.5), (FEW, 0.5, 8, 2.0), (FEW, 0.32, 5, 2.0), (FEW, 0.25, 3, 2.0),
        (MANY, 1.0, 8, 1.0), (MANY, 0.63, 5, 1.0), (MANY, 0.42, 5, 1.5), (MANY, 0.26, 3, 1.5),
    ],
)  # fmt: skip
def test_the_less_time_there_is_the_further_down_all_step(
    world: World, n_rows: int, share: float, n_folds: int, factor: float
) -> None:
    world.problem = problem_of(n_rows)
    wave = tuple(
        priced(label, 2.0, family) for label, family in zip("abc", (FIRST, SECOND, THIRD), strict=True)
    )
    limit = limit_for(share * 8 * 6.0)
    results = first_wave(world.problem, (PRIOR, *wave), world.runtime(limit))
    assert len([result for result in results if isinstance(result, CrossFit)]) == 4
    assert {request.n_folds for request in world.requests} == {n_folds}
    assert {dict(request.candidate.params)["rate"] for request in world.requests} == {factor}


def test_the_wave_leaves_more_than_half_of_the_time(world: World) -> None:
    for limit in (5.0, 20.0, 60.0, 300.0):
        runtime = world.runtime(limit)
        started = runtime.budget.remaining
        first_wave(world.problem, STARTS, runtime)
        assert runtime.budget.remaining >= (1 - WAVE_SHARE) * started - 1e-6


def test_probes_tell_what_formulas_do_not(world: World) -> None:
    world.slowness = {THIRD: 50.0}
    limit = limit_for(FULL)
    first_wave(world.problem, STARTS, world.runtime(limit))
    assert world.probed == list(WAVE)
    assert world.labels == ["a", "b"]


def test_probes_are_made_only_where_time_may_be_short(world: World) -> None:
    first_wave(world.problem, STARTS, world.runtime(limit_for(5 * FULL)))
    assert world.probed == []
    first_wave(world.problem, STARTS, world.runtime(limit_for(2 * FULL)))
    assert world.probed == list(WAVE)


def test_one_of_each_family_is_probed(world: World) -> None:
    own = [priced(f"own {number}", 1.0, FIRST, origin=Origin.USER) for number in range(3)]
    dear = priced("dear", 1e6, SECOND, origin=Origin.USER)
    first_wave(world.problem, (PRIOR, *own, dear, *WAVE), world.runtime(limit_for(FULL)))
    assert world.probed == [own[0], *WAVE[1:]]


def test_no_probe_of_what_is_much_too_dear_by_any_measure(world: World) -> None:
    hopeless = priced("hopeless", 1e6, THIRD)
    first_wave(world.problem, (PRIOR, *WAVE[:2], hopeless), world.runtime(30.0))
    assert world.probed == list(WAVE[:2])


def test_paces_are_kept_for_later_stages(world: World) -> None:
    runtime = world.runtime(limit_for(FULL))
    first_wave(world.problem, STARTS, runtime)
    assert [pace.candidate for pace in runtime.observations.paces] == list(WAVE)


def test_of_tiny_folds_the_wave_runs_on_as_many_as_say_anything(world: World) -> None:
    world.problem = problem_of(n_folds=40)
    first_wave(world.problem, STARTS, world.runtime(limit_for(2 * 7.0)))
    assert {request.n_folds for request in world.requests} == {4}


def test_whoever_is_put_off_is_told_with_seconds_and_may_come_later(world: World) -> None:
    hopeless = [priced("hopeless", 4_000.0, SECOND), priced("worse", 8_000.0, THIRD)]
    runtime = world.runtime(60.0)
    *_, second, third = first_wave(world.problem, (PRIOR, WAVE[0], *hopeless), runtime)
    assert (len(runtime.messages), runtime.warnings) == (2, 0)
    for candidate, message, failure in zip(hopeless, runtime.messages, (second, third), strict=True):
        pattern = (
            r"([\d.]+) s are for all candidates of the first wave, at least ([\d.]+) s expected for this "
            r"one, and those before it come first\."
        )
        assert isinstance(failure, Failure)
        reason, way_out = failure.reason.split(" Raise ")
        assert way_out == "time_limit to include it."
        found = re.fullmatch(pattern, reason)
        assert found is not None, failure
        left, expected = found.groups()
        assert 0 < float(left) < WAVE_SHARE * 60 < float(expected)
        assert message == f"fit: {candidate.name} is put off, it may come later: {reason}"
        assert failure == Failure(candidate, None, failure.reason, 0.0, skipped=True)


def test_nobody_is_put_off_in_silence(world: World) -> None:
    for limit in (0.5, 2.0, 5.0, 20.0, 100.0):
        world.forget()
        runtime = world.runtime(limit)
        found = first_wave(world.problem, STARTS, runtime)
        silent = {candidate.label for candidate in WAVE} - set(world.labels)
        assert len(runtime.messages) == len(silent)
        skipped = [result for result in found if isinstance(result, Failure) and result.skipped]
        assert {failure.candidate.label for failure in skipped} == silent


def test_whose_turn_never_came_is_skipped_too(world: World) -> None:
    world.slowness = {FIRST: 1e4}
    runtime = world.runtime(limit_for(5 * FULL))
    *_, second, third = first_wave(world.problem, STARTS, runtime)
    assert world.labels == ["a"]
    assert second == Failure(WAVE[1], None, "the run ended before its turn.", 0.0, skipped=True)
    assert third.candidate == WAVE[2]
    assert runtime.messages == [], "it is said once nobody can come any more"


def test_candidates_that_become_the_same_when_hastened_are_fitted_once(world: World) -> None:
    ours, own = priced("a", 3.0), replace(priced("a", 3.0, rate=1.5), origin=Origin.USER)
    starts = (PRIOR, own, ours, priced("c", 3.0, SECOND))
    n_asked = set()
    for share in (0.9, 0.7, 0.6, 0.5, 0.4, 0.3, 0.25):
        world.forget()
        first_wave(world.problem, starts, world.runtime(limit_for(share * 8 * 9.0)))
        keys = [request.candidate.key for request in world.requests]
        assert len(keys) == len(set(keys))
        n_asked.add(len(keys))
    assert n_asked == {2, 3}, "twins only on some rungs"


@pytest.mark.parametrize("limit", [None, 10.0])
def test_a_table_without_candidates_gets_the_prior(world: World, limit: float | None) -> None:
    (only,) = first_wave(world.problem, (PRIOR,), world.runtime(limit))
    assert only.candidate == PRIOR


def test_with_no_time_left_something_is_still_asked_for(world: World) -> None:
    runtime = world.runtime(5.0)
    world.clock.advance(10.0)
    results = first_wave(world.problem, STARTS, runtime)
    assert results[0].candidate == PRIOR
    said = runtime.messages
    assert all(" 0.0 s are for all" in message for message in said)
    assert len(said) + len(world.asked) == len(WAVE)


def test_all_candidates_get_one_request(world: World) -> None:
    for limit, n_jobs in itertools.product((3.0, 30.0, 300.0), (1, 2, 16)):
        world.forget()
        first_wave(world.problem, STARTS, world.runtime(limit, n_jobs=n_jobs))
        assert len(world.labels) == len(set(world.labels))
