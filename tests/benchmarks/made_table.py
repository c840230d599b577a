"""Made-up tables of any size, named by one line such as `500000x30:binary:categories=0.4:missing=0.05`."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

TARGET = "target"
SHARES = ("categories", "dates", "text", "missing")
FEWEST_LEVELS, MOST_LEVELS = 10, 10_000
WORDS_A_TEXT = 12
VOCABULARY = 5_000


@dataclass(frozen=True)
class TableShape:
    """A table's size and what is in it.

    Attributes
    ----------
    rows, columns
        Rows, and features beside the target.
    kind
        ``binary``, ``multiclass`` or ``regression``.
    classes
        Classes of a multiclass target.
    categories, dates, text
        Shares of the columns that hold categories (10 to 10,000 levels), dates or sentences; others: numbers.
    missing
        Share of the cells that are missing.
    """

    rows: int
    columns: int
    kind: str = "binary"
    classes: int = 5
    categories: float = 0.0
    dates: float = 0.0
    text: float = 0.0
    missing: float = 0.0

    @classmethod
    def parse(cls, name: str) -> "TableShape":
        """Read a shape from its one-line name.

        >>> TableShape.parse("100x5:regression:missing=0.1")
        TableShape(rows=100, columns=5, kind='regression', classes=5, ..., missing=0.1)
        """
        size, _, rest = name.partition(":")
        kind, *settings = (rest or "binary").split(":")
        rows, columns = (int(part.replace("_", "")) for part in size.split("x"))
        pairs = dict(setting.split("=") for setting in settings)
        if unknown := sorted(set(pairs) - {"classes", *SHARES}):
            known = ", ".join(("classes", *SHARES))
            raise SystemExit(f"Table {name!r} has unknown settings {', '.join(unknown)}. Known: {known}.")
        shares = {key: float(value) for key, value in pairs.items() if key in SHARES}
        return cls(rows, columns, kind, int(pairs.get("classes", 5)), **shares)


def made_table(shape: TableShape) -> pd.DataFrame:
    """Return the table of a shape; the same shape always gives the same table."""
    rng = np.random.default_rng(0)
    n_categories, n_dates, n_texts = (
        round(share * shape.columns) for share in (shape.categories, shape.dates, shape.text)
    )
    n_numbers = shape.columns - n_categories - n_dates - n_texts
    signal = rng.normal(size=shape.rows)
    columns: dict[str, pd.Series] = {}
    for number in range(n_numbers):
        values = rng.normal(size=shape.rows)
        if number < 10:
            signal += values * (1 + number % 3) / 3
        columns[f"number {number}"] = pd.Series(values)
    levels = np.geomspace(FEWEST_LEVELS, MOST_LEVELS, max(n_categories, 1)).astype(int)
    for number in range(n_categories):
        codes = np.minimum(rng.zipf(1.3, shape.rows), levels[number]) - 1
        signal += rng.normal(size=levels[number])[codes] / 2
        names = np.array([f"level {code}" for code in range(levels[number])], dtype=object)
        columns[f"category {number}"] = pd.Series(names[codes])
    for number in range(n_dates):
        days = rng.integers(0, 5_000, shape.rows)
        columns[f"date {number}"] = pd.Series(np.datetime64("2010-01-01") + days.astype("timedelta64[D]"))
    words = np.array([f"word{code}" for code in range(VOCABULARY)], dtype=object)
    for number in range(n_texts):
        drawn = np.minimum(rng.zipf(1.5, (shape.rows, WORDS_A_TEXT)), VOCABULARY) - 1
        signal += (drawn < 3).sum(axis=1) / 5
        columns[f"text {number}"] = pd.Series([" ".join(row) for row in words[drawn]])
    if shape.missing:
        for name, column in columns.items():
            columns[name] = column.mask(rng.random(shape.rows) < shape.missing)
    frame = pd.DataFrame(columns)
    frame[TARGET] = _target(shape, signal, rng)
    return frame


def _target(shape: TableShape, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noisy = signal + rng.normal(size=shape.rows)
    if shape.kind == "regression":
        return noisy
    n_classes = 2 if shape.kind == "binary" else shape.classes
    ends = np.quantile(noisy, np.arange(1, n_classes) / n_classes)
    names = np.array([f"class {code}" for code in range(n_classes)], dtype=object)
    return names[np.searchsorted(ends, noisy)]
