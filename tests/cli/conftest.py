"""A small table on disk and the model the command line fits on it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tabular_automl.cli import main


@pytest.fixture(scope="session")
def train(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    rooms = rng.integers(1, 9, 120)
    city = rng.choice(["Köln", "Bonn"], 120)
    price = 3.0 * rooms + 5.0 * (city == "Köln") + rng.normal(0, 1, 120)
    frame = pd.DataFrame({"id": np.arange(120), "rooms": rooms, "city": city, "price": price.round(2)})
    path = tmp_path_factory.mktemp("cli") / "train rows.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def model(train: Path) -> Path:
    out = train.with_name("price_model")
    arguments = ["fit", str(train), "--target", "price", "--out", str(out), "--max-candidates", "2"]
    assert main([*arguments, "--n-jobs", "1", "--quiet"]) == 0
    return out
