"""Weights that are means over selections on bootstrap draws."""

from collections.abc import Callable

import numpy as np
import pytest

from tabular_automl.core.metrics import METRICS
from tabular_automl.ensemble.bagged_selection import LEAST_WEIGHT, bagged_weights
from tabular_automl.ensemble.greedy import weights_of
from tabular_automl.ensemble.pool import Pool

MakePool = Callable[..., Pool]


def rmse_pool(noises: list[float], n_rows: int, seed: int, blocks: np.ndarray | None = None) -> Pool:
    """Predictions of a target that is 0 everywhere: their errors are independent noise."""
    rng = np.random.default_rng(seed)
    predictions = np.stack([noise * rng.normal(size=(n_rows, 1)) for noise in noises])
    return Pool(predictions, np.zeros(n_rows), None, METRICS["rmse"], np.arange(n_rows), blocks, None)


def test_weights_are_shares_without_light_ones() -> None:
    weights = bagged_weights(rmse_pool([1.0, 1.1, 1.2, 1.3, 50.0, 50.0], 300, seed=0), seed=0)
    assert weights.sum() == pytest.approx(1)
    assert weights[weights > 0].min() >= LEAST_WEIGHT
    assert weights[4:].tolist() == [0.0, 0.0]


def test_equal_seeds_give_equal_weights() -> None:
    pool = rmse_pool([1.0, 1.0, 1.0, 1.0], 100, seed=1)
    first, second, other = (bagged_weights(pool, seed) for seed in (0, 0, 1))
    assert first.tolist() == second.tolist()
    assert first.tolist() != other.tolist()


def test_on_few_rows_weights_are_nearer_to_the_best_ones_than_those_of_one_selection() -> None:
    # Of equally good candidates that err independently, equal weights are best.
    pools = [rmse_pool([1.0] * 6, 60, seed) for seed in range(30)]
    of_one, of_many = (
        np.mean([np.sum((choose(pool) - 1 / 6) ** 2) for pool in pools])
        for choose in (weights_of, lambda pool: bagged_weights(pool, 0))
    )
    assert of_many < 0.7 * of_one


def test_a_single_candidate_has_all_the_weight() -> None:
    assert bagged_weights(rmse_pool([1.0], 50, seed=0), seed=0).tolist() == [1.0]


def test_one_block_leaves_nothing_to_draw_and_one_selection_decides() -> None:
    pool = rmse_pool([1.0, 1.1], 50, seed=0, blocks=np.zeros(50, dtype=int))
    assert bagged_weights(pool, seed=0).tolist() == weights_of(pool).tolist()


def test_draws_without_a_positive_row_decide_nothing() -> None:
    # All positives are in one block: a draw without it could not tell candidates apart.
    rng = np.random.default_rng(0)
    y = np.repeat([1.0, 0.0], [10, 90])
    useless, good = rng.uniform(size=(100, 1)), np.clip(0.6 * y + 0.4 * rng.uniform(size=100), 0, 1)[:, None]
    blocks = np.repeat(np.arange(10), 10)
    pool = Pool(np.stack([useless, good]), y, None, METRICS["roc_auc"], np.arange(100), blocks, y.astype(int))
    assert bagged_weights(pool, seed=0).tolist() == [0.0, 1.0]
