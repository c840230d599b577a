"""The tables in datasets/ are what their registry says."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

FOLDER = Path(__file__).parent.parent / "datasets"
REGISTRY: list[dict[str, Any]] = json.loads((FOLDER / "registry.json").read_text(encoding="utf-8"))
FILES = [
    {"target": None, **entry.get("new_rows", entry)} for entry in REGISTRY if "new_rows" in entry
] + REGISTRY
MAX_BYTES = 1_000_000

each_table = pytest.mark.parametrize("entry", REGISTRY, ids=lambda entry: entry["name"])
each_file = pytest.mark.parametrize("entry", FILES, ids=lambda entry: entry["file"])


def read(file: str) -> pd.DataFrame:
    path = FOLDER / file
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


@each_file
def test_file_has_the_registered_hash_and_is_small(entry: dict[str, Any]) -> None:
    content = (FOLDER / entry["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert len(content) <= MAX_BYTES


@each_file
def test_file_has_the_registered_shape(entry: dict[str, Any]) -> None:
    assert read(entry["file"]).shape == (entry["rows"], entry["columns"])


@each_table
def test_target_fits_the_registered_task(entry: dict[str, Any]) -> None:
    target = read(entry["file"])[entry["target"]]
    assert target.notna().all()
    if entry["task"] == "regression":
        assert pd.api.types.is_numeric_dtype(target)
        assert target.nunique() > 20
    else:
        assert (target.nunique() == 2) == (entry["task"] == "binary")


@each_table
def test_source_and_licence_are_given(entry: dict[str, Any]) -> None:
    assert entry["source"]
    assert entry["preparation"]
    attribution = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert entry["licence"] in attribution
    assert entry["source"] in attribution
    assert entry["file"] in attribution


@pytest.mark.parametrize("entry", [e for e in REGISTRY if "new_rows" in e], ids=lambda entry: entry["name"])
def test_new_rows_have_all_columns_but_the_target(entry: dict[str, Any]) -> None:
    training, new = read(entry["file"]), read(entry["new_rows"]["file"])
    assert list(new.columns) == [column for column in training.columns if column != entry["target"]]


def test_every_file_is_registered() -> None:
    registered = {entry["file"] for entry in FILES} | {"README.md", "registry.json"}
    assert {path.name for path in FOLDER.iterdir()} == registered


def test_every_task_kind_is_there() -> None:
    assert {entry["task"] for entry in REGISTRY} == {"binary", "multiclass", "regression"}


def test_one_table_has_strings_missing_values_and_dates() -> None:
    metro = read("metro_traffic.csv")
    assert metro["weather_main"].map(lambda value: isinstance(value, str)).all()
    assert metro["holiday"].isna().any()
    assert pd.to_datetime(metro["date_time"]).is_monotonic_increasing
