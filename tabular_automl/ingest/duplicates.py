"""Find rows that are copies of each other, target included, and tell copies from coincidence."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.folds import FoldPlan
from tabular_automl.core.schema import Finding, Severity
from tabular_automl.core.table import Table

CHANCE = 0.3
"""A row has copies that chance can't explain when fewer equal rows than this were to be expected."""

DEPENDENCE = 0.5
"""Columns depend on each other, so a row is less surprising than independent columns would say: its
information is taken at half."""

NOTABLE_SHARE = 0.01
"""From this share of copies on they are a warning, below a notice."""

_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Copies among rows.

    Attributes
    ----------
    blocks
        Shape (n_rows,): copies that belong together share a number; None when there are none.
    n_copies
        Rows that are a copy of an earlier row, and of them those that chance can't explain.
    n_unexplained
        See ``n_copies``.
    """

    blocks: NDArray[np.intp] | None
    n_copies: int
    n_unexplained: int


def find_duplicates(table: Table, y: FloatArray) -> Duplicates:
    """Group full duplicates (features and target).

    Equal rows are expected where columns have few levels, not where values are measured. Assuming columns
    independent, but trusting only half of the information this gives, fewer than 0.3 expected equal rows
    count as unexplained. Our own plan keeps those rows in one fold.

    Parameters
    ----------
    table, y
        Canonical features and target.
    """
    n_rows = table.n_rows
    alone = Duplicates(None, 0, 0)
    if not table.columns:
        return alone
    hashed = _row_hashes(table, y)
    _, inverse, counts = np.unique(hashed, return_inverse=True, return_counts=True)
    n_copies = n_rows - len(counts)
    if n_copies == 0:
        return alone
    repeated = np.flatnonzero(counts[inverse] > 1)
    information = _information(table, y, repeated, len(counts))
    expected = n_rows * np.exp(-information)
    surprising = repeated[expected < CHANCE]
    if not len(surprising):
        return Duplicates(None, n_copies, 0)
    blocks = np.arange(n_rows) + len(counts)
    blocks[surprising] = inverse[surprising]
    _, numbers = np.unique(blocks, return_inverse=True)
    n_unexplained = n_rows - int(numbers.max()) - 1
    return Duplicates(numbers.astype(np.intp), n_copies, n_unexplained)


def check_duplicates(duplicates: Duplicates, plan: FoldPlan) -> list[Finding]:
    """Say how many rows are copies and what is done about it; warn of copies on both sides of a fold.

    The user's own splitter may tear them apart, and so do groups that copies tie all to one.
    """
    blocks = duplicates.blocks
    if blocks is None:
        return []
    share = duplicates.n_unexplained / len(blocks)
    what = (
        f"{duplicates.n_unexplained} of {len(blocks)} rows ({share:.2%}) are exact copies of another row, "
        "target included, which chance can't explain."
    )
    way_out = "If they are mistakes, use df.drop_duplicates()"
    in_training = [np.isin(blocks[fold.held_out], blocks[fold.train]) for fold in plan.first_repeat]
    n_leaking = sum(seen.any() for seen in in_training)
    if n_leaking:
        n_seen = sum(int(seen.sum()) for seen in in_training)
        message = (
            f"{what} Copies of {n_seen} rows are on both sides of {n_leaking} of {len(in_training)} folds: "
            "scores will be too good."
        )
        way_out += "; else give groups or a splitter that keep copies together, or leave the splitter out."
        return [Finding("copies_split", Severity.WARNING, message, way_out)]
    message = f"{what} Copies are kept in one fold, so that no model is judged on a row it has seen."
    severity = Severity.WARNING if share >= NOTABLE_SHARE else Severity.NOTICE
    return [Finding("duplicate_rows", severity, message, f"{way_out}.")]


def _row_hashes(table: Table, y: FloatArray) -> NDArray[np.uint64]:
    hashed = _mixed(_bits(y))
    for column in table.columns:
        hashed = _mixed(hashed * np.uint64(31) + _bits(column.values))
    return hashed


def _bits(values: NDArray[np.float64] | NDArray[np.int32]) -> NDArray[np.uint64]:
    if values.dtype.kind == "f":
        # one NaN, and -0.0 equal to 0.0
        return np.where(np.isnan(values), np.nan, values + 0.0).view(np.uint64)
    return values.astype(np.int64).view(np.uint64)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix bits as splitmix64 does."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9) + _MIX
    return values ^ (values >> np.uint64(27))


def _information(table: Table, y: FloatArray, rows: NDArray[np.intp], n_distinct: int) -> FloatArray:
    """Return how surprising it is that each of ``rows`` has an equal, in nats.

    It is that of the most surprising column, or of all together, of which half is trusted. Where each of the
    ``n_distinct`` different rows has a value of its own, as with measurements of many digits, none of their
    pairs is equal; then one pair is the most that can be expected.
    """
    log_pairs = np.log(max(n_distinct * (n_distinct - 1) / 2, 1.0))
    total, strongest = np.zeros(len(rows)), np.zeros(len(rows))
    for values in (*(column.values for column in table.columns), y):
        codes, _ = pd.factorize(values, use_na_sentinel=False)  # NaNs are one level
        counts = np.bincount(codes)
        own = -np.log(counts[codes[rows]] / len(values))
        own = np.full(len(rows), log_pairs) if len(counts) == n_distinct else own
        total += own
        strongest = np.maximum(strongest, own)
    return np.maximum(strongest, DEPENDENCE * total)
