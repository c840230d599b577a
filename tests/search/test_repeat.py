"""Repeats: of whom, in which order, and when there are none."""

from dataclasses import replace

import pytest
from made_up import FIRST, PRIOR, SECOND, World, made_up, priced, problem_of  # type: ignore[import-not-found]

from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.ensemble import choose, kept_for_refits
from tabular_automl.search import repeat
from tabular_automl.search.repeat import MOST_MEMBERS

LABELS = "abcdefgh"
N_REPEATS = 3


def results_of(world: World, noise: float = 1.0) -> tuple[CrossFit, ...]:
    """Candidates of equal worth: most of them become members, of about equal weight."""
    fits = [made_up(world.problem, priced(label, 0.1), a_fold=0.1, noise=noise) for label in LABELS]
    return made_up(world.problem, PRIOR), *fits


def members_of(world: World, results: tuple[CrossFit | Failure, ...]) -> list[str]:
    chosen = choose(world.problem, results)
    assert chosen is not None
    return [fit.candidate.label for fit, _ in chosen.weighted]


def test_the_heaviest_members_get_their_second_repeat_before_any_gets_its_third(world: World) -> None:
    results = results_of(world)
    members = members_of(world, results)
    assert len(members) > MOST_MEMBERS
    found = repeat(world.problem, results, world.runtime(1000.0))
    heaviest = members[:MOST_MEMBERS]
    assert world.labels == heaviest * (N_REPEATS - 1)
    n_folds = [request.n_folds for request in world.requests]
    assert n_folds == [16] * MOST_MEMBERS + [24] * MOST_MEMBERS
    assert [result.n_repeats for result in found if isinstance(result, CrossFit)] == [2] * 5 + [3] * 5


def test_only_members_are_repeated(world: World) -> None:
    bad = [made_up(world.problem, priced(f"bad {n}"), noise=1e4) for n in range(3)]
    good = made_up(world.problem, priced("good"), noise=0.01)
    repeat(world.problem, (*bad, good), world.runtime(1000.0))
    assert set(world.labels) == {"good"}


def test_the_prior_is_never_repeated(world: World) -> None:
    found = repeat(world.problem, (made_up(world.problem, PRIOR),), world.runtime(1000.0))
    assert found == ()


def test_cut_fits_and_those_on_fewer_folds_are_not_repeated(world: World) -> None:
    cut = made_up(world.problem, priced("cut"), noise=0.01, complete=False)
    short = made_up(world.problem, priced("short"), 5, noise=0.01)
    assert repeat(world.problem, (cut,), world.runtime(1000.0)) == ()
    assert repeat(world.problem, (short,), world.runtime(1000.0)) == ()
    assert members_of(world, (cut,)) == ["cut"]


def test_a_capped_fit_is_repeated_with_its_cap(world: World) -> None:
    capped = made_up(world.problem, priced("a"), noise=0.01, max_rounds=90)
    repeat(world.problem, (capped,), world.runtime(1000.0))
    assert [(request.max_rounds, request.n_folds) for request in world.requests] == [(90, 16), (90, 24)]


def test_repeats_start_only_if_they_can_finish_and_leave_time_for_refits(world: World) -> None:
    results = results_of(world)
    chosen = choose(world.problem, results)
    assert chosen is not None
    n_asked = []
    for limit in (1.0, 2.0, 3.0, 5.0, 8.0, 20.0):
        world.forget()
        world.know(results)
        runtime = world.runtime(limit)
        repeat(world.problem, results, runtime)
        n_asked.append(len(world.asked))
        kept = kept_for_refits(chosen.weighted, runtime)
        assert not world.asked or runtime.budget.remaining >= kept > 0
    assert n_asked == sorted(n_asked)
    assert (n_asked[0], n_asked[-1]) == (0, MOST_MEMBERS * (N_REPEATS - 1))
    assert any(0 < n < n_asked[-1] for n in n_asked)


def test_what_failed_is_not_repeated_again(world: World) -> None:
    world.failing = {SECOND}
    results = (
        made_up(world.problem, priced("a", family=FIRST)),
        made_up(world.problem, priced("b", family=SECOND)),
    )
    found = repeat(world.problem, results, world.runtime(1000.0))
    assert sorted(world.labels) == ["a", "a", "b"]
    assert [result.candidate.label for result in found if isinstance(result, Failure)] == ["b"]


@pytest.mark.parametrize(("limit", "count"), [(None, 20), (None, None), (1000.0, 20)])
def test_only_a_time_limit_buys_repeats(world: World, limit: float | None, count: int | None) -> None:
    assert repeat(world.problem, results_of(world), world.runtime(limit, count)) == ()


def test_a_plan_without_repeats_gets_none(world: World) -> None:
    world.problem = problem_of(n_rows=2_600)
    assert repeat(world.problem, results_of(world), world.runtime(1000.0)) == ()


@pytest.mark.parametrize("cancel", [True, False])
def test_nothing_is_repeated_once_it_is_over(world: World, *, cancel: bool) -> None:
    runtime = world.runtime(1000.0)
    if cancel:
        runtime.budget.cancel()
    else:
        world.clock.advance(1000.0)
    assert repeat(world.problem, results_of(world), runtime) == ()
    assert world.asked == []


def test_who_was_pruned_is_neither_a_member_nor_repeated(world: World) -> None:
    pruned = replace(made_up(world.problem, priced("pruned"), noise=0.01), pruned="it can't lower the loss")
    good = made_up(world.problem, priced("good"), noise=0.1)
    assert members_of(world, (good, pruned)) == ["good"]
    repeat(world.problem, (good, pruned), world.runtime(1000.0))
    assert set(world.labels) == {"good"}
