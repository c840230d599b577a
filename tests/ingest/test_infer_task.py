from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tabular_automl.core.errors import InputError
from tabular_automl.core.options import Options
from tabular_automl.core.schema import Finding, Severity
from tabular_automl.core.task import Task, TaskKind
from tabular_automl.ingest.infer_task import infer_task

N = 60


def infer(values: Any, **options: Any) -> tuple[Task, np.ndarray, tuple[Finding, ...]]:
    series = values if isinstance(values, pd.Series) else pd.Series(values)
    return infer_task(series, Options(target="y", **options))


LABELS = [
    pd.Series([True, False] * 9),
    pd.Series([True, False] * 9, dtype="boolean"),
    pd.Series([True, False] * 9, dtype="bool[pyarrow]"),
    pd.Series([True, False] * 9, dtype=object),
    pd.Series(["b", "a", "c"] * 6),
    pd.Series(["b", "a", "c"] * 6, dtype=object),
    pd.Series(["b", "a", "c"] * 6, dtype="string[python]"),
    pd.Series(["b", "a", "c"] * 6, dtype="string[pyarrow]"),
    pd.Series(["b", "a", "c"] * 6, dtype="str"),
    pd.Series(["b", "a", "c"] * 6, dtype=pd.ArrowDtype(pa.string())),
    pd.Series(["b", "a", "c"] * 6, dtype=pd.ArrowDtype(pa.large_string())),
    pd.Series(["b", "a", "c"] * 6, dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))),
    pd.Series(["b", "a", "c"] * 6, dtype="category"),
    pd.Series(pd.Categorical(["b", "a"] * 9, categories=["b", "unused", "a"], ordered=True)),
    pd.Series(pd.Categorical([2, 7, 9] * 6, categories=[9, 7, 2, 1])),
    pd.Series(pd.Categorical([True, False] * 9)),
    pd.Series([1, 2] * 9),
    pd.Series([-1, 1] * 9, dtype="int8"),
    pd.Series([3, 1, 4] * 6, dtype="Int64"),
    pd.Series([3, 1, 4] * 6, dtype="int64[pyarrow]"),
    pd.Series([0.0, 1.0] * 9, dtype="float32"),
    pd.Series([0.5, 1.5] * 9),
    pd.Series(["1", "2"] * 9),
    pd.Series(["x", 1] * 9, dtype=object),
]


@pytest.mark.parametrize("series", LABELS, ids=lambda s: f"{s.dtype}-{s.iloc[0]}")
def test_labels_come_back_in_their_exact_type(series: pd.Series) -> None:
    series.index = pd.Index(range(100, 100 + len(series)), name="row")
    task, y, _ = infer(series)
    assert task.kind.is_classification
    assert set(y) == set(range(len(task.classes)))
    back = task.labels(y.astype(np.intp), series.index)
    pd.testing.assert_series_equal(back, series, check_names=False)
    assert back.dtype == series.dtype
    assert [type(label) for label in back.tolist()] == [type(label) for label in series.tolist()]


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (pd.cut(pd.Series(range(30)), 3), "labels of type Interval such as .* as by astype.str"),
        (pd.qcut(pd.Series(range(30)), 2), "labels of type Interval"),
        (
            pd.Series([Decimal("0.5"), Decimal("1.5")] * 9),
            "labels of type Decimal such as '0.5'.*astype.float",
        ),
        (pd.Series([Decimal(1), Decimal(2)] * 9, dtype="category"), "labels of type Decimal"),
        (pd.Series([UUID(int=1), UUID(int=2)] * 9), "labels of type UUID"),
    ],
    ids=["cut", "qcut", "Decimal", "Decimal category", "UUID"],
)
def test_labels_that_could_not_come_back_are_refused(series: pd.Series, message: str) -> None:
    with pytest.raises(InputError, match=f"Target 'y' has {message}"):
        infer(series)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float32", "float32"),
        ("Float32", "Float32"),
        ("float[pyarrow]", "float[pyarrow]"),
        ("int16", "float64"),
        ("UInt8", "Float64"),
        ("int8[pyarrow]", "double[pyarrow]"),
        ("object", "float64"),
        ("Sparse[int64]", "float64"),
    ],
)
def test_values_are_predicted_as_floats_of_the_targets_family(dtype: str, expected: str) -> None:
    task, _, _ = infer(pd.Series(range(N), dtype=pd.api.types.pandas_dtype(dtype)), task="regression")
    assert task.target_type.dtype == expected
    assert str(task.values(np.array([0.5]), pd.RangeIndex(1)).dtype) == expected


def test_classes_are_sorted_and_the_positive_class_is_the_last() -> None:
    assert infer(["yes", "no"] * 9)[0].classes == ("no", "yes")
    assert infer([1, -1] * 9)[0].classes == (-1, 1)
    assert infer([True, False] * 9)[0].classes == (False, True)
    assert infer([10, 9, 2] * 9, task="multiclass")[0].classes == (2, 9, 10)
    ordered = pd.Categorical(["low", "high"] * 9, categories=["low", "high"], ordered=True)
    assert infer(ordered)[0].classes == ("low", "high")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.arange(N) % 2, TaskKind.BINARY),
        (np.arange(N) % 2 + 0.25, TaskKind.BINARY),
        (np.linspace(0, 1, N), TaskKind.REGRESSION),
        (np.arange(N), TaskKind.REGRESSION),
        (np.arange(N) % 3, TaskKind.MULTICLASS),
        (np.arange(N) % 3 * 100, TaskKind.REGRESSION),
        (np.arange(N) % 20, TaskKind.REGRESSION),
        ([str(value) for value in np.linspace(0, 1, N)], TaskKind.REGRESSION),
        ([f"{value},5" for value in range(N)], TaskKind.REGRESSION),
        (["a", "b", "c"] * 20, TaskKind.MULTICLASS),
        (pd.Series(np.arange(N) % 20, dtype="category"), TaskKind.MULTICLASS),
        ([Decimal(i) / 7 for i in range(N)], TaskKind.REGRESSION),
        (pd.to_timedelta(np.arange(N), unit="s"), TaskKind.REGRESSION),
    ],
)
def test_kinds(values: Any, kind: TaskKind) -> None:
    assert infer(values)[0].kind is kind


@pytest.mark.parametrize("n_distinct", [3, 10, 11, 40])
def test_an_integer_target_that_could_be_either_gets_a_loud_notice(n_distinct: int) -> None:
    task, _, (notice,) = infer(np.arange(200) % n_distinct)
    assert (notice.check, notice.severity, notice.column) == ("ambiguous_task", Severity.NOTICE, "y")
    assert f"{n_distinct} distinct whole numbers from 0 to {n_distinct - 1}" in notice.message
    other = "multiclass" if task.kind is TaskKind.REGRESSION else "regression"
    assert f"task='{other}'" in notice.way_out
    assert f"task='{task.kind}'" in notice.way_out


def test_no_notice_where_there_is_no_doubt() -> None:
    for values in (np.arange(N) % 2, ["a", "b", "c"] * 20, np.arange(200), np.linspace(0, 1, N)):
        assert infer(values)[2] == ()
    assert infer(np.arange(N) % 3, task="multiclass")[2] == ()
    assert infer(np.arange(N) % 3, metric="rmse")[2] == ()


def test_task_and_metric_decide() -> None:
    assert infer(np.arange(N) % 3, task="regression")[0].kind is TaskKind.REGRESSION
    assert infer(np.arange(N) % 20, task="classification")[0].kind is TaskKind.MULTICLASS
    assert infer(np.arange(N) % 20, metric="accuracy")[0].kind is TaskKind.MULTICLASS
    assert infer(np.arange(N) % 3, metric="rmse")[0].kind is TaskKind.REGRESSION
    assert infer(np.arange(N) % 2, task="multiclass")[0].kind is TaskKind.BINARY
    assert infer(["1", "2", "3"] * 20, task="regression")[1].tolist() == [1.0, 2.0, 3.0] * 20
    assert infer(np.arange(N) % 2)[0].metric == "roc_auc"


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (["a", "b"] * 9, {"task": "regression"}, "text such as 'a'; regression needs numbers"),
        ([1, 2, 3] * 9, {"task": "binary"}, "3 distinct values; a binary task needs 2"),
        (np.linspace(0, 1, 600), {"task": "multiclass"}, "600 distinct values in 600 rows: too many"),
        ([f"x{i}" for i in range(30)], {}, "30 distinct values in 30 rows: too many"),
        ([1, 2, 3] * 9, {"task": "regresion"}, "Did you mean 'regression'"),
        ([1, 2] * 9, {"metric": "auc"}, "Did you mean 'roc_auc'"),
        (["a", "b"] * 9, {"metric": "rmse"}, "not defined for binary"),
        (pd.date_range("2020", periods=20), {}, "points in time"),
    ],
)
def test_what_cannot_be_predicted_is_refused(values: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        infer(values, **options)


@pytest.mark.parametrize(
    ("dtype", "back"),
    [
        ("int64", "float64"),
        ("float32", "float32"),
        ("float64", "float64"),
        ("Int64", "Float64"),
        ("Float32", "Float32"),
        ("int64[pyarrow]", "double[pyarrow]"),
        ("double[pyarrow]", "double[pyarrow]"),
        (object, "float64"),
    ],
)
def test_predicted_values_keep_the_family_of_floats(dtype: Any, back: str) -> None:
    task, y, _ = infer(pd.Series(np.arange(100), dtype=dtype))
    assert task.target_type.dtype == back
    assert y.dtype == np.float64
    assert task.classes == ()


def test_text_that_reads_as_numbers_is_noticed() -> None:
    _, _, (notice,) = infer([f"${i},5" for i in range(N)])
    assert notice.check == "parsed_target"
