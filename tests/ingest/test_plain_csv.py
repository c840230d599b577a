"""Whatever the quick reader of CSV returns is what the careful one would."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabular_automl.core.errors import InputError
from tabular_automl.ingest import read
from tabular_automl.ingest.csv_format import sniff_csv
from tabular_automl.ingest.plain_csv import read_plain_csv

CELLS = st.one_of(
    st.sampled_from(
        ["", "NA", "1", " 2 ", "007", "1.5", "-3e2", "true", "1234567890123456789", "a b", " ", "\t"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
)


def carefully(path: Path) -> pd.DataFrame:
    columns = read._columns_of_text(path, sniff_csv(path))
    return pd.DataFrame({place: cells.to_pylist() for place, cells in enumerate(columns)})


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=6),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_it_returns_the_same_cells_or_leaves_the_file_to_the_careful_reader(rows, end, tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    path.write_bytes(end.join([",".join(["a", "b", "c"]), *(",".join(row) for row in rows)]).encode())
    try:
        form = sniff_csv(path)
    except InputError:
        return
    found = read_plain_csv(path, form)
    if found is not None:
        frame = pd.DataFrame({place: cells.to_pylist() for place, cells in enumerate(found)})
        pd.testing.assert_frame_equal(frame, carefully(path))


@pytest.mark.parametrize(
    ("content", "is_plain"),
    [
        ("a,b\n1,2\n\n3,4\n", True),
        ("\na,b\n1,2\n", True),
        ("a;b\r\n1;x\r\n2;ü", True),
        ('a,b\n1,"2"\n', False),
        ("a,b\n1,2\n3\n", False),
        ("a,b\n1,2,3\n", False),
        ("a,b\n1,2\r3,4\n", False),
        ("a\n1\n2\n", False),
        ("a,b\n", False),
    ],
)
def test_what_it_leaves_to_the_careful_reader(content: str, is_plain: bool, tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_bytes(content.encode())
    found = read_plain_csv(path, sniff_csv(path))
    assert (found is not None) == is_plain
    if found is not None:
        frame = pd.DataFrame({place: cells.to_pylist() for place, cells in enumerate(found)})
        pd.testing.assert_frame_equal(frame, carefully(path))


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        (["1", "", "2"], "float64"),
        (["1", "-20"], "int64"),
        ([" 1", "2 "], "int64"),
        (["1"] * 30 + ["2.5"], "float64"),
        (["1"] * 30 + ["x"], "str"),
        (["1.5"] * 30 + ["007"], "str"),
        (["1.5"] * 30 + ["1234567890123456789"], "str"),
        (["1.5"] * 30 + ["1e19"], "float64"),
        (["true", "FALSE"], "bool"),
        (["true", "NA"], "boolean"),
        (["true"] * 30 + ["yes"], "str"),
        (["", "NA"], "float64"),
        (["", "word"], "str"),
    ],
)
def test_a_column_gets_the_type_of_all_its_cells(cells: list[str], dtype: str, tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["a,b", *(f"{cell},1" for cell in cells)]))
    column = read.read_table(path)["a"]
    assert str(column.dtype) == (str(pd.Series(["text"]).dtype) if dtype == "str" else dtype)
    if dtype == "str":
        assert column.dropna().tolist() == [cell for cell in cells if cell]


def test_a_large_file_reads_the_same_in_several_blocks(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("tabular_automl.ingest.plain_csv.BLOCK_BYTES", 64)
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["a,b", *(f"{1 / row},{'xyz'[row % 3] * row}" for row in range(1, 50))]))
    found = read_plain_csv(path, sniff_csv(path))
    assert found is not None
    frame = pd.DataFrame({place: cells.to_pylist() for place, cells in enumerate(found)})
    pd.testing.assert_frame_equal(frame, carefully(path))
