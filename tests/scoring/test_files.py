import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tabular_automl.core.errors import InputError, SchemaError
from tabular_automl.core.run import Run
from tabular_automl.core.schema import SchemaReport
from tabular_automl.core.task import TaskKind
from tabular_automl.scoring import ScoreOptions, files, predict, predict_proba, score_file

RunFor = Callable[[TaskKind], Run]


def counted(report: SchemaReport) -> dict[tuple[str, str], int]:
    return {(deviation.column, deviation.what): deviation.n_rows for deviation in report.deviations}


def write(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    return path


def read(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


@pytest.mark.parametrize("kind", TaskKind)
@pytest.mark.parametrize("source", ["rows.csv", "rows.csv.gz", "rows.parquet"])
@pytest.mark.parametrize("chunk_rows", [1000, 7])
def test_a_file_is_scored_like_its_frame(
    run_for: RunFor, kind: TaskKind, rows: pd.DataFrame, tmp_path: Path, *, source: str, chunk_rows: int
) -> None:
    run = run_for(kind)
    summary = score_file(
        run, write(rows, tmp_path / source), tmp_path / "out.parquet", ScoreOptions(chunk_rows=chunk_rows)
    )
    out = read(tmp_path / "out.parquet")["predicted_price"]
    expected = predict(run, rows)[0].rename("predicted_price")
    pd.testing.assert_series_equal(out, expected, rtol=1e-9, check_dtype=False)
    assert summary.n_rows == len(rows)
    assert summary.report.deviations == ()


@pytest.mark.parametrize("destination", ["out.csv", "out.csv.gz", "out.parquet"])
def test_every_format_holds_the_same(run: Run, rows: pd.DataFrame, tmp_path: Path, destination: str) -> None:
    source = write(rows, tmp_path / "rows.csv")
    score_file(
        run, source, tmp_path / destination, ScoreOptions(chunk_rows=25, proba=True, keep=("city", "rooms"))
    )
    out = read(tmp_path / destination)
    assert list(out.columns) == ["city", "rooms", "predicted_price", "probability_cheap", "probability_dear"]
    assert out["city"].tolist() == rows["city"].tolist()
    np.testing.assert_allclose(
        out.iloc[:, 3:].to_numpy(float), predict_proba(run, rows)[0].to_numpy(), rtol=1e-9
    )


def test_chunks_cannot_disagree_on_types(run: Run, rows: pd.DataFrame, tmp_path: Path) -> None:
    # Read chunk by chunk with guessed types, rooms would be int64, then float64, then text.
    text = rows.astype({"rooms": object})
    text.loc[30, "rooms"] = None
    text.loc[50, "rooms"] = "plenty"
    source = write(text, tmp_path / "rows.csv")
    whole = score_file(run, source, tmp_path / "whole.csv", ScoreOptions(proba=True))
    split = score_file(run, source, tmp_path / "split.csv", ScoreOptions(proba=True, chunk_rows=10))
    pd.testing.assert_frame_equal(read(tmp_path / "whole.csv"), read(tmp_path / "split.csv"), rtol=1e-9)
    assert counted(whole.report) == counted(split.report)
    assert counted(split.report)["rooms", "unparseable"] == 1


def test_deviations_are_counted_over_all_chunks(run: Run, rows: pd.DataFrame, tmp_path: Path) -> None:
    rows.loc[[0, 20, 40], "city"] = "Atlantis"
    source = write(rows, tmp_path / "rows.csv")
    summary = score_file(run, source, tmp_path / "out.csv", ScoreOptions(chunk_rows=10))
    assert counted(summary.report) == {("city", "unseen_category"): 3}


def test_too_many_deviations_write_nothing(run: Run, rows: pd.DataFrame, tmp_path: Path) -> None:
    rows.loc[:29, "city"] = "Atlantis"
    source = write(rows, tmp_path / "rows.csv")
    with pytest.raises(
        SchemaError, match=r"Column 'city': 50.0% of 60 rows .*unseen_category, such as 'Atlantis'"
    ):
        score_file(run, source, tmp_path / "out.csv", ScoreOptions(max_deviating_share=0.4))
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]
    score_file(run, source, tmp_path / "out.csv", ScoreOptions(max_deviating_share=0.5))


def test_a_source_without_rows_gives_typed_columns(run: Run, rows: pd.DataFrame, tmp_path: Path) -> None:
    for source in (
        write(rows.head(0), tmp_path / "rows.csv"),
        write(rows.head(0), tmp_path / "rows.parquet"),
    ):
        summary = score_file(run, source, tmp_path / "out.parquet", ScoreOptions(proba=True, keep=("rooms",)))
        assert summary.n_rows == 0
        out = read(tmp_path / "out.parquet")
        assert list(out.columns) == ["rooms", "predicted_price", "probability_cheap", "probability_dear"]
        assert len(out) == 0


def test_missing_columns_leave_no_file(run: Run, rows: pd.DataFrame, tmp_path: Path) -> None:
    source = write(rows.drop(columns=["area", "city"]), tmp_path / "rows.csv")
    with pytest.raises(SchemaError, match=r"(?s)'area'.*'city'"):
        score_file(run, source, tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_kept_keys_keep_their_type(run: Run, rows: pd.DataFrame, tmp_path: Path) -> None:
    keyed = rows.assign(key=pd.array([2**53 + 1, *range(58), None], dtype="Int64"))
    source = write(keyed, tmp_path / "rows.parquet")
    score_file(run, source, tmp_path / "out.parquet", ScoreOptions(chunk_rows=10, keep=("key",)))
    assert str(pq.read_schema(tmp_path / "out.parquet").field("key").type) == "int64"
    assert read(tmp_path / "out.parquet")["key"].iloc[1:59].tolist() == list(range(58))


def test_kept_text_is_copied_as_it_is(run: Run, rows: pd.DataFrame, tmp_path: Path) -> None:
    source = write(rows.assign(key=["00123", *["NA"] * 59]), tmp_path / "rows.csv")
    score_file(run, source, tmp_path / "out.csv", ScoreOptions(keep=("key",)))
    assert pd.read_csv(tmp_path / "out.csv", dtype=str, keep_default_na=False)["key"].tolist()[:2] == [
        "00123",
        "NA",
    ]


def test_the_output_is_checked_before_the_source_is_read(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        score_file(run, tmp_path / "no.csv", tmp_path / "nowhere" / "out.csv")


def test_a_missing_source_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.csv"):
        score_file(run, tmp_path / "no.csv", tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ScoreOptions(chunk_rows=0), "chunk_rows is 0"),
        (ScoreOptions(max_deviating_share=5), "must lie between 0 and 1"),
        (ScoreOptions(keep=("predicted_price",)), "'predicted_price' is kept"),
        (ScoreOptions(keep=("nothing",)), "Cannot keep 'nothing'"),
    ],
    ids=["chunk_rows", "share", "clash", "unknown"],
)
def test_options_that_make_no_sense_are_refused(
    run: Run, rows: pd.DataFrame, tmp_path: Path, *, options: ScoreOptions, message: str
) -> None:
    source = write(rows, tmp_path / "rows.csv")
    with pytest.raises(InputError, match=message):
        score_file(run, source, tmp_path / "out.csv", options)


def test_probabilities_of_a_regression_are_refused(run_for: RunFor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no classes"):
        score_file(run_for(TaskKind.REGRESSION), "rows.csv", tmp_path / "out.csv", ScoreOptions(proba=True))


def test_the_source_is_never_replaced(run: Run, rows: pd.DataFrame, tmp_path: Path) -> None:
    source = write(rows, tmp_path / "rows.csv")
    with pytest.raises(InputError, match="both the rows to score and the output"):
        score_file(run, source, source)


def test_at_most_two_chunks_are_in_memory(
    run: Run, rows: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[int] = []

    def endless(path: object, chunk_rows: int) -> Iterator[pd.DataFrame]:
        seen: list[weakref.ref[pd.DataFrame]] = []
        for _ in range(12):
            chunk = rows.copy()
            seen.append(weakref.ref(chunk))
            gc.collect()
            alive.append(sum(ref() is not None for ref in seen))
            yield chunk

    monkeypatch.setattr(files, "read_chunks", endless)
    summary = score_file(run, tmp_path / "rows.csv", tmp_path / "out.csv")
    assert summary.n_rows == 12 * len(rows)
    assert max(alive) <= 2
