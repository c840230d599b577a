"""A file of predictions, written chunk by chunk; it appears whole or not at all."""

import gzip
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self, cast

import pandas as pd

from tabular_automl.artifact import check_parent
from tabular_automl.core.errors import InputError, WriteError

CSV_ENDINGS = (".csv", ".csv.gz")
PARQUET_ENDINGS = (".parquet", ".pq")


class Sink(Protocol):
    """Takes frames of the same columns and types, one after the other."""

    def write(self, frame: pd.DataFrame) -> None:
        """Append rows; the first frame, which may be empty, fixes columns and types."""
        ...


def check_output(path: str | Path) -> Path:
    """Return the absolute path of an output file; call it before any time is spent.

    Raises
    ------
    InputError
        If the ending names no known format, or the file cannot be written there.
    """
    if not Path(path).name.lower().endswith((*CSV_ENDINGS, *PARQUET_ENDINGS)):
        raise InputError(f"Cannot tell the format of '{path}'. End it in .csv, .csv.gz or .parquet.")
    target = check_parent(path)
    if target.is_dir():
        raise InputError(f"Cannot write '{path}': it is a folder. Give the path of a file.")
    return target


@contextmanager
def open_sink(target: Path, arrow_types: Mapping[str, Any]) -> Iterator[Sink]:
    """Open a sink on a checked path; the file is whole when the block ends, absent if it raises.

    ``arrow_types`` gives the Arrow type of columns that must keep that of their source (Parquet only).

    Raises
    ------
    WriteError
        If writing fails, for example because the disk is full.
    """
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("wb") as file:
            if target.name.lower().endswith(PARQUET_ENDINGS):
                with _ParquetSink(file, arrow_types) as sink:
                    yield sink
            elif target.name.lower().endswith(".gz"):
                # Without name and time the same predictions give the same bytes.
                with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as zipped:
                    yield _CsvSink(cast("IO[bytes]", zipped))
            else:
                yield _CsvSink(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise WriteError(
            f"Cannot write '{target}': {error.strerror or error}. No partial file was left behind."
        ) from error
    finally:
        partial.unlink(missing_ok=True)


class _CsvSink:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._header = True

    def write(self, frame: pd.DataFrame) -> None:
        frame.to_csv(self._file, index=False, header=self._header, encoding="utf-8", lineterminator="\n")
        self._header = False


class _ParquetSink:
    """Writes one row group a chunk, in the Arrow schema of the first."""

    def __init__(self, file: IO[bytes], arrow_types: Mapping[str, Any]) -> None:
        self._file = file
        self._arrow_types = arrow_types
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, frame: pd.DataFrame) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            rows = pa.Table.from_pandas(frame, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InputError(
                f"A column has values of several types, which Parquet cannot hold: {error}. Write to .csv "
                "instead."
            ) from error
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, self._schema_of(rows.schema))
        try:
            self._writer.write_table(rows.cast(self._writer.schema))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(
                f"A kept column changes its type in the middle of the file: {error}. Write to .csv instead."
            ) from error

    def _schema_of(self, first: Any) -> Any:
        """Take source types where known; a column that is empty so far is text."""
        import pyarrow as pa

        fields = []
        for field in first:
            kind = self._arrow_types.get(field.name, field.type)
            fields.append(pa.field(field.name, pa.string() if pa.types.is_null(kind) else kind))
        return pa.schema(fields)
