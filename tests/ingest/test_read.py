import csv
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tabular_automl.core.errors import InputError
from tabular_automl.ingest import csv_format
from tabular_automl.ingest.canonical import READ_AS_TEXT, canonicalise
from tabular_automl.ingest.checks import read_all_cells
from tabular_automl.ingest.infer_schema import infer_schema
from tabular_automl.ingest.read import read_chunks, read_table

TEXT = 'name,size,code,ok,when\nRené,1.5,007,True,2020-01-01\n"a, b",,012,False,2020-02-01\nNA,3,100,True,\n'


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("compressed", [False, True])
def test_csv_is_understood_as_it_is_written(
    tmp_path: Path,
    delimiter: str,
    encoding: str,
    compressed: bool,
) -> None:
    content = TEXT.replace(",", delimiter).replace(f'"a{delimiter} b"', '"a, b"').encode(encoding)
    path = tmp_path / "a name with spaces é.csv"
    path.write_bytes(gzip.compress(content) if compressed else content)
    frame = read_table(path)
    assert list(frame.columns) == ["name", "size", "code", "ok", "when"]
    assert frame["name"].tolist() == ["René", "a, b", "NA"]
    np.testing.assert_array_equal(frame["size"], [1.5, np.nan, 3.0])
    assert frame["code"].tolist() == ["007", "012", "100"]
    assert frame["ok"].dtype == bool
    assert frame["when"].isna().tolist() == [False, False, True]


def test_columns_get_the_type_all_cells_have(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "i,f,m,t,big\n1,1e3,5,x,123456789012345678901\n-2,.5,NA,1,1\n")
    frame = read_table(path)
    assert {name: frame[name].dtype.kind for name in "ifm"} == {"i": "i", "f": "f", "m": "f"}
    assert frame["t"].tolist() == ["x", "1"]
    assert frame["big"].tolist() == ["123456789012345678901", "1"]


def test_numbers_are_read_exactly(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=200) * 10.0 ** np.arange(-100, 100)
    path = write(tmp_path / "a.csv", "x\n" + "\n".join(map(repr, values.tolist())))
    np.testing.assert_array_equal(read_table(path)["x"], values)


def test_a_decimal_comma_goes_with_a_semicolon(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path / "a.csv", "x;y\n1,5;2\n2,5;3\n"))
    assert frame.columns.tolist() == ["x", "y"]
    assert frame["x"].tolist() == ["1,5", "2,5"]


def test_in_chunks_cells_stay_text_and_mean_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", TEXT)
    training = read_table(path)
    schema, _ = infer_schema(training, read_all_cells(training)[0], {})
    (whole,) = read_chunks(path, 10)
    assert whole.attrs[READ_AS_TEXT]
    assert whole["code"].tolist() == ["007", "012", "100"]
    chunks = list(read_chunks(path, 2))
    assert [len(chunk) for chunk in chunks] == [2, 1]
    pd.testing.assert_frame_equal(pd.concat(chunks), whole)
    table, report = canonicalise(whole, schema)
    assert table.digest == canonicalise(training, schema)[0].digest
    assert not report.deviations


def test_parquet_keeps_its_types_in_chunks(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"a": range(5), "b": pd.Categorical(list("xyxyx")), "c": pd.date_range("2020", periods=5)}
    )
    path = tmp_path / "a.parquet"
    frame.to_parquet(path)
    pd.testing.assert_frame_equal(read_table(path), frame)
    chunks = list(read_chunks(path, 2))
    assert [len(chunk) for chunk in chunks] == [2, 2, 1]
    assert [index for chunk in chunks for index in chunk.index] == list(range(5))
    pd.testing.assert_frame_equal(pd.concat(chunks), frame)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_file_without_rows_gives_one_empty_chunk(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    frame = pd.DataFrame({"a": [1], "b": ["x"]}).iloc[:0]
    frame.to_parquet(path) if name == "a.parquet" else frame.to_csv(path, index=False)
    (chunk,) = read_chunks(path, 10)
    assert list(chunk.columns) == ["a", "b"]
    assert len(chunk) == len(read_table(path)) == 0


def test_duplicate_names_of_a_header_are_kept_for_the_check(tmp_path: Path) -> None:
    assert read_table(write(tmp_path / "a.csv", "a,b,a\n1,2,3\n")).columns.tolist() == ["a", "b", "a"]


def test_an_index_written_by_pandas_has_a_name(tmp_path: Path) -> None:
    assert read_table(write(tmp_path / "a.csv", ",b\n1,2\n")).columns.tolist() == ["Unnamed: 0", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n3\n4,5\n", "line 3: 1 cells where the header has 2"),
        (b"a,b\n1,2\n3,4,5\n", "line 3: 3 cells where the header has 2"),
        (b"a,b\n1,2,9\n3,4,5\n", "more cells|3 cells where"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "about line 3: a quotation mark is never closed"),
        (b"1.5,2.5\n3,4\n", "line 1: instead of column names there are numbers"),
        (b"PK\x03\x04xxxx", "is an Excel workbook or zip archive"),
        (b"PAR1xxxxxxxxxxx", "damaged Parquet file"),
        (gzip.compress(TEXT.encode() * 50)[:-20], "is damaged"),
        (b"\x1f\x8bnot really gzip", "is damaged"),
        (bytes(5000), "is binary"),
    ],
)
def test_errors_name_the_file_and_the_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"File .*odd\.csv.*({message})"):
        read_table(path)
    with pytest.raises(InputError, match=rf"File .*odd\.csv.*({message})"):
        list(read_chunks(path, 1))


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="cannot be opened"):
        read_table(tmp_path)


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_cell_may_be_longer_than_csv_takes_by_default(tmp_path: Path, delimiter: str) -> None:
    limit = csv.field_size_limit()
    text = f"a,b,c\n1,{'x' * (limit + 1)},\n2,y,3\n".replace(",", delimiter)
    path = write(tmp_path / "a.csv", text)
    for frame in (read_table(path), pd.concat(read_chunks(path, 1))):
        assert frame["b"].str.len().tolist() == [limit + 1, 1]
    assert csv.field_size_limit() == limit


def test_what_csv_cannot_read_is_told_with_the_delimiter_seen_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_format, "_LONGEST_CELL", 20)
    path = write(tmp_path / "a.csv", "a;b;c\n" + '"1";2;3\n' * 5 + f"1;{'x' * 21};\n")
    message = r"a\.csv.* with delimiter ';': field larger than field limit \(20\)\. Read it yourself"
    with pytest.raises(InputError, match=message):
        read_table(path)
    with pytest.raises(InputError, match=message):
        list(read_chunks(path, 2))
