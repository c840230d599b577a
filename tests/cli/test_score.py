from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tabular_automl as ta
from tabular_automl.cli import main
from tabular_automl.cli.score import schema_report_text
from tabular_automl.core.schema import Deviation, SchemaReport


def test_a_file_is_scored_and_the_schema_report_printed(
    train: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pd.read_csv(train).drop(columns="price")
    rows.loc[:1, "city"] = "Rom"
    rows.to_parquet(tmp_path / "rows.parquet")
    arguments = ["score", str(model), str(tmp_path / "rows.parquet"), "--out", str(tmp_path / "out.csv")]
    assert main([*arguments, "--keep", "id", "--chunk-rows", "50"]) == 0
    out = pd.read_csv(tmp_path / "out.csv")
    assert out["id"].tolist() == rows["id"].tolist()
    np.testing.assert_allclose(out["predicted_price"], ta.load(model).predict(rows), rtol=1e-9)
    printed = capsys.readouterr().out
    assert "Scored 120 rows" in printed
    assert "city: 2 rows with a category not seen in training (such as 'Rom')" in printed


def test_quiet_prints_nothing(
    train: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(model), str(train), "--out", str(tmp_path / "out.csv.gz"), "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert len(pd.read_csv(tmp_path / "out.csv.gz")) == 120


def test_too_many_deviations_end_with_2(
    train: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pd.read_csv(train).assign(city="Rom").to_csv(tmp_path / "rows.csv", index=False)
    arguments = ["score", str(model), str(tmp_path / "rows.csv"), "--out", str(tmp_path / "out.csv")]
    assert main([*arguments, "--max-deviating-share", "0.5"]) == 2
    assert "Column 'city': 100.0% of 120 rows" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_a_damaged_model_ends_with_3(
    train: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (model / "run.npz").read_bytes()
    try:
        (model / "run.npz").write_bytes(whole[:-1])
        assert main(["score", str(model), str(train), "--out", str(tmp_path / "out.csv")]) == 3
    finally:
        (model / "run.npz").write_bytes(whole)
    assert "'run.npz'" in capsys.readouterr().err


def test_a_mistyped_model_ends_with_2(train: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", f"{model}s", str(train), "--out", str(train.with_name("out.csv"))]) == 2
    assert "Did you mean" in capsys.readouterr().err


def test_a_clean_report_says_so() -> None:
    assert schema_report_text(SchemaReport(3)) == "Schema: all rows fit what the model was trained on."


def test_the_most_frequent_deviation_comes_first() -> None:
    deviations = (Deviation("a", "extra_column", 0), Deviation("b", "unparseable", 7, ("x", "y")))
    lines = schema_report_text(SchemaReport(9, deviations)).splitlines()
    assert lines[1:] == [
        "  b: 7 rows that could not be read as the column's type (such as 'x', 'y')",
        "  a: not in training, ignored",
    ]
