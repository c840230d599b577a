"""Prospects: what the arms promise the ensemble."""

from dataclasses import replace

import numpy as np
import pytest
from made_up import (  # type: ignore[import-not-found]
    FIRST,
    PRIOR,
    SECOND,
    THIRD,
    World,
    made_up,
    priced,
    problem_of,
)

from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.task import TaskKind
from tabular_automl.search.prospects import Arm, Prospects, Source

A, B, C = (Arm(family, Source.PORTFOLIO) for family in (FIRST, SECOND, THIRD))


def fit_of(world: World, label: str, family: str, noise: float) -> CrossFit:
    return made_up(world.problem, priced(label, 0.1, family), noise=noise)


def end(prospects: Prospects, arm: Arm, result: CrossFit | Failure) -> None:
    """Let a candidate start and come to its end."""
    prospects.start(arm)
    prospects.add(arm, result)


@pytest.fixture
def prospects(world: World) -> Prospects:
    """Two families in the ensemble, the second of them far better."""
    first = (
        made_up(world.problem, PRIOR),
        fit_of(world, "a", FIRST, noise=1.0),
        fit_of(world, "b", SECOND, noise=0.2),
    )
    return Prospects(world.problem, first)


def test_a_family_that_carries_more_weight_promises_more(prospects: Prospects) -> None:
    assert prospects.gain(B) > prospects.gain(A) > 0


def test_of_two_families_that_stand_in_for_each_other_both_promise(world: World) -> None:
    fits = [fit_of(world, "a", FIRST, noise=0.2), fit_of(world, "b", SECOND, noise=0.2)]
    weak = fit_of(world, "c", THIRD, noise=5.0)
    prospects = Prospects(world.problem, [*fits, weak])
    assert min(prospects.gain(A), prospects.gain(B)) > prospects.gain(C)


def test_a_family_without_a_result_promises_most(prospects: Prospects) -> None:
    assert prospects.gain(C) > prospects.gain(B)


def test_what_brings_something_promises_more_of_it(world: World, prospects: Prospects) -> None:
    for number in range(3):
        end(prospects, A, fit_of(world, f"a{number}", FIRST, noise=0.2 - 0.04 * number))
        end(prospects, B, fit_of(world, f"b{number}", SECOND, noise=1e3))
    assert prospects.gain(A) > prospects.gain(B)


def test_a_result_without_gain_promises_less_and_counts_as_vain(world: World, prospects: Prospects) -> None:
    before = prospects.gain(B)
    assert prospects.in_vain == 0
    for number in range(3):
        end(prospects, B, fit_of(world, f"b{number}", SECOND, noise=1e3))
        assert prospects.in_vain == number + 1
    assert prospects.gain(B) < before
    end(prospects, A, fit_of(world, "a1", FIRST, noise=0.01))
    assert prospects.in_vain == 0


def test_whoever_waits_long_enough_gets_a_turn(world: World, prospects: Prospects) -> None:
    end(prospects, A, Failure(priced("a1", 0.1, FIRST), 0, "made up", 0.0))
    n_waiting = 0
    while prospects.gain(A) <= prospects.gain(B):
        end(prospects, B, fit_of(world, f"b{n_waiting}", SECOND, noise=0.2))
        n_waiting += 1
        assert n_waiting < 100
    assert n_waiting > 0


def test_pruned_results_and_failures_leave_the_ensemble_as_it_is(world: World, prospects: Prospects) -> None:
    chosen = prospects.chosen
    left = replace(made_up(world.problem, priced("x", 0.1, FIRST), 1, noise=0.01), pruned="made up")
    end(prospects, A, left)
    end(prospects, B, Failure(priced("y", 0.1, SECOND), 0, "made up", 0.0))
    assert prospects.chosen is chosen


def test_the_share_of_folds_expected_follows_what_was_left(world: World, prospects: Prospects) -> None:
    before = prospects.share_run(A, (1, 3, 8))
    assert 1 / 8 < before < 1
    for number in range(5):
        fit = replace(made_up(world.problem, priced(str(number), 0.1, FIRST), 1), pruned="made up")
        end(prospects, A, fit)
        end(prospects, B, fit_of(world, f"b{number}", SECOND, noise=0.3))
    assert prospects.share_run(A, (1, 3, 8)) < before < prospects.share_run(B, (1, 3, 8))


def test_without_results_all_promise_alike(world: World) -> None:
    prospects = Prospects(world.problem, (made_up(world.problem, PRIOR),))
    assert prospects.gain(A) == prospects.gain(B) > 0
    assert Prospects(world.problem, ()).chosen is None


def test_what_is_under_way_lessens_the_promise_of_its_arm(prospects: Prospects) -> None:
    before = prospects.gain(B)
    prospects.start(B)
    assert prospects.gain(B) < before


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_a_copy_brings_nothing_however_many_rows_a_look_leaves_out(world: World, metric: str) -> None:
    rng = np.random.default_rng(0)
    n_rows = 20_000
    y = (rng.uniform(size=n_rows) > 0.5).astype(float)
    problem = problem_of(n_rows)
    task = replace(problem.task, kind=TaskKind.BINARY, metric=metric, classes=(0, 1))
    problem = replace(problem, y=y, task=task)
    predictions = np.clip(0.3 + 0.4 * y + 0.3 * rng.normal(size=n_rows), 0.01, 0.99)[:, None]

    def copy(number: int) -> CrossFit:
        return replace(made_up(problem, priced(str(number), 0.1, FIRST)), predictions=predictions)

    prospects = Prospects(problem, [copy(number) for number in range(10)])
    for number in range(10, 16):
        end(prospects, A, copy(number))
    assert prospects.in_vain == 6


def test_all_that_a_family_has_under_way_counts_from_whichever_arm(prospects: Prospects) -> None:
    before = prospects.n_tried()[SECOND]
    prospects.start(B)
    prospects.start(Arm(SECOND, Source.STUDY))
    prospects.start(B)
    assert prospects.n_tried()[SECOND] == before + 3
