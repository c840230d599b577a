"""Small tables with known structure, one for each task and difficulty; made the same way every time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.schema import Kind
from tabular_automl.core.seeds import derive_rng
from tabular_automl.core.table import Column, Table
from tabular_automl.core.task import TaskKind

CITIES = ("Aarhus", "Bergen", "Cádiz", "Delft")


@dataclass(frozen=True, eq=False)
class SmallProblem:
    """A canonical table with its target: class codes or values as float64, shape (n_rows,)."""

    table: Table
    y: FloatArray
    task: TaskKind
    n_outputs: int


def small_frame(task: TaskKind, n_rows: int = 160, seed: int = 0) -> pd.DataFrame:
    """Return a frame with numbers, categories, dates, missing cells and a learnable column ``target``.

    Columns: ``age`` and ``income`` (skewed, 10% missing), ``city`` (text levels, some missing), ``member``
    (bool), ``since`` (datetime). The target is ``"no"``/``"yes"``, ``"low"``/``"mid"``/``"high"`` or a float.
    """
    rng = derive_rng(seed, "small frame", str(task), n_rows)
    age = rng.integers(18, 80, n_rows).astype(np.float64)
    income = np.round(rng.lognormal(10.0, 0.8, n_rows), 2)
    city = rng.integers(0, len(CITIES), n_rows)
    member = rng.random(n_rows) < 0.4
    days = rng.integers(0, 1_500, n_rows)
    signal = (age - 49) / 18 + 0.8 * np.log(income / 22_000) + rng.normal(0, 0.7, n_rows)
    signal = signal + np.array([-1.0, 0.0, 0.5, 1.5])[city] + 0.7 * member
    city_names = np.array(CITIES, dtype=object)[city]
    city_names[rng.random(n_rows) < 0.05] = None
    frame = pd.DataFrame(
        {
            "age": age,
            "income": np.where(rng.random(n_rows) < 0.1, np.nan, income),
            "city": city_names,
            "member": member,
            "since": pd.Timestamp("2021-01-01") + pd.to_timedelta(days, unit="D"),
        }
    )
    return frame.assign(target=_target(signal, task))


def small_problem(task: TaskKind, n_rows: int = 160, seed: int = 0) -> SmallProblem:
    """Return `small_frame` as a canonical table with its target, without going through ingest."""
    frame = small_frame(task, n_rows, seed)
    codes = pd.Index(CITIES).get_indexer(pd.Index(frame["city"])).astype(np.int32)
    seconds = (frame["since"] - pd.Timestamp("1970-01-01")).dt.total_seconds()
    columns = (
        Column("c0", Kind.NUMERIC, np.asarray(frame["age"], dtype=np.float64)),
        Column("c1", Kind.NUMERIC, np.asarray(frame["income"], dtype=np.float64)),
        Column("c2", Kind.CATEGORICAL, codes, CITIES),
        Column("c3", Kind.BINARY, np.asarray(frame["member"], dtype=np.float64)),
        Column("c4", Kind.DATETIME, np.asarray(seconds, dtype=np.float64)),
    )
    labels = {"no": 0.0, "yes": 1.0, "low": 0.0, "mid": 1.0, "high": 2.0}
    target = frame["target"]
    y = np.asarray(target.map(labels) if task.is_classification else target, dtype=np.float64)
    return SmallProblem(Table(columns, n_rows), y, task, 3 if task is TaskKind.MULTICLASS else 1)


def small_frames() -> dict[str, Callable[[], pd.DataFrame]]:
    """Return makers of frames that trouble engines, by what is difficult; each has a column ``target``.

    >>> len(small_frames()["single_feature"]().columns)
    2
    """
    return {
        "binary": lambda: small_frame(TaskKind.BINARY),
        "multiclass": lambda: small_frame(TaskKind.MULTICLASS),
        "regression": lambda: small_frame(TaskKind.REGRESSION),
        "single_feature": lambda: small_frame(TaskKind.BINARY)[["age", "target"]],
        "all_missing_column": lambda: small_frame(TaskKind.BINARY).assign(empty=np.nan),
        "constant_column": lambda: small_frame(TaskKind.REGRESSION).assign(same=1),
        "infinite_values": lambda: small_frame(TaskKind.REGRESSION).assign(age=_with_infinities),
        "odd_names": lambda: small_frame(TaskKind.BINARY).rename(
            columns={"age": "a [<]", "city": '{"c": 1}'}
        ),
        "duplicate_index": lambda: small_frame(TaskKind.BINARY).set_axis(np.zeros(160, dtype=int)),
        "wide": _wide,
    }


def _target(signal: FloatArray, task: TaskKind) -> NDArray[Any]:
    if task is TaskKind.REGRESSION:
        values: NDArray[Any] = 100.0 + 25.0 * signal
        return values
    if task is TaskKind.BINARY:
        return np.where(signal > np.median(signal), "yes", "no").astype(object)
    thirds = np.digitize(signal, np.quantile(signal, [0.3, 0.7]))
    levels: NDArray[Any] = np.array(["low", "mid", "high"], dtype=object)[thirds]
    return levels


def _with_infinities(frame: pd.DataFrame) -> FloatArray:
    values = frame["age"].to_numpy(np.float64, copy=True)
    values[::17], values[1::23] = np.inf, -np.inf
    return values


def _wide() -> pd.DataFrame:
    rng = derive_rng(0, "wide frame")
    values = rng.normal(size=(40, 120))
    frame = pd.DataFrame(values, columns=[f"x{number}" for number in range(120)])
    return frame.assign(target=np.where(values[:, 0] + values[:, 1] > 0, "yes", "no"))
