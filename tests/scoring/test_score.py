from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tabular_automl as ta
from tabular_automl.core.errors import InputError, SchemaError
from tabular_automl.core.run import Run
from tabular_automl.core.schema import SchemaReport
from tabular_automl.core.task import TargetType, TaskKind, dtype_named, value_type
from tabular_automl.scoring import predict, predict_proba
from tabular_automl.scoring.score import labels_of

RunFor = Callable[[TaskKind], Run]

AWKWARD_ROWS = st.fixed_dictionaries(
    {
        "rooms": st.one_of(st.integers(-5, 50), st.none(), st.sampled_from(["3", "many", "", "1,000"])),
        "area": st.one_of(st.floats(allow_infinity=True), st.none(), st.sampled_from(["12.5", "n/a", "inf"])),
        "city": st.one_of(st.sampled_from(["Köln", "Bonn", "Rom", ""]), st.none(), st.integers(0, 3)),
        "garden": st.one_of(st.booleans(), st.none(), st.sampled_from(["yes", "True", "0", "?"])),
        "built": st.one_of(
            st.datetimes(
                min_value=pd.Timestamp("1900-01-01").to_pydatetime(),
                max_value=pd.Timestamp("2100-01-01").to_pydatetime(),
            ).map(lambda moment: moment.replace(microsecond=0)),
            st.none(),
            st.sampled_from(["2001-02-03", "soon"]),
        ),
    }
)


def numbers(run: Run, frame: Any) -> np.ndarray:
    """Predictions as numbers: probabilities, or values of a regression."""
    if run.task.kind is TaskKind.REGRESSION:
        return predict(run, frame)[0].to_numpy()[:, None]
    return predict_proba(run, frame)[0].to_numpy()


def counted(report: SchemaReport) -> dict[tuple[str, str], int]:
    return {(deviation.column, deviation.what): deviation.n_rows for deviation in report.deviations}


@pytest.mark.parametrize("kind", TaskKind)
@given(drawn=st.lists(AWKWARD_ROWS, min_size=1, max_size=5))
@settings(max_examples=15, deadline=None)
def test_one_row_and_a_batch_agree(run_for: RunFor, kind: TaskKind, drawn: list[dict[str, Any]]) -> None:
    run = run_for(kind)
    batch = pd.DataFrame({name: pd.Series([row[name] for row in drawn], dtype=object) for name in drawn[0]})
    together = numbers(run, batch)
    alone = np.vstack([numbers(run, batch.iloc[[i]]) for i in range(len(batch))])
    np.testing.assert_allclose(alone, together, rtol=1e-9)


@pytest.mark.parametrize("kind", TaskKind)
def test_typed_rows_and_their_batch_agree(run_for: RunFor, kind: TaskKind, rows: pd.DataFrame) -> None:
    run = run_for(kind)
    together = numbers(run, rows)
    assert len(np.unique(together, axis=0)) > 5
    for i in range(len(rows)):
        np.testing.assert_allclose(numbers(run, rows.iloc[[i]]), together[[i]], rtol=1e-9)
    for i in (0, 7):  # a row as one gets it from a service: types fall back to what the values are
        alone = pd.DataFrame([rows.iloc[i].to_dict()])
        np.testing.assert_allclose(numbers(run, alone), together[[i]], rtol=1e-9)


def test_all_missing_columns_are_named_in_one_error(run: Run, rows: pd.DataFrame) -> None:
    with pytest.raises(SchemaError, match=r"(?s)'rooms'.*'city'"):
        predict(run, rows.drop(columns=["city", "rooms"]))


def test_order_and_extra_columns_do_not_matter(run: Run, rows: pd.DataFrame) -> None:
    shuffled = rows[rows.columns[::-1]].assign(surprise=1)
    np.testing.assert_array_equal(numbers(run, shuffled), numbers(run, rows))
    assert counted(predict(run, shuffled)[1]) == {("surprise", "extra_column"): 0}


def test_rows_like_training_have_an_empty_report(run: Run, rows: pd.DataFrame) -> None:
    assert predict(run, rows)[1] == SchemaReport(len(rows))


def test_unseen_categories_count_as_missing(run: Run, rows: pd.DataFrame) -> None:
    unseen = rows.assign(city=rows["city"].where(rows.index >= 4, "Atlantis"))
    missing = rows.assign(city=rows["city"].where(rows.index >= 4))
    np.testing.assert_array_equal(numbers(run, unseen), numbers(run, missing))
    report = predict(run, unseen)[1]
    assert counted(report) == {("city", "unseen_category"): 4}
    assert report.deviations[0].examples == ("Atlantis",)


def test_missing_where_none_was_is_counted(run: Run, rows: pd.DataFrame) -> None:
    rows["rooms"] = rows["rooms"].where(rows.index >= 3)
    assert counted(predict(run, rows)[1])["rooms", "new_missing"] == 3
    assert np.isfinite(numbers(run, rows)).all()


@pytest.mark.parametrize(
    "changed",
    [
        {"rooms": "str", "area": "str"},
        {"rooms": "float64"},
        {"rooms": "Int8", "area": "Float32"},
        {"city": "category", "garden": "boolean"},
        {"city": "object", "garden": "object", "rooms": "object"},
        {"rooms": "int64[pyarrow]", "city": "string[pyarrow]"},
        {"built": "str"},
    ],
    ids=str,
)
def test_changed_types_are_converted(run: Run, rows: pd.DataFrame, changed: dict[str, str]) -> None:
    rows["area"] = rows["area"].astype("float32").astype("float64")
    np.testing.assert_array_equal(numbers(run, rows.astype(changed)), numbers(run, rows))


def test_text_among_numbers_is_counted(run: Run, rows: pd.DataFrame) -> None:
    rows["rooms"] = rows["rooms"].astype(object)
    rows.loc[[0, 5], "rooms"] = "a few"
    report = counted(predict(run, rows)[1])
    assert report["rooms", "unparseable"] == 2


def test_infinities_are_counted(run: Run, rows: pd.DataFrame) -> None:
    rows.loc[[0, 1], "area"] = [np.inf, -np.inf]
    assert counted(predict(run, rows)[1]) == {("area", "infinite"): 2}


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(["b", "a", "b"], name="key"),
        pd.MultiIndex.from_tuples([(1, "x"), (1, "y"), (1, "x")], names=["n", "t"]),
        pd.date_range("2024-01-01", periods=3, tz="UTC"),
    ],
    ids=["duplicates", "levels", "dates"],
)
def test_the_index_is_kept(run: Run, rows: pd.DataFrame, index: pd.Index) -> None:
    three = rows.head(3).set_axis(index, axis=0)
    labels, _ = predict(run, three)
    pd.testing.assert_index_equal(labels.index, index)
    pd.testing.assert_index_equal(predict_proba(run, three)[0].index, index)
    assert labels.name == "price"


def test_the_frame_is_not_changed(run: Run, rows: pd.DataFrame) -> None:
    before = rows.copy(deep=True)
    predict(run, rows)
    pd.testing.assert_frame_equal(rows, before)


@pytest.mark.parametrize("kind", TaskKind)
def test_no_rows_give_an_empty_result_of_the_same_type(
    run_for: RunFor, kind: TaskKind, rows: pd.DataFrame
) -> None:
    run = run_for(kind)
    some, _ = predict(run, rows)
    none, report = predict(run, rows.head(0))
    assert report.n_rows == 0
    pd.testing.assert_series_equal(none, some.head(0))
    if kind.is_classification:
        pd.testing.assert_frame_equal(
            predict_proba(run, rows.head(0))[0], predict_proba(run, rows)[0].head(0)
        )


@pytest.mark.parametrize("kind", [TaskKind.BINARY, TaskKind.MULTICLASS])
def test_probabilities_have_a_column_a_class(run_for: RunFor, kind: TaskKind, rows: pd.DataFrame) -> None:
    run = run_for(kind)
    probabilities, _ = predict_proba(run, rows)
    assert tuple(probabilities.columns) == run.task.classes
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    labels, _ = predict(run, rows)
    assert list(labels) == list(probabilities.idxmax(axis=1))


def test_a_regression_has_no_probabilities(run_for: RunFor, rows: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"'price' is a number .* Use predict instead"):
        predict_proba(run_for(TaskKind.REGRESSION), rows)


def test_polars_frames_are_scored(run: Run, rows: pd.DataFrame) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.from_pandas(rows)
    np.testing.assert_array_equal(numbers(run, frame), numbers(run, rows))


@pytest.mark.parametrize(
    ("target", "classes"),
    [
        (TargetType("bool"), (False, True)),
        (TargetType("boolean"), (False, True)),
        (TargetType("int64"), (-1, 1)),
        (TargetType("uint8"), (1, 2)),
        (TargetType("Int64"), (1, 2)),
        (TargetType("int32[pyarrow]"), (1, 2)),
        (TargetType("float32"), (0.5, 1.5)),
        (TargetType("object"), ("a", "b")),
        (TargetType("string"), ("a", "b")),
        (TargetType("string[pyarrow]"), ("a", "b")),
        (TargetType("string[python]"), ("a", "b")),
        (TargetType("arrow:string"), ("a", "b")),
        (TargetType("category", ("a", "unused", "b"), "object", ordered=True), ("a", "b")),
        (TargetType("category", (3, 1, 2), "int64"), (1, 2)),
    ],
    ids=lambda value: value.dtype if isinstance(value, TargetType) else None,
)
def test_labels_have_the_exact_type_of_the_target(
    run: Run, target: TargetType, classes: tuple[Any, ...]
) -> None:
    task = replace(run.task, target_type=target, classes=classes)
    labels = labels_of(task, np.array([[0.1], [0.9], [0.2]]), pd.RangeIndex(3))
    assert list(labels) == [classes[0], classes[1], classes[0]]
    if target.categories is None:
        assert labels.dtype == dtype_named(target.dtype)
    else:
        assert list(labels.cat.categories) == list(target.categories)
        assert labels.cat.ordered == target.ordered
    probabilities = predict_proba(replace(run, task=task), pd.DataFrame(columns=run_columns(run)))[0]
    assert list(probabilities.columns) == list(classes)


def run_columns(run: Run) -> list[Any]:
    return [column.name for column in run.schema]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float32", "float32"),
        ("Float64", "Float64"),
        ("double[pyarrow]", "double[pyarrow]"),
        ("int64", "float64"),
        ("Int32", "Float64"),
        ("int16[pyarrow]", "double[pyarrow]"),
        ("object", "float64"),
    ],
)
def test_values_of_a_regression_keep_float_types(run_for: RunFor, dtype: str, expected: str) -> None:
    task = replace(run_for(TaskKind.REGRESSION).task, target_type=value_type(dtype_named(dtype)))
    assert str(labels_of(task, np.array([[1.5]]), pd.RangeIndex(1)).dtype) == expected


@pytest.mark.parametrize(
    "target",
    [
        pd.Series([True, False] * 30),
        pd.Series(["no", "yes"] * 30, dtype="string"),
        pd.Series(pd.Categorical(["b", "a"] * 30, categories=["b", "never", "a"], ordered=True)),
        pd.Series([2, 1] * 30, dtype="Int64"),
    ],
    ids=["bool", "string", "category", "Int64"],
)
def test_the_type_survives_a_whole_fit(target: "pd.Series[Any]") -> None:
    frame = pd.DataFrame({"x": np.arange(60) % 2 + np.linspace(0, 0.5, 60), "y": target})
    model = ta.fit(frame, "y", task="binary", max_candidates=1, n_jobs=1, progress=False)
    labels = model.predict(frame)
    assert labels.dtype == target.dtype
    assert (labels.astype(object) == target.astype(object)).mean() > 0.9
