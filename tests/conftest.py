"""Small tables that several rooms test on, drawn from one seed; each call gives a fresh frame.

What is in `support` is importable for the tests.
"""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(Path(__file__).parent / "support"))


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_as_in_a_terminal() -> Iterator[None]:
    """Hear Ctrl-C where the tests were started in the background, too: a shell has it ignored there."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def root() -> Path:
    """The top folder of the repository."""
    return ROOT


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def mixed_frame(rng: np.random.Generator) -> pd.DataFrame:
    """200 rows of numbers, strings and dates with missing values; targets `label`, `grade` and `price`."""
    n = 200
    area = rng.uniform(20, 200, n)
    district = rng.choice(["north", "south", "old town"], n)
    built = pd.Timestamp("1990-01-01") + pd.to_timedelta(rng.integers(0, 12_000, n), unit="D")
    price = 1000 * area + 20_000 * (district == "old town") + rng.normal(0, 5_000, n)
    frame = pd.DataFrame(
        {
            "area": area,
            "rooms": rng.integers(1, 7, n),
            "district": district,
            "built": built.strftime("%Y-%m-%d"),
            "label": np.where(price > np.median(price), "dear", "cheap"),
            "grade": pd.cut(price, 3, labels=["low", "middle", "high"]).astype(str),
            "price": price,
        }
    )
    frame.loc[rng.random(n) < 0.1, "area"] = np.nan
    frame.loc[rng.random(n) < 0.1, "district"] = None
    return frame


@pytest.fixture
def binary_frame(mixed_frame: pd.DataFrame) -> pd.DataFrame:
    """`mixed_frame` with the string target `label` alone."""
    return mixed_frame.drop(columns=["grade", "price"])


@pytest.fixture
def multiclass_frame(mixed_frame: pd.DataFrame) -> pd.DataFrame:
    """`mixed_frame` with the three-class target `grade` alone."""
    return mixed_frame.drop(columns=["label", "price"])


@pytest.fixture
def regression_frame(mixed_frame: pd.DataFrame) -> pd.DataFrame:
    """`mixed_frame` with the numeric target `price` alone."""
    return mixed_frame.drop(columns=["label", "grade"])
