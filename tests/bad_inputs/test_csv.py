"""CSV files as people write them, and as they break them."""

import codecs
import gzip
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bad_input_rows import FIT, SCORE, covers  # type: ignore[import-not-found]
from front_door import column_of, small_table  # type: ignore[import-not-found]

from tabular_automl.core.schema import Kind

N = 80


def homes() -> pd.DataFrame:
    """Names beyond ASCII, commas and quotation marks in cells, keys with zeros, dates and gaps."""
    table = small_table()
    table["city"] = table["city"].map({"Rome": "Köln", "Oslo": 'Sankt "Pölten", AT', "Lima": "Łódź\nline"})
    table["zip"] = [f"{value % 9:05d}" for value in table["rooms"]]
    table["built"] = pd.date_range("1990-01-01", periods=N, freq="17D").strftime("%Y-%m-%d")
    table["rooms"] = table["rooms"].where(table.index % 11 > 0).astype("Int64")
    table["garden"] = table["size"] > 0.3
    return table


def latin(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(city=table["city"].replace({"Łódź\nline": "Łódź"}).str.replace("Łódź", "Besançon"))


def text(table: pd.DataFrame, **told: Any) -> str:
    return table.to_csv(index=False, **told)


WRITTEN = {
    "plain": lambda table: text(table).encode(),
    "BOM": lambda table: codecs.BOM_UTF8 + text(table).encode(),
    "UTF-16": lambda table: text(table).encode("utf-16"),
    "UTF-16 little, no mark": lambda table: text(table).encode("utf-16-le"),
    "UTF-16 big, no mark": lambda table: text(table).encode("utf-16-be"),
    "semicolon": lambda table: text(table, sep=";").encode(),
    "tab": lambda table: text(table, sep="\t").encode(),
    "bar": lambda table: text(table, sep="|").encode(),
    "all quoted": lambda table: text(table, quoting=1).encode(),
    "gzip": lambda table: gzip.compress(text(table).encode()),
    "Windows lines": lambda table: text(table, lineterminator="\r\n").encode(),
    "blank lines": lambda table: b"\n\n" + text(table).encode() + b"\n\n",
    "UTF-16, semicolon, gzip": lambda table: gzip.compress(text(table, sep=";").encode("utf-16")),
}


@pytest.fixture(scope="module")
def known(door):
    """The model of the frame, with its predictions for it."""
    model = door.fit(homes())
    return model, door.numbers(model, homes())


@covers("CSV files", FIT, SCORE)
@pytest.mark.parametrize("kind", WRITTEN)
def test_however_it_is_written_it_is_the_same_table(door, known, kind: str) -> None:
    model, expected = known
    path = door.path("my rows.csv")
    path.write_bytes(WRITTEN[kind](homes()))
    scored, deviations = door.score(model, path, chunk_rows=7)
    np.testing.assert_allclose(scored, expected, rtol=1e-9)
    assert deviations == {}
    fitted = door.fit(path)
    assert fitted.run.score == model.run.score
    np.testing.assert_array_equal(door.numbers(fitted, homes()), expected)


@covers("CSV files", FIT, SCORE)
def test_latin_1_is_recognised(door) -> None:
    """Latin-1 and Windows-1252 hold "ö" and "ç" in a byte."""
    table = latin(homes())
    expected = door.numbers(door.fit(table), table)
    path = door.path("rows.csv")
    for encoding in ("latin-1", "cp1252"):
        path.write_bytes(text(table).encode(encoding))
        model = door.fit(path)
        assert set(column_of(model, "city").categories or ()) == set(table["city"])
        np.testing.assert_allclose(door.score(model, path)[0], expected, rtol=1e-9)


@covers("CSV files", FIT, SCORE)
def test_a_decimal_comma_is_read_by_the_schema(door) -> None:
    """A file with a "decimal comma" trains a model that reads such files, and frames of numbers."""
    table = small_table().assign(size=lambda frame: frame["size"].round(3))
    path = door.path("rows.csv")
    path.write_text(text(table, sep=";", decimal=","), encoding="utf-8")
    model = door.fit(path)
    assert column_of(model, "size").parse == "number:comma"
    expected = door.numbers(door.fit(table), table)
    np.testing.assert_array_equal(door.numbers(model, table), expected)
    for chunk_rows in (1, 1000):
        scored, deviations = door.score(model, path, chunk_rows=chunk_rows)
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert deviations == {}


@covers("CSV files", SCORE)
def test_mixed_chunks_are_read_by_the_training_schema(door, known) -> None:
    """In mixed chunks: numbers, then gaps, then text; guessed chunk by chunk they would disagree."""
    model, _ = known
    rows = homes().astype({"rooms": object})
    rows.loc[20:39, "rooms"] = None
    rows.loc[60:79, "rooms"] = "plenty"
    rows.loc[40:59, "zip"] = "7"
    whole, told = door.score(model, text(rows))
    split, deviations = door.score(model, text(rows), chunk_rows=10)
    np.testing.assert_allclose(split, whole, rtol=1e-9)
    assert deviations == told
    assert deviations["rooms", "unparseable"] == 20
    assert deviations["zip", "unseen_category"] == 20


@covers("CSV files", FIT)
def test_keys_and_truths_have_the_types_their_cells_say(door) -> None:
    model = door.fit(door.file(text(homes())))
    kinds = {column.name: (column.kind, column.dtype) for column in model.run.schema}
    assert kinds["zip"][0] is Kind.CATEGORICAL
    assert kinds["garden"] == (Kind.BINARY, "bool")
    assert kinds["rooms"] == (Kind.NUMERIC, "float64")


PLAIN = text(small_table())
LINES = PLAIN.splitlines(keepends=True)
NO_HEADER = "".join(LINES[1:])
COMPRESSED = gzip.compress(PLAIN.encode())
BAD_BYTES = COMPRESSED[:60] + b"\xff\xff\xff\xff" + COMPRESSED[64:]


def inserted(line: str, place: int) -> str:
    return "".join([*LINES[:place], line, *LINES[place:]])


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "ragged, short": (inserted("1,2\n", 5), "line 6: 2 cells where the header has 4 .*Complete the row"),
    "ragged, long": (inserted("1,2,x,dear,9\n", 5), "line 6: 5 cells where the header has 4 .*uote cells"),
    "ragged at once": (inserted("1,2,x,dear,9\n", 1), "more cells than|5 cells where the header has 4"),
    "open quote": (inserted('1,2,"x,dear\n', 5), "about line 6: a quotation mark is never closed. Close it"),
    "wrong .gz": (b"\x1f\x8bno gzip at all", "is damaged: .*Copy it again"),
    "short wrong .gz": (b"\x1f\x8bno", "is damaged: .*Copy it again"),
    "cut .gz": (COMPRESSED[:-30], "is damaged: .*Copy it again"),
    "bad byte in .gz": (BAD_BYTES, "is damaged: .*Copy it again"),
    "no header": (NO_HEADER, "line 1: instead of column names there are values, .* again below. Add a"),
    "no header, whole numbers": ("5,3,a\n" + "6,4,b\n7,2,a\n" * 9, "line 1: .* columns hold 'a' again"),
    "no header of numbers": ("1.5,2.5\n" * 20, r"line 1: instead of column names there are numbers \(1.5"),
    "one column": (PLAIN.replace(",", "^"), r"line 1: the file has one column only, 'size\^.*sep='\^'"),
    "one column by spaces": (PLAIN.replace(",", " "), "line 1: the file has one column only, .*sep=' '"),
    "comments": ("# made by hand\n" + PLAIN, "line 2: 4 cells|more cells than the header's 1"),
    "empty": ("", "is empty. A header line and rows are needed"),
    "blank": ("\n \n", "is empty. A header line and rows are needed"),
    "workbook": (b"PK\x03\x04 and so on", "is an Excel workbook or zip archive, not CSV or Parquet"),
    "damaged Parquet": (b"PAR1 and so on", "is a damaged Parquet file: .*Copy or write it again"),
    "binary": (bytes(5000), "is binary, not CSV or Parquet"),
    "odd UTF-16": (PLAIN.encode("utf-16") + b"\x00", "is not valid utf-16|is damaged"),
}  # fmt: skip


@covers("CSV files", FIT, SCORE)
@pytest.mark.parametrize("kind", BROKEN)
def test_an_error_names_the_file_the_line_and_a_hint(door, plain, kind: str) -> None:
    """Be it ragged, a wrong .gz or without header: one message, exit code 2, and nothing is written."""
    content, match = BROKEN[kind]
    path = door.path("broken rows.csv")
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    where = rf"File '.*broken rows\.csv'.*({match})"
    door.refuses(path, where)
    door.refuses_to_fit_file(path, where)
    door.refuses_to_score(plain, path, where)


@covers("CSV files", FIT, SCORE)
def test_a_fault_far_down_is_found_in_chunks_too(door, plain) -> None:
    for line in ("1,2\n", "1,2,x,dear,9\n"):
        file = inserted(line, 71)
        door.refuses_to_score(plain, file, "line 72: . cells where the header has 4", "--chunk-rows", "10")


@covers("CSV files", FIT, SCORE)
def test_a_very_long_cell_is_a_cell(door) -> None:
    table = small_table().assign(note="short", gap="")
    table.loc[3, "note"] = "long " * 30_000
    path = door.path("rows.csv")
    path.write_text(text(table, sep=";"), encoding="utf-8")
    model = door.fit(path)
    assert [column.name for column in model.run.schema] == ["size", "rooms", "city", "note", "gap"]
    np.testing.assert_allclose(door.score(model, path)[0], door.numbers(model, table), rtol=1e-9)


@covers("CSV files", FIT, SCORE)
def test_a_duplicate_header_is_named(door, plain) -> None:
    """A "duplicate header" is one name for two columns."""
    file = PLAIN.replace("size,rooms,city,label", "size,size,city,label").replace(
        "city,label", "rooms,label", 1
    )
    door.refuses_to_fit_file(file, "'size' appears 2 times, at positions 0, 1")
    twice = text(pd.concat([small_table(), small_table()[["city"]]], axis=1))
    door.refuses_to_score(plain, twice, "Columns appear more than once: 'city'")


@covers("CSV files", FIT, SCORE)
@pytest.mark.parametrize(
    "file",
    [
        pytest.param("2019,2020,label\n" + "1.5,2,a\n2.5,3,b\n" * 10, id="years"),
        pytest.param("400.5,401.0,label\n" + "1.5,2,a\n2.5,3,b\n" * 10, id="wavelengths"),
        pytest.param("label,a,b\n" + "a,x,1\nb,y,2\n" * 10, id="a label called like a column"),
        pytest.param("x,label\n1,a\nx,label\n" + "2,b\n3,a\n" * 10, id="the header once more"),
        pytest.param("2019,2020,b,label\n" + "1.5,2,a,a\n2.5,3,b,c\n" * 10, id="years, and a level's name"),
        pytest.param("label\n" + "a b c\nb c d\n" * 10, id="one column of words"),
    ],
)
def test_a_header_is_not_taken_for_values(door, file: str) -> None:
    path = door.file(file)
    model = door.fit(path)
    assert model.run.task.target == "label"
    assert np.isfinite(door.score(model, path)[0]).all()
