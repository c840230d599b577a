"""Find out how a CSV file is written: compression, encoding, delimiter, header."""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from tabular_automl.core.errors import InputError

DELIMITERS = (",", ";", "\t", "|")

DAMAGED_GZIP = (EOFError, OSError, zlib.error)
"""What reading a damaged file raises, compressed or not."""

_GZIP_MAGIC = b"\x1f\x8b"
_OTHER_FILES = {
    b"PK\x03\x04": "an Excel workbook or zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"\x89HDF": "an HDF5 file",
}
_BLOCK = 1 << 20
_SAMPLE_LINES = 100
_LONGEST_CELL = 2**31 - 1  # the most that `csv` can be told on every platform; by default it is 131,072
_ODD_DELIMITERS = ("^", "~", "\x01", "¦", "#", ":", " ")
_NUMBER = re.compile(r"\s*[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?\s*")


@dataclass(frozen=True)
class CsvFormat:
    """How a CSV file is written.

    Attributes
    ----------
    delimiter, encoding
        As `csv` and `open` take them.
    names
        The header's cells; duplicates are kept.
    header_lines
        Lines the header takes up (a quoted name may hold line breaks), blank lines before it included.
    """

    delimiter: str
    encoding: str
    names: tuple[str, ...]
    header_lines: int


def open_bytes(path: Path) -> BinaryIO:
    """Open a file that may be compressed by gzip; its content tells, not its name.

    Raises
    ------
    InputError
        If it cannot be opened.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(2)
        return cast("BinaryIO", gzip.open(path, "rb")) if magic == _GZIP_MAGIC else path.open("rb")
    except FileNotFoundError:
        raise InputError(
            f"There is no file {str(path)!r}. Check the path; the folder now is {str(Path.cwd())!r}."
        ) from None
    except OSError as error:
        raise InputError(f"File {str(path)!r} cannot be opened: {error.strerror or error}.") from error


def sniff_csv(path: Path) -> CsvFormat:
    """Find out encoding (byte order mark, UTF-8, UTF-16, else Windows-1252), delimiter and header.

    Raises
    ------
    InputError
        If the file is empty, of another type, or seems to have no header; names the file and a hint.
    """
    encoding = _encoding(path)
    lines = _first_lines(path, encoding)
    if not any(line.strip() for line in lines):
        raise InputError(f"File {str(path)!r} is empty. A header line and rows are needed.")
    with _long_cells():
        delimiter = _delimiter(lines)
        reader = csv.reader(lines, delimiter=delimiter)
        try:
            names = next(cells for cells in reader if any(cell.strip() for cell in cells))
        except csv.Error as error:
            raise InputError(
                f"File {str(path)!r}, line {reader.line_num}: the header cannot be read ({error})."
            ) from error
        header_lines = reader.line_num
        rows = _rows(reader, len(names))
    where = f"File {str(path)!r}, line {header_lines}"
    if len(names) == 1:
        _check_delimiter(where, lines)
    _check_header(where, names, rows)
    plain = tuple(name.strip() or f"Unnamed: {place}" for place, name in enumerate(names))
    return CsvFormat(delimiter, encoding, plain, header_lines)


def check_row_lengths(path: Path, form: CsvFormat) -> None:
    """Refuse rows with fewer or more cells than the header has.

    Raises
    ------
    InputError
        If there is one; names its line.
    """
    with (
        _long_cells(),
        open_bytes(path) as raw,
        io.TextIOWrapper(raw, encoding=form.encoding, newline="") as text,
    ):
        for _ in range(form.header_lines):
            next(text)
        reader = csv.reader(text, delimiter=form.delimiter)
        first = form.header_lines + 1
        for cells in reader:
            line = reader.line_num + form.header_lines
            if cells and len(cells) != len(form.names):
                if line > first and next(reader, None) is None:  # a quoted cell goes on to the very end
                    raise InputError(
                        f"File {str(path)!r}, about line {first}: a quotation mark is never closed. Close "
                        "it, or double it inside cells."
                    )
                raise InputError(
                    f"File {str(path)!r}, line {line}: {len(cells)} cells where the header has "
                    f"{len(form.names)} (delimiter {form.delimiter!r}). Complete the row, quote cells that "
                    "hold the delimiter, or remove the row."
                )
            first = line + 1


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let `csv` read cells of any length, as pandas does; its limit is one for the whole process."""
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _encoding(path: Path) -> str:
    with open_bytes(path) as raw:
        try:
            head = raw.read(_BLOCK)
            _check_type(path, head)
            if head.startswith(codecs.BOM_UTF8):
                return "utf-8-sig"
            if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16"
            for encoding, high_bytes in (("utf-16-le", head[1:200:2]), ("utf-16-be", head[:200:2])):
                if high_bytes.count(0) > len(high_bytes) / 2:
                    return encoding
            decoder = codecs.getincrementaldecoder("utf-8")()
            while head:
                decoder.decode(head)
                head = raw.read(_BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252" if _decodes(path, "cp1252") else "latin-1"
        except DAMAGED_GZIP as error:
            raise InputError(
                f"File {str(path)!r} is damaged: its compressed content ends early or is wrong ({error}). "
                "Copy it again."
            ) from error
    return "utf-8"


def _first_lines(path: Path, encoding: str) -> list[str]:
    with (
        open_bytes(path) as raw,
        io.TextIOWrapper(raw, encoding=encoding, newline="", errors="replace") as text,
    ):
        try:
            return [line for line, _ in zip(text, range(_SAMPLE_LINES), strict=False)]
        except DAMAGED_GZIP as error:
            raise InputError(
                f"File {str(path)!r} is damaged: its compressed content ends early or is wrong ({error}). "
                "Copy it again."
            ) from error


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with open_bytes(path) as raw:
        try:
            while block := raw.read(_BLOCK):
                decoder.decode(block)
        except UnicodeDecodeError:
            return False
    return True


def _check_type(path: Path, head: bytes) -> None:
    for magic, what in _OTHER_FILES.items():
        if head.startswith(magic):
            raise InputError(
                f"File {str(path)!r} is {what}, not CSV or Parquet. Read it yourself (pd.read_excel, …) "
                "and pass the frame, or save it as CSV."
            )
    if (
        not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        and head[:4096].count(0) > len(head[:4096]) * 0.6
    ):
        raise InputError(f"File {str(path)!r} is binary, not CSV or Parquet. Convert it to one of these.")


def _delimiter(lines: list[str]) -> str:
    """Return the delimiter that cuts most lines into the same number of cells, at least two."""
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        sizes: list[int] = []
        with suppress(csv.Error):  # what was read before counts
            sizes.extend(len(cells) for cells in csv.reader(lines, delimiter=delimiter) if cells)
        if not sizes:
            continue
        size, count = Counter(sizes).most_common(1)[0]
        # A header cut like most rows matters more than many cells; a decimal comma cuts rows, not the header.
        score = count / len(sizes) * (1.0 if sizes[0] == size else 0.5) + min(size, 50) / 1000
        if size > 1 and score > best_score:
            best, best_score = delimiter, score
    return best


def _rows(reader: Iterator[list[str]], size: int) -> list[list[str]]:
    """Return the sampled rows below the header that have its number of cells, as far as they can be read."""
    rows: list[list[str]] = []
    with suppress(csv.Error):
        rows.extend(cells for cells in reader if len(cells) == size)
    return rows


def _check_delimiter(where: str, lines: list[str]) -> None:
    """Refuse one column whose lines all hold a mark equally often: it is cut by that mark, not by ours."""
    filled = [line.rstrip("\r\n") for line in lines if line.strip()]
    for mark in _ODD_DELIMITERS:
        counts = {line.count(mark) for line in filled}
        if len(filled) > 1 and len(counts) == 1 and counts.pop() >= (2 if mark in " :" else 1):
            raise InputError(
                f"{where}: the file has one column only, {filled[0]!r}, but every line has as many {mark!r}, "
                f"which may be its delimiter. Read it yourself, as by pd.read_csv(path, sep={mark!r}), and "
                "pass the frame, or save it with commas."
            )


def _check_header(where: str, names: list[str], rows: list[list[str]]) -> None:
    """Refuse a first line of values: of numbers alone, or also of words that their column repeats below."""
    numbers = [name for name in names if _NUMBER.fullmatch(name)]
    is_counted = len(set(names)) == len(names) and all(name.strip().isdigit() for name in numbers)
    if len(numbers) == len(names) and not is_counted:
        raise InputError(
            f"{where}: instead of column names there are numbers ({', '.join(names[:5])}). Add a header line."
        )
    again = [
        name
        for place, name in enumerate(names)
        if name.strip() and any(cells[place] == name for cells in rows)
    ]
    words = [name for name in names if name.strip() and name not in numbers]
    repeated = [name for name in again if name not in numbers]
    # Beside a word that is no value, plain numbers may be names, such as years.
    n_values = len(again if is_counted and len(repeated) < len(words) else [*numbers, *repeated])
    # A header that is there twice repeats as a whole; it is no row.
    if repeated and names not in rows and 2 * n_values >= len(names) > 1:
        shown = ", ".join(map(repr, repeated[:3]))
        raise InputError(
            f"{where}: instead of column names there are values, as the same columns hold {shown} again "
            "below. Add a header line."
        )
