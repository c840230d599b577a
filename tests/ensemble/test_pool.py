import numpy as np
import pytest

from tabular_automl.core.metrics import METRICS
from tabular_automl.ensemble.pool import Pool, scored_part, thinned_rows


def test_thinning_keeps_rare_classes_whole_and_the_total_weight(rng: np.random.Generator) -> None:
    y = rng.permutation(np.repeat([0.0, 1.0, 2.0], [50, 9_000, 4_000]))
    rows, factor = thinned_rows(len(y), 2_000, y.astype(int))
    assert np.array_equal(rows, np.unique(rows))
    assert len(rows) <= 2_000
    assert (y[rows] == 0).sum() == 50
    assert np.bincount(y[rows].astype(int), weights=factor) == pytest.approx([50, 9_000, 4_000])


def test_multiclass_log_loss_keeps_rare_classes_whole_although_its_target_is_ones(
    rng: np.random.Generator,
) -> None:
    y = rng.permutation(np.repeat([0.0, 1.0, 2.0], [5, 3_000, 2_000]))
    pool = Pool.of(rng.dirichlet(np.ones(3), (2, len(y))), y, None, METRICS["log_loss"])
    assert set(pool.y) == {1.0}
    thin = pool.thinned(500)
    assert (y[thin.rows] == 0).sum() == 5
    assert thin.classes is not None
    assert thin.classes.tolist() == y[thin.rows].tolist()


def test_a_small_pool_is_not_thinned(rng: np.random.Generator) -> None:
    pool = Pool.of(rng.random((2, 100, 1)), rng.random(100), None, METRICS["rmse"])
    assert pool.thinned() is pool


def test_a_thinned_pool_has_about_the_same_loss(rng: np.random.Generator) -> None:
    y = (rng.random(20_000) < 0.03).astype(float)
    predictions = np.clip(0.1 * y + rng.uniform(0, 0.2, (1, 20_000)), 0, 1)[..., None]
    pool = Pool.of(predictions, y, None, METRICS["log_loss"])
    thin = pool.thinned(5_000)
    assert thin.n_rows <= 5_000
    assert thin.loss(np.ones(1)) == pytest.approx(pool.loss(np.ones(1)), rel=0.02)
    assert np.array_equal(pool.y[thin.rows], thin.y)


def test_multiclass_log_loss_needs_the_true_class_alone(rng: np.random.Generator) -> None:
    y = rng.integers(0, 5, 200).astype(float)
    predictions = rng.dirichlet(np.ones(5), (3, 200))
    metric = METRICS["log_loss"]
    seen, target = scored_part(predictions, y, metric)
    assert seen.shape == (3, 200, 1)
    for whole, part in zip(predictions, seen, strict=True):
        assert metric.loss(target, part) == pytest.approx(metric.loss(y, whole), rel=1e-5)


def test_mixing_is_the_weighted_average(rng: np.random.Generator) -> None:
    pool = Pool.of(rng.random((3, 50, 4)), np.zeros(50), None, METRICS["accuracy"])
    weights = np.array([0.2, 0.0, 0.8])
    expected = np.average(pool.predictions, axis=0, weights=weights)
    assert pool.mixed(weights) == pytest.approx(expected)
    assert pool.mixed(weights, np.array([3, 7])) == pytest.approx(expected[[3, 7]])
