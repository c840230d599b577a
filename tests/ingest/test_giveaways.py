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
