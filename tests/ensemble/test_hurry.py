"""Where time runs out, weighing does the first part of what it would do, and no more."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tabular_automl.core.task import TaskKind
from tabular_automl.ensemble import bagged_selection, bootstrap
from tabular_automl.ensemble import weigh as weigh_function
from tabular_automl.ensemble.bagged_selection import bagged_weights
from tabular_automl.ensemble.bootstrap import resample
from tabular_automl.ensemble.draws import SelectionOnDraws
from tabular_automl.ensemble.honest_score import honest_score
from tabular_automl.ensemble.pool import Pool
from tabular_automl.testing import FakeClock

MakePool = Callable[..., Pool]


def always() -> bool:
    return True


@pytest.fixture
def count_selections(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted: list[int] = []
    weights = SelectionOnDraws.weights

    def counting(self: SelectionOnDraws, multiplicity: np.ndarray) -> np.ndarray:
        counted.append(1)
        return weights(self, multiplicity)

    monkeypatch.setattr(SelectionOnDraws, "weights", counting)
    return counted


def test_in_a_hurry_the_bootstrap_makes_the_first_of_its_draws(make_pool: MakePool) -> None:
    pool, weights = make_pool("rmse"), np.full(6, 1 / 6)
    whole, part = resample(pool, weights, seed=0), resample(pool, weights, seed=0, hurry=always)
    n_selections, n_draws = bootstrap.ENOUGH_IN_A_HURRY, bootstrap.FEWEST_FOR_AN_INTERVAL
    assert part.excess.tolist() == whole.excess[:n_selections].tolist()
    assert np.array_equal(part.out_of_bag, whole.out_of_bag[:n_draws])
    assert len(whole.excess) > n_selections
    score = honest_score(part)
    assert np.isfinite([score.low, score.high]).all()
    assert score.low < score.value < score.high


def test_in_a_hurry_a_few_selections_choose(make_pool: MakePool, count_selections: list[int]) -> None:
    weights = bagged_weights(make_pool("roc_auc"), seed=0, hurry=always)
    assert len(count_selections) == bagged_selection.ENOUGH_IN_A_HURRY
    assert weights.sum() == pytest.approx(1)


def test_without_a_hurry_nothing_changes(make_pool: MakePool, count_selections: list[int]) -> None:
    bagged_weights(make_pool("roc_auc"), seed=0)
    assert len(count_selections) == bagged_selection.MOST_SELECTIONS


@pytest.mark.parametrize("late", [False, True])
def test_weighing_hurries_after_the_deadline_only(opened, count_selections: list[int], late: bool) -> None:
    with opened(TaskKind.REGRESSION) as setting:
        fits = [setting.fit("lightgbm"), setting.fit("linear")]
        clock = FakeClock(100.0 if late else 1.0)
        budget = replace(
            setting.runtime.budget, limit=50.0, reserve=2.0, max_candidates=None, clock=clock, started=0.0
        )
        run = partial(weigh_function, setting.problem, (), fits)
        weighed = run(replace(setting.runtime, budget=budget))
    few = bagged_selection.ENOUGH_IN_A_HURRY + bootstrap.ENOUGH_IN_A_HURRY
    assert (len(count_selections) == few) is late
    assert np.isfinite([weighed.score.low, weighed.score.high]).all()
