"""Pools of simulated candidates."""

from collections.abc import Callable

import numpy as np
import pytest

from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.metrics import METRICS
from tabular_automl.ensemble.pool import Pool

MakePool = Callable[..., Pool]


@pytest.fixture
def make_pool() -> MakePool:
    return simulated_pool


@pytest.fixture
def many_classes() -> Callable[[str, int, int, int], Pool]:
    """Candidates of equal quality for a target of many classes."""

    def make(name: str, n_rows: int, n_candidates: int, n_classes: int) -> Pool:
        rng = np.random.default_rng(0)
        y = rng.integers(0, n_classes, n_rows).astype(float)
        shares = rng.random((n_candidates, n_rows, n_classes)) + 0.4 * np.eye(n_classes)[y.astype(int)]
        return Pool.of(shares / shares.sum(axis=2, keepdims=True), y, None, METRICS[name])

    return make


def simulated_pool(name: str, n_rows: int = 300, n_candidates: int = 6, seed: int = 0) -> Pool:
    """Candidates of decreasing quality for the metric's own task, with weights."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n_rows)
    noise = rng.normal(size=(n_candidates, n_rows)) * np.linspace(0.6, 1.4, n_candidates)[:, None]
    predictions: FloatArray = truth + noise
    y = truth
    if name not in {"rmse", "mse", "mae", "r2"}:
        y = (rng.random(n_rows) < 1 / (1 + np.exp(-2 * truth))).astype(float)
        predictions = 1 / (1 + np.exp(-predictions))
    return Pool.of(predictions[..., None], y, rng.uniform(0.5, 2, n_rows), METRICS[name])
