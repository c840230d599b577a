import gzip
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabular_automl.core.errors import InputError, WriteError
from tabular_automl.scoring.sink import check_output, open_sink

FIRST = pd.DataFrame({"id": [1, 2], "label": pd.Categorical(["a", "b"], categories=["a", "b"])})
SECOND = pd.DataFrame({"id": [3, 4], "label": pd.Categorical(["b", "b"], categories=["a", "b"])})


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.parquet", "OUT.CSV", "out file.pq"])
def test_chunks_come_back_as_one_table(tmp_path: Path, name: str) -> None:
    target = check_output(tmp_path / name)
    with open_sink(target, {}) as sink:
        sink.write(FIRST)
        assert not target.exists()
        sink.write(SECOND)
    read = pd.read_parquet if name.endswith(("parquet", "pq")) else pd.read_csv
    expected = pd.concat([FIRST, SECOND], ignore_index=True)
    pd.testing.assert_frame_equal(read(target), expected, check_dtype=False, check_categorical=False)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_zipped_output_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    contents = []
    for name in ("a.csv.gz", "b.csv.gz"):
        with open_sink(tmp_path / name, {}) as sink:
            sink.write(FIRST)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert gzip.decompress(contents[0]) == b"id,label\n1,a\n2,b\n"


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.parquet"])
def test_a_failure_keeps_what_was_there(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("yesterday")

    def fail() -> None:
        with open_sink(tmp_path / name, {}) as sink:
            sink.write(FIRST)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (tmp_path / name).read_text() == "yesterday"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    def fail() -> None:
        with open_sink(tmp_path / "out.csv", {}):
            raise OSError(28, "No space left on device")

    with pytest.raises(
        WriteError, match=r"out.csv': No space left on device. No partial file was left behind"
    ):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_column_that_is_empty_at_first_is_text(tmp_path: Path) -> None:
    with open_sink(tmp_path / "out.parquet", {}) as sink:
        sink.write(pd.DataFrame({"note": pd.Series([None, None], dtype=object)}))
        sink.write(pd.DataFrame({"note": pd.Series(["late", None], dtype=object)}))
    assert pd.read_parquet(tmp_path / "out.parquet")["note"].tolist()[2] == "late"


def test_source_types_are_kept(tmp_path: Path) -> None:
    with open_sink(tmp_path / "out.parquet", {"id": pa.int64()}) as sink:
        sink.write(pd.DataFrame({"id": [1.0, None]}))
        sink.write(pd.DataFrame({"id": [2, 3]}))
    assert pq.read_schema(tmp_path / "out.parquet").field("id").type == pa.int64()


def test_a_column_that_changes_its_type_is_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with open_sink(tmp_path / "out.parquet", {}) as sink:
            sink.write(pd.DataFrame({"id": [1]}))
            sink.write(pd.DataFrame({"id": ["x"]}))

    with pytest.raises(
        InputError, match=r"changes its type in the middle of the file.*Write to \.csv instead"
    ):
        fail()


@pytest.mark.parametrize("name", ["out.xlsx", "out", "out.gz", "parquet"])
def test_an_unknown_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"End it in \.csv, \.csv\.gz or \.parquet"):
        check_output(tmp_path / name)


def test_places_that_cannot_be_written_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"the folder '.*nowhere' does not exist. Create it first"):
        check_output(tmp_path / "nowhere" / "out.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="it is a folder"):
        check_output(tmp_path / "folder.csv")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="is read-only"):
        check_output(tmp_path / "out.csv")
