"""Growth: what is proposed next, for how much, and what time is kept for what follows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest
from made_up import (  # type: ignore[import-not-found]
    FIRST,
    PRIOR,
    SECOND,
    THIRD,
    TUNABLE,
    Listener,
    World,
    made_up,
    priced,
    problem_of,
)

from tabular_automl.core.candidate import Candidate, Origin
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.search import Search
from tabular_automl.crossfit import Request, Runtime
from tabular_automl.ensemble import choose, kept_for_refits
from tabular_automl.ensemble.greedy import most_candidates
from tabular_automl.search import grow
from tabular_automl.search.cost_model import CostModel
from tabular_automl.search.grow import (
    ALL_ROUNDS,
    CANDIDATE_SHARE,
    MOST_IN_VAIN,
    REPEAT_ROWS,
    REPEAT_SHARE,
    SAFETY,
    SHORT_OF_ROUNDS,
    common_folds,
)
from tabular_automl.search.pruning import rungs

Results = list[CrossFit | Failure]

WAVE = (priced("a", 0.1, FIRST), priced("b", 0.1, SECOND), priced("c", 0.1, THIRD))
REST = tuple(
    priced(f"{label}{number}", 0.1, family, origin=Origin.PORTFOLIO)
    for number in range(1, 5)
    for label, family in zip("abc", (FIRST, SECOND, THIRD), strict=True)
)
STARTS = (PRIOR, *WAVE, *REST)
DEAR = priced("dear", 1e5, origin=Origin.PORTFOLIO)
MANY = tuple(priced(f"d{number}", 0.1, origin=Origin.PORTFOLIO) for number in range(40))
N_RESULTS = len(WAVE)


def first_of(world: World, wave: Sequence[Candidate] = WAVE, n_folds: int = 8) -> tuple[CrossFit, ...]:
    """The results of a first wave, at the cost that was expected."""
    results = [made_up(world.problem, PRIOR)]
    for candidate in wave:
        costs = CostModel(world.problem.shape)
        rounds, a_fold = costs.rounds(candidate), costs.fold_seconds(candidate)
        noise = world.noise.get(candidate.label, 1.0)
        results.append(made_up(world.problem, candidate, n_folds, curve=rounds, a_fold=a_fold, noise=noise))
    return tuple(results)


def fits(results: Sequence[CrossFit | Failure]) -> list[CrossFit]:
    return [result for result in results if isinstance(result, CrossFit)]


def messages_of(runtime: Runtime) -> list[str]:
    return cast("Listener", runtime).messages


def expected_seconds(world: World, request: Request) -> float:
    """The wall seconds that a request was expected to take."""
    a_fold = CostModel(world.problem.shape).fold_seconds(request.candidate, request.max_rounds)
    return a_fold * request.n_folds / world.cores


@pytest.mark.parametrize("n_folds", [2, 3, 5, 8])
def test_growth_stays_on_the_folds_of_the_first_wave(world: World, n_folds: int) -> None:
    for limit in (4.0, 20.0, 1000.0):
        world.forget()
        grown = grow(world.problem, STARTS, first_of(world, n_folds=n_folds), world.runtime(limit))
        for label in world.started:
            assert tuple(world.folds_of(label)) == rungs(n_folds)[: len(world.folds_of(label))]
        assert all(fit.pruned or len(fit.folds) == n_folds for fit in fits(grown))
    assert len(world.started) == len(REST), "the last limit is long enough for all"


def test_nothing_is_tried_again_and_nothing_twice(world: World) -> None:
    hastened = priced("a", 0.1, FIRST, rate=1.5), *WAVE[1:]
    for wave in (WAVE, hastened):
        world.forget()
        grow(world.problem, STARTS, first_of(world, wave), world.runtime(1000.0))
        assert sorted(world.started) == sorted(candidate.label for candidate in REST)


def test_what_becomes_another_when_hastened_is_not_fitted_again(world: World) -> None:
    slow = priced("same", 1.0, FIRST, origin=Origin.PORTFOLIO)
    fast = priced("same", 1.0, FIRST, rate=2.0)
    starts = (PRIOR, priced("a", 1.0, SECOND), fast, replace(slow, label="x"))
    first = first_of(world, starts[1:3])
    grow(world.problem, starts, first, world.runtime(1000.0))
    assert world.started == ["x"], "there is time for its own rate"
    rates = set()
    for limit in (3.0 + 0.15 * step for step in range(180)):
        world.forget()
        grow(world.problem, starts, first, world.runtime(limit))
        assert fast.key not in {request.candidate.key for request in world.requests}
        rates |= {dict(request.candidate.params)["rate"] for request in world.requests}
    assert rates == {1.0, 1.5}, "at twice its rate it is the other"


def test_no_proposal_is_expected_to_take_more_than_its_share(world: World) -> None:
    starts = (*STARTS, *(priced(f"dear{n}", 2.0**n, FIRST, origin=Origin.PORTFOLIO) for n in range(6)))
    for limit in (5.0, 8.0, 15.0, 30.0, 60.0):
        world.forget()
        runtime = world.runtime(limit)
        grow(world.problem, starts, first_of(world), runtime)
        assert world.asked
        starting = [(request, left) for request, left in world.asked if request.n_folds == rungs(8)[0]]
        for request, left in starting:
            free = (left - REPEAT_SHARE * limit) / SAFETY
            assert expected_seconds(world, replace(request, n_folds=8)) <= CANDIDATE_SHARE * free + 1e-9


def test_what_waits_may_be_short_of_rounds_and_what_is_tuned_may_not(world: World) -> None:
    dear = [priced(f"dear{n}", 2.0**n, FIRST, origin=Origin.PORTFOLIO) for n in range(6)]
    wave = (*WAVE, priced("t", 0.1, TUNABLE))
    rounds, shares, origins = CostModel(world.problem.shape).rounds, [], set()
    for limit in (5.0, 8.0, 15.0, 30.0, 60.0):
        world.forget()
        grow(world.problem, (*STARTS, *wave[-1:], *dear), first_of(world, wave), world.runtime(limit))
        for request in world.requests:
            origins.add(request.candidate.origin)
            if request.max_rounds is not None:
                assert request.candidate.origin is Origin.PORTFOLIO
                shares.append(request.max_rounds / rounds(request.candidate))
    assert Origin.TUNED in origins
    assert shares
    assert all(SHORT_OF_ROUNDS <= share < ALL_ROUNDS for share in shares)


@pytest.mark.parametrize("limit", [4.0, 5.0, 7.0])
def test_time_for_repeats_and_refits_is_kept(world: World, limit: float) -> None:
    world.problem = problem_of(REPEAT_ROWS, n_repeats=3)
    runtime = world.runtime(limit)
    first = first_of(world)
    grown = grow(world.problem, STARTS, first, runtime)
    assert 0 < len(grown) < len(REST), "the limit ends it, not the portfolio"
    chosen = choose(world.problem, (*first, *grown))
    assert chosen is not None
    refits = kept_for_refits(chosen.weighted, runtime)
    assert refits > 0
    assert runtime.budget.remaining >= REPEAT_SHARE * limit + refits


@pytest.mark.parametrize(
    ("n_rows", "n_folds", "is_kept"),
    [(REPEAT_ROWS, 8, True), (REPEAT_ROWS, 5, False), (REPEAT_ROWS + 1, 8, False)],
)
def test_no_time_is_kept_for_repeats_that_cannot_be_or_matter_little(
    world: World, n_rows: int, n_folds: int, *, is_kept: bool
) -> None:
    left = []
    for n_repeats in (3, 1):
        world.forget()
        world.problem = problem_of(n_rows, n_repeats=n_repeats)
        runtime = world.runtime(5.0)
        grow(world.problem, STARTS, first_of(world, n_folds=n_folds), runtime)
        left.append(runtime.budget.remaining)
    with_repeats, without = left
    # Which candidates found time differs a little, and with it what is left.
    assert (with_repeats - without > REPEAT_SHARE * 5.0 / 2) == is_kept


def test_the_family_that_carries_the_ensemble_goes_first(world: World) -> None:
    world.noise = {"b": 0.01, **{f"b{number}": 0.02 for number in range(1, 5)}}
    grow(world.problem, STARTS, first_of(world), world.runtime(1000.0))
    assert world.started[:4] == ["b1", "b2", "b3", "b4"]
    assert sorted(world.started) == sorted(candidate.label for candidate in REST), "the others get their turn"


def test_a_family_that_brought_nothing_is_tried_before_the_best_one_is_exhausted(world: World) -> None:
    best = [priced(f"b{number}", 0.1, SECOND) for number in range(33)]
    world.noise = {"b": 0.01, **{candidate.label: 1.0 for candidate in best}, "a": 1e3, "a1": 1e3}
    starts = (PRIOR, *WAVE[:2], *best, REST[0])
    grow(world.problem, starts, first_of(world, WAVE[:2]), world.runtime(1e5))
    assert 0 < world.started.index("a1") < len(best)


def test_who_cannot_help_is_left_after_a_prefix_and_says_why(world: World) -> None:
    world.noise = {"b1": 1e3}
    grown = grow(world.problem, STARTS, first_of(world), world.runtime(1000.0))
    [left] = [fit for fit in fits(grown) if fit.candidate.label == "b1"]
    assert world.folds_of("b1") == [1]
    assert len(left.folds) == 1
    assert "after 1 of 8 folds" in left.pruned
    assert not any(fit.pruned for fit in fits(grown) if fit.candidate.label != "b1"), "the others can help"


def test_who_is_left_takes_no_place(world: World) -> None:
    world.problem = problem_of(2_400)
    bad = tuple(priced(f"bad{number}", 0.01, origin=Origin.PORTFOLIO) for number in range(8))
    world.noise = {candidate.label: 1e3 for candidate in bad}
    grown = grow(world.problem, (PRIOR, *WAVE, *bad, *REST), first_of(world), world.runtime(1000.0))
    assert sum(bool(fit.pruned) for fit in fits(grown)) > 0
    completed = sum(not fit.pruned for fit in fits(grown))
    assert completed == most_candidates(world.problem.n_rows) - N_RESULTS


@pytest.mark.parametrize(
    ("limit", "count", "starts", "why"),
    [
        (1000.0, None, (*STARTS, *MANY), "2600 rows cannot tell more candidates apart"),
        (1000.0, None, STARTS[:5], "there is nothing left to try"),
        (None, None, STARTS[:5], "there is nothing left to try"),
        (2.0, None, (*STARTS[:4], DEAR), "no further candidate can finish in time"),
        (None, 5, STARTS, ""),
    ],
)
def test_it_says_why_it_ended_before_its_time(
    world: World, limit: float | None, count: int | None, starts: Sequence[Candidate], why: str
) -> None:
    runtime = world.runtime(limit, count)
    grow(world.problem, starts, first_of(world), runtime)
    said = [message for message in messages_of(runtime) if "Search over" in message]
    assert [why in message for message in said] == [True] * bool(why), said


def test_a_family_is_tuned_after_its_portfolio(world: World) -> None:
    wave, more = priced("t", 0.1, TUNABLE), priced("t1", 0.1, TUNABLE, origin=Origin.PORTFOLIO)
    starts = (PRIOR, wave, more)
    grown = grow(world.problem, starts, first_of(world, [wave]), world.runtime(60.0))
    origins = [result.candidate.origin for result in grown]
    assert origins[0] is Origin.PORTFOLIO
    assert set(origins[1:]) == {Origin.TUNED}
    prices = {dict(fit.candidate.params)["price"] for fit in fits(grown)[1:]}
    assert len(prices) == len(grown) - 1, "each of another price"


def test_tuning_ends_when_it_is_in_vain(world: World) -> None:
    wave = priced("t", 0.1, TUNABLE)
    runtime = world.runtime(1e6)
    first = first_of(world, [wave])
    chosen = replace(first[1], predictions=world.problem.y[first[1].rows, None])  # nothing can be better
    grown = grow(world.problem, (PRIOR, wave), (first[0], chosen), runtime)
    assert 0 < len(grown) <= MOST_IN_VAIN
    assert runtime.budget.remaining > 0
    assert messages_of(runtime)[-1] == f"fit: Search over: the last {MOST_IN_VAIN} brought nothing."


@pytest.mark.parametrize("limit", [None, 1e4])
def test_a_count_of_candidates_bounds_tuning_too(world: World, limit: float | None) -> None:
    wave = priced("t", 0.1, TUNABLE)
    grow(world.problem, (PRIOR, wave), first_of(world, [wave]), world.runtime(limit, count=10))
    assert len(world.started) == 9


def test_without_any_bound_nothing_is_tuned(world: World) -> None:
    wave = priced("t", 0.1, TUNABLE)
    assert grow(world.problem, (PRIOR, wave), first_of(world, [wave]), world.runtime()) == ()


def test_of_equal_promise_the_cheaper_goes_first(world: World) -> None:
    dear, cheap = priced("dear", 3.0, FIRST), priced("cheap", 0.1, SECOND)
    starts = (PRIOR, WAVE[2], dear, cheap)
    grow(world.problem, starts, first_of(world, WAVE[2:]), world.runtime(1000.0))
    assert world.started == ["cheap", "dear"]


@pytest.mark.parametrize(("limit", "first_label"), [(24.0, "a1"), (4000.0, "b1")])
def test_seconds_count_only_where_they_are_short(world: World, limit: float, first_label: str) -> None:
    strong = [priced(f"b{number}", 1.0, SECOND, origin=Origin.PORTFOLIO) for number in range(1, 5)]
    weak = [candidate for candidate in REST if candidate.family == FIRST]
    world.noise = {"a": 1.0, "b": 0.6}
    wave = (WAVE[0], priced("b", 1.0, SECOND))
    grow(world.problem, (PRIOR, *wave, *strong, *weak), first_of(world, wave), world.runtime(limit))
    assert world.started[0] == first_label
    assert {"a1", "b1"} <= set(world.started)


def test_within_a_family_the_portfolios_order_stands(world: World) -> None:
    grow(world.problem, STARTS, first_of(world), world.runtime(1000.0))
    for letter in "abc":
        of_family = [label for label in world.started if label.startswith(letter)]
        assert of_family == sorted(of_family)


def test_a_dear_candidate_does_not_block_its_family(world: World) -> None:
    starts = (PRIOR, *WAVE, priced("dear", 1e5, FIRST), priced("cheap", 0.1, FIRST))
    grow(world.problem, starts, first_of(world), world.runtime(30.0))
    assert world.started == ["cheap"]


def test_a_family_that_only_fails_is_left_alone(world: World) -> None:
    world.failing = {SECOND}
    first: Results = [*first_of(world, WAVE[:1]), Failure(WAVE[1], 0, "made up", 0.0)]
    found = grow(world.problem, STARTS, first, world.runtime(1000.0))
    assert [label for label in world.started if label.startswith("b")] == ["b1"]
    assert [result.candidate.label for result in found if isinstance(result, Failure)] == ["b1"]
    assert "c4" in world.started


@pytest.mark.parametrize("limit", [None, 1000.0])
def test_whoever_was_skipped_may_come_now_and_is_no_failure(world: World, limit: float | None) -> None:
    skipped = [Failure(c, None, "dear", 0.0, skipped=True) for c in (WAVE[1], REST[1], WAVE[2])]
    first: Results = [*first_of(world, WAVE[:1]), *skipped]
    found = grow(world.problem, STARTS, first, world.runtime(limit))
    assert len(found) == len(world.started)
    assert sorted(world.started) == sorted(candidate.label for candidate in (*WAVE[1:], *REST))
    world.forget()
    grow(world.problem, STARTS, first, world.runtime(limit, count=3))
    assert world.started == ["b", "c"], "one of three is fitted"


def test_it_warns_of_those_only_who_were_never_fitted(world: World) -> None:
    hopeless = priced("hopeless", 4_000.0, THIRD)
    skipped = [Failure(c, None, "dear.", 0.0, skipped=True) for c in (WAVE[1], hopeless)]
    runtime = world.runtime(1000.0)
    grow(world.problem, (*STARTS, hopeless), [*first_of(world, WAVE[:1]), *skipped], runtime)
    assert "b" in world.started
    told = [message for message in runtime.messages if "skipped" in message]
    assert told == [f"fit: {hopeless.name} skipped: dear."]
    assert runtime.warnings == 1


def test_a_family_with_a_result_may_fail_and_is_tried_on(world: World) -> None:
    first: Results = [*first_of(world), Failure(WAVE[1], 3, "made up", 0.0)]
    world.failing = {SECOND}
    grow(world.problem, STARTS, first, world.runtime(1000.0))
    assert [label for label in world.started if label.startswith("b")] == ["b1", "b2", "b3", "b4"]


@pytest.mark.parametrize("limit", [None, 1e6])
def test_a_run_bounded_by_counts_reads_no_clock_and_no_seconds(world: World, limit: float | None) -> None:
    labels, world.lag = [], 3
    wave = (*WAVE, priced("t", 0.1, TUNABLE))
    for slowness in (1.0, 1e3):
        world.forget()
        world.slowness = {FIRST: slowness, TUNABLE: slowness}
        starts = (PRIOR, *wave, *REST)
        grow(world.problem, starts, first_of(world, wave), world.runtime(limit, count=len(wave) + 12))
        labels.append(world.started)
        assert {(request.seconds, request.max_rounds) for request in world.requests} == {(None, None)}
    assert labels[0] == labels[1]
    assert len(labels[0]) == 12
    assert any(label.startswith("t") for label in labels[0]), "tuned ones among them"


@pytest.mark.parametrize("count", [None, 40])
def test_a_family_has_no_more_candidates_than_the_user_says(world: World, count: int | None) -> None:
    world.lag = 3
    wave = (WAVE[0], priced("t", 0.1, TUNABLE))
    search = Search(most_candidates={TUNABLE: 4, FIRST: 2})
    starts = (PRIOR, *wave, *REST)
    grow(
        world.problem,
        starts,
        first_of(world, wave),
        world.runtime(None if count else 1000.0, count),
        search=search,
    )
    assert sum(label.startswith("t") for label in world.started) == 3
    assert sum(label.startswith("a") for label in world.started) == 1


def test_a_family_of_own_candidates_alone_is_not_tuned(world: World) -> None:
    own = priced("own", 0.1, TUNABLE, origin=Origin.USER)
    grow(world.problem, (PRIOR, own, WAVE[0]), first_of(world, (own, WAVE[0])), world.runtime(1000.0))
    assert world.started == []


def test_an_arm_does_not_take_all_places_before_it_brought_anything(world: World) -> None:
    world.lag = 7
    grow(world.problem, STARTS, first_of(world), world.runtime(1000.0))
    assert {label[0] for label in world.started[:6]} == {"a", "b", "c"}


def test_time_for_what_follows_is_kept_where_candidates_turn_out_dearer(world: World) -> None:
    world.problem = problem_of(REPEAT_ROWS, n_repeats=3)
    first = first_of(world)
    world.slowness = dict.fromkeys((FIRST, SECOND, THIRD), 4.0)
    world.lag = 3
    runtime = world.runtime(10.0)
    grow(world.problem, STARTS, first, runtime)
    assert world.asked
    assert runtime.budget.remaining >= 0.5 * REPEAT_SHARE * 10.0


def test_counts_are_of_candidates_not_of_results(world: World) -> None:
    lost_a_fold = Failure(WAVE[0], 7, "made up", 0.0)
    grow(world.problem, STARTS, (*first_of(world), lost_a_fold), world.runtime(count=N_RESULTS + 2))
    assert len(world.started) == 2
    world.forget()
    assert grow(world.problem, STARTS, first_of(world), world.runtime(count=N_RESULTS)) == ()
    assert world.asked == []


@pytest.mark.parametrize("limit", [None, 1e6])
def test_it_ends_with_the_portfolio(world: World, limit: float | None) -> None:
    found = grow(world.problem, STARTS, first_of(world), world.runtime(limit))
    assert len(found) == len(REST)
    assert grow(world.problem, STARTS, (*first_of(world), *found), world.runtime(limit)) == ()


@pytest.mark.parametrize("limit", [None, 1e6])
def test_few_rows_bear_few_candidates(world: World, limit: float | None) -> None:
    many = tuple(priced(str(number), 0.01) for number in range(60))
    grow(world.problem, (*STARTS, *many), first_of(world), world.runtime(limit))
    assert len(world.started) == most_candidates(world.problem.n_rows) - N_RESULTS


@pytest.mark.parametrize("left", [-1.0, 0.0, 0.01])
def test_without_time_nothing_is_asked_for(world: World, left: float) -> None:
    runtime = world.runtime(10.0)
    world.clock.advance(runtime.budget.remaining - left)
    assert grow(world.problem, STARTS, first_of(world), runtime) == ()
    assert world.asked == []


def test_nothing_is_asked_for_once_a_person_cancelled(world: World) -> None:
    runtime = world.runtime(1000.0)
    runtime.budget.cancel()
    assert grow(world.problem, STARTS, first_of(world), runtime) == ()


def test_a_fit_much_cheaper_than_the_time_left_is_given_patience(world: World) -> None:
    grow(world.problem, STARTS, first_of(world), world.runtime(1000.0))
    assert all(request.seconds > 5.0 for request in world.requests), "a formula may err by any factor"


def test_on_many_cores_a_candidate_uses_no_more_than_it_has_folds(world: World) -> None:
    world.cores = 64
    starts = (PRIOR, *WAVE, priced("dear", 40.0, FIRST, n_rounds=1))
    grow(world.problem, starts, first_of(world), world.runtime(30.0))
    assert world.started == [], "a fold alone would take longer than there is"


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ((), 8),
        ((8, 8, 3), 8),
        ((3, 3, 8), 3),
        ((8, 5), 8),
        ((5, 8), 8),
        ((8, 5, 5, 3), 5),
        ((1,), 2),
        ((1, 1, 8), 2),
    ],
)
def test_new_results_rest_on_as_many_folds_as_most(
    world: World, lengths: tuple[int, ...], expected: int
) -> None:
    seen = [made_up(world.problem, PRIOR), Failure(WAVE[0], 0, "made up", 0.0)]
    seen += [made_up(world.problem, priced(str(i)), length) for i, length in enumerate(lengths)]
    assert common_folds(seen, world.problem.folds) == expected


def test_a_plan_of_one_fold_gives_one_fold(world: World) -> None:
    assert common_folds([made_up(world.problem, WAVE[0], 1)], problem_of(n_folds=1).folds) == 1


def test_of_tiny_folds_candidates_start_on_as_many_as_say_anything(world: World) -> None:
    world.problem = problem_of(n_folds=40)
    assert common_folds([made_up(world.problem, WAVE[0], 2)], world.problem.folds) == 4
    grow(world.problem, STARTS, first_of(world), world.runtime(1000.0))
    assert {request.n_folds for request in world.requests} == {4, 8}, "8 is what those before them have"
