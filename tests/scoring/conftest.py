"""Small models fitted through the front door, one for each kind of target."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import tabular_automl as ta
from tabular_automl.core.run import Run
from tabular_automl.core.task import TaskKind

RunFor = Callable[[TaskKind], Run]


def make_rows(n_rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rooms = rng.integers(1, 9, n_rows)
    area = rng.uniform(20, 200, n_rows)
    city = rng.choice(["Köln", "Bonn", "Aachen"], n_rows)
    built = pd.Timestamp("1990-03-01") + pd.to_timedelta(rng.integers(0, 9000, n_rows), unit="D")
    frame = pd.DataFrame(
        {"rooms": rooms, "area": area, "city": city, "garden": rng.random(n_rows) < 0.4, "built": built}
    )
    frame.loc[rng.random(n_rows) < 0.1, "area"] = np.nan
    return frame


def with_target(rows: pd.DataFrame, kind: TaskKind) -> pd.DataFrame:
    value = 3.0 * rows["rooms"] + 0.1 * rows["area"].fillna(100) + 9.0 * (rows["city"] == "Köln")
    noisy = value + np.random.default_rng(9).normal(0, 2, len(rows))
    if kind is TaskKind.REGRESSION:
        return rows.assign(price=noisy)
    if kind is TaskKind.BINARY:
        return rows.assign(price=np.where(noisy > noisy.median(), "dear", "cheap"))
    return rows.assign(price=pd.qcut(noisy, 3, labels=["low", "middle", "high"]).astype(str))


@pytest.fixture(scope="session")
def run_for() -> RunFor:
    fitted: dict[TaskKind, Run] = {}

    def run(kind: TaskKind) -> Run:
        if kind not in fitted:
            table = with_target(make_rows(160, 0), kind)
            fitted[kind] = ta.fit(table, "price", max_candidates=2, n_jobs=1, progress=False).run
        return fitted[kind]

    return run


@pytest.fixture(scope="session")
def run(run_for: RunFor) -> Run:
    return run_for(TaskKind.BINARY)


@pytest.fixture
def rows() -> pd.DataFrame:
    return make_rows(60, 1)
