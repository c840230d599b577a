"""Small real tables as `X` and `y`, and estimators that fit in a fraction of a second."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tabular_automl import TabularClassifier, TabularRegressor

Table = tuple[pd.DataFrame, "pd.Series[Any]"]
Make = Callable[..., Any]

QUICK: dict[str, Any] = {"max_candidates": 1, "families": ("linear",), "n_jobs": 1}


def _rows(frame: pd.DataFrame, target: str, n_rows: int) -> Table:
    """Return rows in random order under an index of their own."""
    frame = frame.sample(n_rows, random_state=0)
    return frame.drop(columns=target), frame[target]


@pytest.fixture
def iris(root) -> Table:
    return _rows(pd.read_csv(root / "datasets" / "iris.csv"), "species", 90)


@pytest.fixture
def cancer(root) -> Table:
    frame = pd.read_csv(root / "datasets" / "breast_cancer.csv.gz")
    return _rows(frame[[*frame.columns[:8], "diagnosis"]], "diagnosis", 160)


@pytest.fixture
def adult(root) -> Table:
    return _rows(pd.read_parquet(root / "datasets" / "adult_income.parquet"), "income", 240)


@pytest.fixture
def diabetes(root) -> Table:
    return _rows(pd.read_csv(root / "datasets" / "diabetes.csv"), "disease_progression", 160)


@pytest.fixture
def classifier() -> Make:
    """Make a quick classifier, with whatever parameters are given changed."""
    return lambda **changes: TabularClassifier(**{**QUICK, **changes})


@pytest.fixture
def regressor() -> Make:
    """Make a quick regressor, with whatever parameters are given changed."""
    return lambda **changes: TabularRegressor(**{**QUICK, **changes})


@pytest.fixture
def numbers() -> tuple[np.ndarray, np.ndarray]:
    """60 rows of three numbers, and truth values that the first one tells."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    return X, X[:, 0] > 0
