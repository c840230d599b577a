"""Prospects: what the arms promise the ensemble."""

from dataclasses import replace

import pytest
from made_up import FIRST, PRIOR, SECOND, THIRD, World, made_up, priced  # type: ignore[import-not-found]

from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.search.prospects import LEAST_SHARE, Arm, Prospects, Source

A, B, C = (Arm(family, Source.PORTFOLIO) for family in (FIRST, SECOND, THIRD))
ARMS = (A, B)


def fit_of(world: World, label: str, family: str, noise: float) -> CrossFit:
    return made_up(world.problem, priced(label, 0.1, family), noise=noise)


@pytest.fixture
def prospects(world: World) -> Prospects:
    """Two families in the ensemble, the second of them far better."""
    first = (
        made_up(world.problem, PRIOR),
        fit_of(world, "a", FIRST, noise=1.0),
        fit_of(world, "b", SECOND, noise=0.2),
    )
    return Prospects(world.problem, first)


def test_a_family_whose_loss_would_be_missed_more_promises_more(prospects: Prospects) -> None:
    assert prospects.gain(B, ARMS) > prospects.gain(A, ARMS) > 0


def test_a_family_without_a_result_promises_most(prospects: Prospects) -> None:
    arms = (*ARMS, C)
    assert prospects.gain(C, arms) > prospects.gain(B, arms)


def test_what_brings_something_promises_more_of_it(world: World, prospects: Prospects) -> None:
    before = prospects.loss
    for number in range(3):
        prospects.add(A, fit_of(world, f"a{number}", FIRST, noise=0.2 - 0.04 * number))
        prospects.add(B, fit_of(world, f"b{number}", SECOND, noise=1e3))
    assert prospects.loss < before
    assert prospects.gain(A, ARMS) > prospects.gain(B, ARMS)


def test_a_result_without_gain_promises_less_and_counts_as_vain(world: World, prospects: Prospects) -> None:
    before = prospects.gain(B, ARMS)
    assert prospects.in_vain == 0
    for number in range(3):
        prospects.add(B, fit_of(world, f"b{number}", SECOND, noise=1e3))
        assert prospects.in_vain == number + 1
    assert prospects.gain(B, (B,)) < before
    prospects.add(A, fit_of(world, "a1", FIRST, noise=0.01))
    assert prospects.in_vain == 0


def test_whoever_waits_long_enough_gets_a_turn(world: World, prospects: Prospects) -> None:
    prospects.add(A, Failure(priced("a1", 0.1, FIRST), 0, "made up", 0.0))
    n_waiting = 0
    while prospects.gain(A, ARMS) <= prospects.gain(B, ARMS):
        prospects.add(B, fit_of(world, f"b{n_waiting}", SECOND, noise=0.2 * 0.9**n_waiting))
        n_waiting += 1
    assert 0 < n_waiting <= 1 / LEAST_SHARE


def test_pruned_results_and_failures_leave_the_ensemble_as_it_is(world: World, prospects: Prospects) -> None:
    chosen, loss = prospects.chosen, prospects.loss
    left = replace(made_up(world.problem, priced("x", 0.1, FIRST), 1, noise=0.01), pruned="made up")
    prospects.add(A, left)
    prospects.add(B, Failure(priced("y", 0.1, SECOND), 0, "made up", 0.0))
    assert prospects.chosen is chosen
    assert prospects.loss == loss


def test_the_share_of_folds_expected_follows_what_was_left(world: World, prospects: Prospects) -> None:
    before = prospects.share_run(A, (1, 3, 8))
    assert 1 / 8 < before < 1
    for number in range(5):
        fit = replace(made_up(world.problem, priced(str(number), 0.1, FIRST), 1), pruned="made up")
        prospects.add(A, fit)
        prospects.add(B, fit_of(world, f"b{number}", SECOND, noise=0.3))
    assert prospects.share_run(A, (1, 3, 8)) < before < prospects.share_run(B, (1, 3, 8))


def test_without_results_all_promise_alike(world: World) -> None:
    prospects = Prospects(world.problem, (made_up(world.problem, PRIOR),))
    assert prospects.gain(A, ARMS) == prospects.gain(B, ARMS) > 0
    assert Prospects(world.problem, ()).chosen is None
