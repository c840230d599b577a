"""Estimate what a wide table costs before it is read, and leave columns out where it is too wide."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.schema import ColumnSchema, Finding, Kind, Severity
from tabular_automl.ingest.cells import Cells, UnreadableCellsError, read_cells

MAX_COLUMNS = 5_000
"""Feature columns that are used at most: the time of every fit grows with them."""

MIN_COLUMNS = 1_000
"""To save memory, no table is cut to fewer: it is the rows that fill it then."""

SAMPLE_ROWS = 1_000
LEAST_BYTES, LIKELY_BYTES = 16, 40
"""Bytes a cell costs: the canonical table and one matrix at least; with copies for learners likely more."""

IntArray = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Screened:
    """The feature columns of a table that are used.

    Attributes
    ----------
    frame
        These columns.
    places
        Their positions among all feature columns.
    left_out
        The others, with the reason.
    findings
        What was said about it.
    """

    frame: pd.DataFrame
    places: IntArray
    left_out: tuple[ColumnSchema, ...]
    findings: tuple[Finding, ...]


def screen_columns(frame: pd.DataFrame, named: Iterable[Any], memory: int | None) -> Screened:
    """Keep at most 5,000 columns, or as many as fit into memory; the target is not looked at.

    First copies of another column go, then those of whose rows the fewest differ from the most frequent value
    (missing is a value, too); among equals the kept ones are spread evenly over the table. On more than 1,000
    rows a sample of 1,000 decides, but what is a copy is decided by all rows. As nothing is learned about the
    target, held-out rows stay unseen.

    Parameters
    ----------
    frame
        The feature columns; sparse ones are dense later, so they count in full.
    named
        Names of columns that are kept in any case, even if they are more than the limit.
    memory
        Bytes there are; None if unknown.
    """
    n_rows, n_columns = frame.shape
    everything = np.arange(n_columns, dtype=np.intp)
    names = set(named)
    required = np.array([name in names for name in frame.columns], dtype=bool)
    limit = max(_most_columns(n_rows, n_columns, memory), int(required.sum()))
    if limit >= n_columns:
        return Screened(frame, everything, (), _on_memory(n_rows, n_columns, memory))
    rows = np.unique(np.linspace(0, n_rows - 1, SAMPLE_ROWS).astype(np.intp))
    sample = frame if len(rows) == n_rows else frame.iloc[rows]
    facts = [_Facts.of(_cells(sample, place)) for place in range(n_columns)]
    is_copy = _copies(frame, facts) & ~required
    scores = np.array([fact.n_differing for fact in facts], dtype=np.float64)
    scores[required], scores[is_copy] = np.inf, -1.0
    places = _best(scores, max(limit, int(np.isinf(scores).sum())))
    out = np.setdiff1d(everything, places)
    n_copies = int(is_copy[out].sum())
    found = (_said(n_columns, len(out), n_copies), *_on_memory(n_rows, len(places), memory))
    dtypes = [str(dtype) for dtype in frame.dtypes]
    left_out = tuple(
        _left_out(frame.columns[place], place, dtypes[place], facts[place], is_copy=is_copy[place])
        for place in out
    )
    return Screened(frame.iloc[:, places], places, left_out, found)


@dataclass(frozen=True)
class _Facts:
    """What a sample of rows says about one column; an unreadable one is kept, so that its error is told."""

    n_differing: float
    n_unique: int
    missing_share: float
    digest: int

    @classmethod
    def of(cls, cells: Cells | None) -> "_Facts":
        if cells is None:
            return cls(np.inf, 0, 0.0, 0)
        values, digest = _content(cells)
        distinct, counts = np.unique(values, return_counts=True)  # NaN comes last, and once
        missing = int(counts[-1]) if np.isnan(distinct[-1]) else 0
        n_differing = len(values) - int(counts.max())
        return cls(n_differing, len(distinct) - (missing > 0), missing / len(values), digest)


def _most_columns(n_rows: int, n_columns: int, memory: int | None) -> int:
    affordable = n_columns if memory is None else memory // (LIKELY_BYTES * max(n_rows, 1))
    return int(min(n_columns, MAX_COLUMNS, max(affordable, MIN_COLUMNS)))


def _cells(frame: pd.DataFrame, place: int) -> Cells | None:
    """Return the cells of a column; None if they cannot be read."""
    try:
        return read_cells(frame.iloc[:, place])
    except UnreadableCellsError:
        return None


def _content(cells: Cells) -> tuple[FloatArray, int]:
    """Return cells as numbers, codes for text, and a digest of what they hold."""
    if cells.codes is not None and cells.levels is not None:
        values = cells.codes.astype(np.float64)
        values[values < 0] = np.nan
        return values, hash((values.tobytes(), *cells.levels))
    values = cells.numbers() + 0.0  # -0.0 is 0.0
    return values, hash(values.tobytes())


def _copies(frame: pd.DataFrame, facts: Sequence[_Facts]) -> NDArray[np.bool_]:
    """Say which columns hold the same as an earlier one; constant and unreadable ones are not told apart.

    Those that are alike in the sample are read whole, as they may differ in any other row.
    """
    alike = Counter(fact.digest for fact in facts)
    seen: set[int] = set()
    is_copy = np.zeros(len(facts), dtype=bool)
    for place, sampled in enumerate(facts):
        if alike[sampled.digest] == 1 or not 0 < sampled.n_differing < np.inf:
            continue
        cells = _cells(frame, place)
        if cells is not None:
            _, digest = _content(cells)
            is_copy[place] = digest in seen
            seen.add(digest)
    return is_copy


def _best(scores: NDArray[np.float64], limit: int) -> IntArray:
    """Return the positions of the highest scores, evenly spread where the last ones are equal."""
    last = np.sort(scores)[::-1][limit - 1]
    sure, equal = np.flatnonzero(scores > last), np.flatnonzero(scores == last)
    spread = np.linspace(0, len(equal) - 1, limit - len(sure)).round().astype(np.intp)
    return np.sort(np.concatenate([sure, equal[spread]])).astype(np.intp)


def _left_out(name: Any, place: int, dtype: str, facts: _Facts, *, is_copy: bool) -> ColumnSchema:
    return ColumnSchema(
        name=name,
        id=f"c{place}",
        kind=Kind.LEFT_OUT,
        dtype=dtype,
        missing_share=facts.missing_share,
        n_unique=facts.n_unique,
        reason="It is a copy of another column."
        if is_copy
        else "Of too many columns, its rows differ least.",
        parse="string",
    )


def _said(n_columns: int, n_out: int, n_copies: int) -> Finding:
    copies = f"{n_copies:,} copies of other columns, then " if n_copies else ""
    message = (
        f"df has {n_columns:,} feature columns; {n_columns - n_out:,} of them are used. {n_out:,} are left "
        f"out: {copies}those of whose rows the fewest differ, evenly spread among equals. The target was not "
        "looked at."
    )
    way_out = "Choose the columns yourself, or name those that must stay in schema={…}."
    return Finding("too_many_columns", Severity.WARNING, message, way_out)


def _on_memory(n_rows: int, n_columns: int, memory: int | None) -> tuple[Finding, ...]:
    cells = n_rows * n_columns
    if memory is None or LIKELY_BYTES * cells <= memory:
        return ()
    is_hopeless = LEAST_BYTES * cells > memory
    needed = LEAST_BYTES * cells if is_hopeless else LIKELY_BYTES * cells
    message = (
        f"df has {n_rows:,} rows and {n_columns:,} feature columns; a fit needs "
        f"{'at least' if is_hopeless else 'about'} {needed / 2**30:,.1f} GiB of memory, and there are "
        f"{memory / 2**30:,.1f}."
    )
    way_out = "Take a sample of the rows, as by df.sample(frac=0.5), or leave columns out."
    severity = Severity.ERROR if is_hopeless else Severity.WARNING
    return (Finding("memory", severity, message, way_out),)
