from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabular_automl.core.metrics import METRICS
from tabular_automl.ensemble.greedy import greedy_selection, most_candidates
from tabular_automl.ensemble.pool import Pool

MakePool = Callable[..., Pool]


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("n_candidates", [1, 2, 7])
def test_weights_are_a_mixture_no_worse_than_the_best_candidate(
    name: str, n_candidates: int, make_pool: MakePool
) -> None:
    pool = make_pool(name, n_candidates=n_candidates)
    weights = greedy_selection(pool.predictions, pool.y, pool.weight, pool.metric)
    assert weights.shape == (n_candidates,)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    best = min(pool.loss(alone) for alone in np.eye(n_candidates))
    assert pool.loss(weights) <= best + 1e-4  # AUC is binned


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.sampled_from(["rmse", "log_loss", "roc_auc", "f1"]))
def test_any_predictions_give_a_mixture(seed: int, n_rows: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    predictions = rng.integers(0, 3, (4, n_rows, 1)) / 2
    y = rng.integers(0, 2, n_rows).astype(float)
    weights = greedy_selection(predictions, y, None, METRICS[name])
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("name", ["rmse", "log_loss", "roc_auc", "accuracy"])
def test_ties_go_to_the_earlier_candidate(name: str, make_pool: MakePool) -> None:
    pool = make_pool(name, n_candidates=1)
    thrice = np.repeat(pool.predictions, 3, axis=0)
    weights = greedy_selection(thrice, pool.y, pool.weight, pool.metric)
    assert weights.tolist() == [1, 0, 0]


@pytest.mark.parametrize("name", ["rmse", "log_loss", "roc_auc", "mae"])
def test_one_step_takes_the_best_single_candidate(name: str, make_pool: MakePool) -> None:
    pool = make_pool(name)
    order = [3, 1, 0, 2, 5, 4]
    predictions = pool.predictions[order]
    weights = greedy_selection(predictions, pool.y, pool.weight, pool.metric, max_steps=1)
    losses = [pool.metric.loss(pool.y, candidate, pool.weight) for candidate in predictions]
    assert weights[int(np.argmin(losses))] == 1


@pytest.mark.parametrize("name", ["rmse", "log_loss", "roc_auc"])
def test_averaging_independent_errors_beats_the_best_member_on_new_rows(
    name: str, make_pool: MakePool
) -> None:
    pool = make_pool(name, n_rows=4_000)
    chosen_on, new = pool.take(np.arange(2_000)), pool.take(np.arange(2_000, 4_000))
    weights = greedy_selection(chosen_on.predictions, chosen_on.y, chosen_on.weight, pool.metric)
    assert (weights > 0).sum() > 1
    assert new.loss(weights) < min(new.loss(alone) for alone in np.eye(len(weights)))


def test_rmse_weights_are_near_the_best_there_are(rng: np.random.Generator) -> None:
    y = rng.normal(size=2_000)
    errors = rng.normal(size=(2, 2_000)) * np.array([[1.0], [2.0]])
    weights = greedy_selection((y + errors)[..., None], y, None, METRICS["rmse"])
    assert weights == pytest.approx([0.8, 0.2], abs=0.05)  # inverse variances


def test_row_weights_decide_who_is_chosen() -> None:
    y = np.zeros(4)
    good_on_first, good_on_last = np.array([0.0, 0, 3, 3]), np.array([3.0, 3, 0, 0])
    predictions = np.stack([good_on_first, good_on_last])[..., None]
    weights = greedy_selection(predictions, y, np.array([1.0, 1, 0, 0]), METRICS["rmse"])
    assert weights.tolist() == [1, 0]
    weights = greedy_selection(predictions, y, np.array([0.0, 0, 1, 1]), METRICS["rmse"])
    assert weights.tolist() == [0, 1]


def test_few_rows_admit_few_candidates(rng: np.random.Generator) -> None:
    y = rng.normal(size=80)
    predictions = (y + rng.normal(size=(30, 80)))[..., None]
    weights = greedy_selection(predictions, y, None, METRICS["rmse"])
    assert (weights > 0).sum() <= most_candidates(80) == 4


def test_many_rows_choose_as_a_sample_of_them_does(make_pool: MakePool) -> None:
    pool = make_pool("rmse", n_rows=120_000, n_candidates=3)
    whole = greedy_selection(pool.predictions, pool.y, pool.weight, pool.metric)
    part = pool.take(np.arange(40_000))
    sample = greedy_selection(part.predictions, part.y, part.weight, pool.metric)
    assert whole == pytest.approx(sample, abs=0.06)


def test_multiclass_log_loss_is_chosen_on_the_true_class(rng: np.random.Generator) -> None:
    y = rng.integers(0, 3, 500).astype(float)
    good = 0.5 * np.eye(3)[y.astype(int)] + 0.5 * rng.dirichlet(np.ones(3), 500)
    noise = rng.dirichlet(np.ones(3), 500)
    weights = greedy_selection(np.stack([noise, good]), y, None, METRICS["log_loss"])
    assert weights[1] > 0.9
