from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from tabular_automl.core.options import Options
from tabular_automl.ingest import ingest

N = 2000


def given_away(columns: Mapping[str, object], target: object) -> list[str | None]:
    problem = ingest(pd.DataFrame({**columns, "y": target}), Options(target="y"))
    return [finding.column for finding in problem.findings if finding.check == "gives_target_away"]


@pytest.fixture
def signal(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=N)


def test_columns_that_tell_a_class(signal: np.ndarray, rng: np.random.Generator) -> None:
    y = np.where(signal > 0.5, "yes", "no")
    names = np.where(signal > 0.5, rng.choice(["a", "b"], N), rng.choice(["c", "d"], N))
    gone = np.where(signal > 0.5, signal, np.nan)
    columns = {"score": signal, "name": names, "gone": gone, "good": signal + rng.normal(size=N) / 3}
    assert given_away(columns, y) == ["score", "name", "gone"]


def test_rare_positives(signal: np.ndarray, rng: np.random.Generator) -> None:
    y = (signal > 2).astype(int)
    assert given_away({"score": signal, "noise": rng.normal(size=N)}, y) == ["score"]


def test_columns_that_tell_a_value(signal: np.ndarray, rng: np.random.Generator) -> None:
    columns = {"cubed": signal**3, "minus": -signal, "good": signal + rng.normal(size=N) / 4}
    assert given_away(columns, np.exp(signal)) == ["cubed", "minus"]


def test_many_classes(rng: np.random.Generator) -> None:
    y = rng.integers(0, 6, N)
    names = np.array(list("uvwxyz"))[y]
    assert given_away({"name": names, "noise": rng.integers(0, 6, N).astype(str)}, y) == ["name"]


def test_nearly_distinct_texts_tell_nothing(rng: np.random.Generator) -> None:
    texts = [f"v{i}" for i in rng.integers(0, 3 * N, N)]
    assert given_away({"text": texts, "x": rng.normal(size=N)}, rng.integers(0, 2, N)) == []


@pytest.mark.parametrize("n", [15, 60, 399])
def test_a_copy_of_the_target_is_found_in_small_tables(n: int, rng: np.random.Generator) -> None:
    y = rng.normal(size=n)
    gone = np.where(rng.random(n) < 0.3, np.nan, y)
    columns = {"copy": 3 * y + 7, "minus": -(y**3), "gone": gone, "good": y + rng.normal(size=n) / 3}
    assert given_away(columns, y) == ["copy", "minus", "gone"]


def test_few_rows_in_order_are_chance(rng: np.random.Generator) -> None:
    y = rng.normal(size=40)
    few = np.where(np.arange(40) < 5, y, np.nan)
    assert given_away({"few": few, "flag": (y > 0).astype(int)}, y) == []
