"""Read CSV and Parquet files, whole or in chunks, with errors that name file, line and hint."""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from tabular_automl.core.errors import InputError
from tabular_automl.ingest.canonical import READ_AS_TEXT
from tabular_automl.ingest.csv_format import DAMAGED_GZIP, CsvFormat, check_row_lengths, open_bytes, sniff_csv
from tabular_automl.ingest.frames import to_pandas
from tabular_automl.ingest.plain_csv import read_plain_csv
from tabular_automl.ingest.typed_column import typed_column

CHUNK_CELLS = 10_000_000
"""Cells of a chunk at most, so that wide files don't fill memory: a cell of text takes some 60 bytes."""

_PARQUET_MAGIC = b"PAR1"
_CUTS_CHUNKS = pd.__version__.startswith("2.")  # pandas 2 cuts a first row of a chunk that is too long


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV (also .gz) or Parquet file whole.

    Columns of CSV that are numbers or truth values throughout get that type.

    Parameters
    ----------
    path
        The file. Its content tells of which type it is; delimiter and encoding of CSV are found out.

    Raises
    ------
    InputError
        If the file is missing, damaged, empty, ragged or of another type.
    """
    path = Path(path)
    if _is_parquet(path):
        return to_pandas(_whole_parquet(path))
    form = sniff_csv(path)
    columns = read_plain_csv(path, form) or _columns_of_text(path, form)
    result = pd.concat([typed_column(cells) for cells in columns], axis=1)
    result.columns = pd.Index(form.names, dtype=object)
    return result


def read_chunks(path: str | Path, chunk_rows: int) -> Iterator[pd.DataFrame]:
    """Read a CSV or Parquet file in frames of at most ``chunk_rows`` rows; one empty frame if it has no rows.

    Of a wide file they have fewer rows: a frame holds 10 million cells at most.

    Cells of CSV are text in every chunk, so that chunks cannot disagree on types; `canonicalise` parses them
    as in training.

    Parameters
    ----------
    path
        The file.
    chunk_rows
        Rows of a chunk.

    Raises
    ------
    InputError
        As `read_table`, if need be in the middle of the file.
    """
    path = Path(path)
    if _is_parquet(path):
        yield from _parquet_chunks(path, chunk_rows)
    else:
        form = sniff_csv(path)
        yield from _csv_frames(path, form, _rows_of(len(form.names), chunk_rows))


def _rows_of(n_columns: int, chunk_rows: int) -> int:
    return max(1, min(chunk_rows, CHUNK_CELLS // max(n_columns, 1)))


def _is_parquet(path: Path) -> bool:
    with open_bytes(path) as file:
        try:
            return file.read(4) == _PARQUET_MAGIC
        except DAMAGED_GZIP:
            return False  # the CSV reader says so


@contextmanager
def _parquet_errors(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"File {str(path)!r} is a damaged Parquet file: {reason}. Copy or write it again."
        ) from error


def _whole_parquet(path: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq

    with _parquet_errors(path), pq.ParquetFile(path) as file:
        if _pandas_understands(file):
            return pd.read_parquet(path)
        return _without_metadata(file.read())


def _parquet_chunks(path: Path, chunk_rows: int) -> Iterator[pd.DataFrame]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _parquet_errors(path), pq.ParquetFile(path) as file:
        is_plain = _pandas_understands(file)
        start = 0
        for batch in file.iter_batches(batch_size=_rows_of(len(file.schema_arrow), chunk_rows)):
            table = pa.Table.from_batches([batch])
            frame = table.to_pandas() if is_plain else _without_metadata(table)
            if isinstance(frame.index, pd.RangeIndex):
                frame.index = pd.RangeIndex(start, start + len(frame))
            start += len(frame)
            yield to_pandas(frame)
        if start == 0:
            empty = file.schema_arrow.empty_table()
            yield to_pandas(empty.to_pandas() if is_plain else _without_metadata(empty))


def _pandas_understands(file: Any) -> bool:
    """Say whether pandas can make a frame of a Parquet file with the types that are noted in it.

    It cannot if names repeat, nor for some Arrow types that it has written itself.
    """
    schema = file.schema_arrow
    if len(set(schema.names)) < len(schema.names):
        return False
    try:
        schema.empty_table().to_pandas()
    except (TypeError, ValueError):
        return False
    return True


def _without_metadata(table: Any) -> pd.DataFrame:
    """Return an Arrow table as a frame of the types that pandas takes by default, without its index."""
    described = (table.schema.pandas_metadata or {}).get("index_columns", ())
    names = [name for name in described if isinstance(name, str)]
    frame: pd.DataFrame = table.drop_columns(names).to_pandas(ignore_metadata=True)
    return frame


def _columns_of_text(path: Path, form: CsvFormat) -> list[Any]:
    import pyarrow as pa

    (frame,) = _csv_frames(path, form, None)
    return [pa.array(frame.iloc[:, place], pa.string(), from_pandas=True) for place in range(frame.shape[1])]


def _csv_frames(path: Path, form: CsvFormat, chunk_rows: int | None) -> Iterator[pd.DataFrame]:
    """Yield frames of text cells.

    pandas fills short rows up with empty cells, so rows are counted out where the last cell is empty.
    """
    with _csv_errors(path, form), open_bytes(path) as file:
        reader = pd.read_csv(
            file,
            sep=form.delimiter,
            encoding=form.encoding,
            header=None,
            names=list(range(len(form.names))),
            skiprows=form.header_lines,
            dtype=str,
            keep_default_na=False,
            na_values=[],
            chunksize=chunk_rows,
        )
        frames: Any = [reader] if chunk_rows is None else reader
        is_checked = chunk_rows is not None and _CUTS_CHUNKS
        if is_checked:
            check_row_lengths(path, form)
        for frame in frames:
            if not isinstance(frame.index, pd.RangeIndex):  # pandas takes cells too many for an index
                raise InputError(
                    f"File {str(path)!r}, line {form.header_lines + 1}: more cells than the header's "
                    f"{len(form.names)} (delimiter {form.delimiter!r}). Complete the header line."
                )
            if not is_checked and (frame.iloc[:, -1] == "").any():
                check_row_lengths(path, form)
                is_checked = True
            frame.columns = pd.Index(form.names, dtype=object)
            frame.attrs[READ_AS_TEXT] = True
            yield frame


@contextmanager
def _csv_errors(path: Path, form: CsvFormat) -> Iterator[None]:
    where = f"File {str(path)!r}"
    try:
        yield
    except pd.errors.ParserError as error:
        raise InputError(f"{where}{_explain(str(error), form)}") from error
    except csv.Error as error:
        raise InputError(
            f"{where} cannot be read as CSV with delimiter {form.delimiter!r}: {error}. Read it yourself, as "
            "by pd.read_csv, and pass the frame, or save it as Parquet."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not valid {form.encoding}: {error}. Save it as UTF-8.") from error
    except pd.errors.EmptyDataError:
        raise InputError(f"{where} has a header but no rows.") from None
    except DAMAGED_GZIP as error:
        raise InputError(f"{where} is damaged or cannot be read: {error}. Copy it again.") from error


def _explain(message: str, form: CsvFormat) -> str:
    ragged = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message)
    if ragged:
        expected, line, saw = ragged.groups()
        return (
            f", line {line}: {saw} cells where the header has {expected} (delimiter {form.delimiter!r}). "
            "Quote cells that hold the delimiter, or remove the row."
        )
    quote = re.search(r"EOF inside string starting at row (\d+)", message)
    if quote:
        line = str(int(quote.group(1)) + 1)
        return f", about line {line}: a quotation mark is never closed. Close it, or double it inside cells."
    return f" cannot be read as CSV with delimiter {form.delimiter!r}: {message}"
