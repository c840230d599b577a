"""What people feed to a tabular engine, and what ours does about it: the rows every test here belongs to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Test = TypeVar("Test", bound=Callable[..., object])

FIT, PREDICT, SCORE = "fit", "predict", "score"


@dataclass(frozen=True)
class Row:
    """One kind of bad input.

    Attributes
    ----------
    ours
        What the engine does about it.
    items
        What belongs to it; each must occur as words in the tests of the row, or in what these use.
    stages
        Where it must be tested.
    """

    ours: str
    items: tuple[str, ...]
    stages: tuple[str, ...] = (FIT, PREDICT, SCORE)


ROWS = {
    "duplicate names": Row("An error lists names and positions.", ("frame", "csv", "parquet")),
    "odd names": Row(
        "Accepted; learners never see them, so they change no prediction.",
        ("integer", "mixed", "empty", "whitespace", "emoji", "JSON", "[ ] <", "space beside underscore"),
    ),
    "levels of names": Row("Joined, with a notice; tuples may still name them.", ("MultiIndex",)),
    "empty columns": Row(
        "Left out with a warning; handled in every fold.",
        ("all missing", "constant", "missing in a fold", "constant in a fold"),
    ),
    "no columns": Row(
        "Without a usable column the prior predicts, with a warning; without any column it is an error.",
        ("only constant", "only the target", "no columns"),
    ),
    "too many columns": Row(
        "The cost is estimated first; too wide a table is screened without the target; both are said.",
        ("10,000 columns", "more columns than rows", "too large for memory", "sparse"),
    ),
    "odd numbers": Row(
        "Infinities become missing, with an indicator, and are reported; the same at predict.",
        ("inf", "1e300", "-0.0", "float16 overflow"),
    ),
    "types of columns": Row(
        "One conversion of ours: every type gives the same model.",
        (
            "str", "string[pyarrow]", "string[python]", "object", "category", "unused levels",
            "ordered levels", "Arrow dictionary", "Arrow numbers", "Int64", "Float64", "boolean",
        ),
    ),
    "points in time": Row(
        "Points in time in UTC, durations in seconds, periods by their start, intervals as ordered levels.",
        (
            "naive", "aware", "zone that comes or goes", "mixed", "timedelta", "period", "interval",
            "out of range", "NaT",
        ),
    ),
    "cells that are no scalars": Row(
        "Sparse columns are read as dense ones; for the rest an error names the column.",
        ("sparse", "list", "dict", "bytes", "array", "object"),
    ),
    "mixed cells": Row(
        "Numbers if nearly all parse, with the share said, else text; huge whole numbers are keys.",
        ("mixed types", "Decimal", "huge integer", "int64 > 2^53", "complex"),
    ),
    "numbers in text": Row(
        "Parsed when at least 95% parse; identifiers stay; the stored schema decides at scoring.",
        (
            "currency", "percent", "thousands", "decimal comma", "leading zeros", "NA as a country",
            "94% parse", "95% parse",
        ),
    ),
    "suspicious columns": Row(
        "Warned about and quantified, never dropped silently; strict= stops; copies stay together.",
        ("identifier", "gives the target away", "duplicated rows", "strict"),
    ),
    "unusable targets": Row(
        "An error with the count by default, left out on request; probabilities of all classes always.",
        (
            "missing", "inf", "constant", "nan as text", "one row of a class", "class absent in a fold",
            "1:10,000", "drop",
        ),
    ),
    "types of targets": Row(
        "Labels come back in their exact type; where a rule decides, a notice says so.",
        (
            "bool", "strings", "category", "Int64", "{1,2}", "{-1,1}", "gaps", "numeric strings", "Decimal",
            "timedelta", "600 floats",
        ),
    ),
    "few rows": Row(
        "The minimum is named; no rows give a typed empty result.",
        ("0 rows", "1 row", "2 rows", "9 rows"),
    ),
    "odd indexes": Row(
        "The index is kept on the output; what has another index is refused.",
        ("duplicate index", "MultiIndex of rows", "disjoint"),
    ),
    "rows unlike training": Row(
        "Aligned by name, converted by contract, every deviation counted, failure above a threshold.",
        (
            "missing column", "extra column", "reordered", "int → float", "number → text", "text → number",
            "unseen category", "NaN where none was", "threshold",
        ),
    ),
    "one row": Row("One row and a batch give the same predictions.", ("one row",), (PREDICT, SCORE)),
    "CSV files": Row(
        "Sniffed; errors name file, line and hint; parsed with the training schema at scoring.",
        (
            "BOM", "UTF-16", "Latin-1", "semicolon", "tab", "decimal comma", "ragged", "open quote",
            "wrong .gz", "duplicate header", "no header", "mixed chunks", "one column",
        ),
        (FIT, SCORE),
    ),
    "folders": Row(
        "Checked before time is spent; never a corrupt model or half a file.",
        ("read-only", "full disk", "unicode path", "path with spaces", "two runs in one folder"),
        (FIT, SCORE),
    ),
    "the caller's frame": Row("Never changed.", ("changed frame",), (FIT, PREDICT)),
}  # fmt: skip


def covers(row: str, *stages: str) -> Callable[[Test], Test]:
    """Say which row a test belongs to, and at which stages it tests it; `test_rows` reads it."""
    assert row in ROWS, row
    assert stages, f"name the stages of {row}"
    assert set(stages) <= {FIT, PREDICT, SCORE}, stages
    return lambda test: test
