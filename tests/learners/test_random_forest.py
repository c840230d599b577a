"""What is particular to random forests."""

import numpy as np
import pytest

from tabular_automl.core.fitting import Rows
from tabular_automl.learners.random_forest import RandomForest

ROWS = Rows(np.zeros((1_000, 1)), np.zeros(1_000))


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_rows_are_drawn_with_replacement(share):
    rng = np.random.default_rng(0)
    counts = RandomForest().tree_weight(ROWS, {"max_samples": share}, rng)
    assert counts is not None
    assert counts.sum() == round(share * 1_000)
    assert np.isclose((counts == 0).mean(), np.exp(-share), atol=0.05)
    again = RandomForest().tree_weight(ROWS, {"max_samples": share}, rng)
    assert (counts != again).any(), "each tree has a sample of its own"


def test_heavy_rows_are_drawn_more_often():
    weight = np.where(np.arange(1_000) < 500, 1.8, 0.2)
    weight[:10] = 0.0
    rng = np.random.default_rng(0)
    counts = RandomForest().tree_weight(Rows(ROWS.X, ROWS.y, weight), {"max_samples": 1.0}, rng)
    assert counts is not None
    assert counts[:10].sum() == 0
    assert np.isclose(counts[10:500].sum() / counts.sum(), 0.9, atol=0.03)
