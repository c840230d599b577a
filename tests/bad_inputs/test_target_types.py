"""Targets of every type: labels come back as what they were."""

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from bad_input_rows import FIT, PREDICT, SCORE, covers  # type: ignore[import-not-found]
from front_door import found, small_table  # type: ignore[import-not-found]

N = 80
TABLE = small_table()
IS_DEAR = TABLE["label"] == "dear"
THREE = pd.Series(np.select([TABLE["size"] < -0.5, TABLE["size"] > 0.5], [0, 2], 1))
ORDERED = pd.CategoricalDtype(["x", "c", "b", "a"], ordered=True)

LABELS: dict[str, Any] = {
    "bool": IS_DEAR,
    "boolean": IS_DEAR.astype("boolean"),
    "Arrow bool": IS_DEAR.astype("bool[pyarrow]"),
    "bool objects": IS_DEAR.astype(object),
    "strings": TABLE["label"],
    "string objects": TABLE["label"].astype(object),
    "string[python]": TABLE["label"].astype("string[python]"),
    "string[pyarrow]": TABLE["label"].astype("string[pyarrow]"),
    "Arrow strings": TABLE["label"].astype(pd.ArrowDtype(pa.string())),
    "category": TABLE["label"].astype("category"),
    "unused levels": TABLE["label"].astype(pd.CategoricalDtype(["dear", "never", "cheap"])),
    "ordered levels": THREE.map({0: "a", 1: "b", 2: "c"}).astype(ORDERED),
    "numeric levels": THREE.astype(pd.CategoricalDtype([2, 0, 1, 7])),
    "Int64": THREE.astype("Int64"),
    "Arrow integers": THREE.astype("int64[pyarrow]"),
    "{1,2}": IS_DEAR + 1,
    "{-1,1}": IS_DEAR.astype("int8") * 2 - 1,
    "{0,255}": IS_DEAR.astype("uint8") * 255,
    "two floats": IS_DEAR.astype("float32") + 0.5,
    "gaps": THREE.map({0: 1, 1: 5, 2: 9}),
    "numeric strings": THREE.astype(str),
    "numbers and text": IS_DEAR.map({True: 1, False: "a"}).astype(object),
    "timedelta": pd.Series(pd.to_timedelta(np.where(IS_DEAR, 60, 1), unit="s")),
    "beyond floats": pd.Series(np.where(IS_DEAR, 2**60 + 1, 2**60)),
}


@covers("types of targets", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("kind", LABELS)
def test_labels_come_back_in_their_exact_type(door, kind: str) -> None:
    target = LABELS[kind].set_axis(range(100, 100 + N))
    table = TABLE.set_axis(target.index).assign(label=target)
    task = "multiclass" if kind == "gaps" else None
    model = door.fit(table, task=task)
    predicted = door.predict(model, table.drop(columns="label"))
    assert predicted.dtype == target.dtype
    assert predicted.index.equals(table.index)
    assert {type(label) for label in predicted.tolist()} <= {type(label) for label in target.tolist()}
    assert (predicted.astype(object) == target.astype(object)).mean() > 0.7
    assert list(model.predict_proba(table).columns) == list(model.classes_)
    if kind == "numbers and text":  # which Parquet cannot hold
        door.refuses_to_score(
            model, table.drop(columns="label"), "several types, which Parquet cannot hold(.|\n)*Write to .csv"
        )
        return
    np.testing.assert_allclose(
        door.score(model, table.drop(columns="label"))[0], door.numbers(model, table), rtol=1e-9
    )


@covers("types of targets", SCORE)
def test_a_file_of_predictions_holds_the_labels(door) -> None:
    from tabular_automl.scoring import score_file

    for kind in ("bool", "strings", "{-1,1}", "Int64", "beyond floats"):
        table = TABLE.assign(label=LABELS[kind])
        model = door.fit(table)
        for name in ("out.csv", "out.parquet"):
            out = door.path(name)
            score_file(model.run, door.file(table), out)
            written = pd.read_csv(out) if name == "out.csv" else pd.read_parquet(out)
            expected = door.predict(model, table).astype(object)
            assert written["predicted_label"].astype(object).tolist() == expected.tolist()


@covers("types of targets", FIT)
@pytest.mark.parametrize(
    ("target", "kind", "notice"),
    [
        pytest.param(THREE, "multiclass", ("ambiguous_task", "say task='regression'"), id="whole numbers"),
        pytest.param(THREE * 50, "regression", ("ambiguous_task", "say task='multiclass'"), id="gaps"),
        pytest.param(
            THREE.astype(str), "multiclass", ("ambiguous_task", "class labels"), id="numeric strings"
        ),
        pytest.param(
            TABLE["size"].round(2).astype(str),
            "regression",
            ("parsed_target", "text that reads as numbers"),
            id="text",
        ),
        pytest.param(
            TABLE["size"].map(lambda value: Decimal(str(round(value, 3)))),
            "regression",
            ("parsed_target", "holds Decimals; it is predicted in floats"),
            id="Decimal",
        ),
        pytest.param(
            pd.to_timedelta(TABLE["rooms"] * 60 + 1, unit="s"),
            "regression",
            ("parsed_target", "is a duration; it is predicted in seconds"),
            id="timedelta",
        ),
    ],
)
def test_a_rule_decides_with_a_notice(door, target: pd.Series, kind: str, notice: tuple[str, str]) -> None:
    model = door.fit(TABLE.drop(columns="rooms").assign(label=target))
    assert model.run.task.kind == kind
    assert notice[1] in found(model)[notice[0], "label"]


@covers("types of targets", FIT, PREDICT, SCORE)
@pytest.mark.parametrize(
    ("dtype", "back"),
    [("float32", "float32"), ("int64", "float64"), ("Int64", "Float64"), ("object", "float64")],
)
def test_600_floats_are_no_classes(door, dtype: str, back: str) -> None:
    """Even 600 floats are a quantity, whatever their type."""
    table = small_table(600)
    table["label"] = (table["size"] * 1_000 + table["rooms"]).round().astype(dtype)
    model = door.fit(table)
    assert model.run.task.kind == "regression"
    predicted = door.predict(model, table)
    assert str(predicted.dtype) == back
    assert np.corrcoef(predicted.astype(float), table["label"].astype(float))[0, 1] > 0.9
    np.testing.assert_allclose(door.score(model, table)[0], door.numbers(model, table), rtol=1e-6)


@covers("types of targets", FIT)
@pytest.mark.parametrize(
    ("target", "way_out"),
    [
        pytest.param([Decimal(1), Decimal(2)] * (N // 2), "floats, as by astype.float", id="Decimal"),
        pytest.param(pd.cut(TABLE["size"], 3), "text, as by astype.str", id="interval"),
    ],
)
def test_labels_that_could_not_come_back_are_refused(door, target: Any, way_out: str) -> None:
    door.refuses(TABLE.assign(label=target), f"which predictions cannot give back. Turn them into {way_out}")
