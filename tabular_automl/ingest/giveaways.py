"""Find single columns that predict the target so well that they probably give it away."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.schema import Finding, Schema, Severity
from tabular_automl.core.seeds import derive_rng
from tabular_automl.core.table import Column, Table
from tabular_automl.core.task import Task, TaskKind

MAX_ROWS = 10_000
N_BINS = 100

MAX_ERROR = 0.02
"""Share of the zero rule's errors that a column may leave before it is reported."""

MIN_AUC = 0.998
MIN_EXPLAINED = 0.997
"""Share of the variance of the target's ranks that a column must explain to be reported."""

MIN_RANK_CORRELATION = 0.999
"""Numbers that put the rows in the target's own order, or the reverse, are reported whatever their shape."""

MIN_ROWS, MIN_ROWS_FOR_RULES = 10, 50
"""Rows needed to compare orders, and to make a rule on one half and judge it on the other."""


@dataclass(frozen=True)
class _Halves:
    """A sample of rows in two halves: rules are made on the first and judged on the second."""

    y: FloatArray
    codes: NDArray[np.intp]
    n_first: int
    n_classes: int


def check_giveaways(table: Table, y: FloatArray, schema: Schema, task: Task, *, seed: int) -> list[Finding]:
    """Warn of columns that alone predict the target almost perfectly; none is dropped.

    A simple rule (majority class or mean a level or a quantile bin) is made on half of at most 10,000 rows
    and judged on the other half. For regression the target is taken by ranks, and numbers are also compared
    with it by Spearman's rank correlation, which finds copies in tables too small for bins.

    Parameters
    ----------
    table, y
        The canonical table, and the target or class codes.
    schema, task
        For names and reasons.
    seed
        Draws the sample.
    """
    rng = derive_rng(seed, "giveaways")
    rows = rng.permutation(table.n_rows)[:MAX_ROWS]
    sample = y[rows]
    is_regression = task.kind is TaskKind.REGRESSION
    target = _ranks(sample) if is_regression else sample
    found = []
    names = {column.id: str(column.name) for column in schema}
    for column in table.columns:
        strength = _same_order(column, rows, target) if is_regression else ""
        if not strength and len(rows) >= MIN_ROWS_FOR_RULES:
            halves = _Halves(target, _bins(column, rows), len(rows) // 2, max(len(task.classes), 1))
            strength = _regression(halves) if is_regression else _classification(halves)
        if strength:
            found.append(_finding(names[column.id], str(task.target), strength))
    return found


def _finding(name: str, target: str, strength: str) -> Finding:
    message = f"Column {name!r} alone predicts target {target!r} almost perfectly: {strength}."
    way_out = "If it is not known when you predict, it gives the target away: remove it from df."
    return Finding("gives_target_away", Severity.WARNING, message, way_out, name)


def _bins(column: Column, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return codes 0 (missing), 1, 2, …: levels, or at most 100 quantile bins of numbers."""
    values = column.values[rows]
    if column.categories is not None:
        return values.astype(np.intp) + 1
    present = ~np.isnan(values)
    known = np.sort(values[present])
    if not len(known):
        return np.zeros(len(values), dtype=np.intp)
    n_bins = min(N_BINS, max(len(known) // 20, 2))
    edges = np.unique(known[np.linspace(0, len(known) - 1, n_bins + 1).astype(np.intp)[:-1]])
    codes = np.searchsorted(edges, values, side="right")
    return np.where(present, codes, 0).astype(np.intp)


def _classification(halves: _Halves) -> str:
    n, k = halves.n_first, halves.n_classes
    y = halves.y.astype(np.intp)
    n_codes = int(halves.codes.max()) + 1
    if n_codes > n / 2:
        return ""
    counts = np.bincount(halves.codes[:n] * k + y[:n], minlength=n_codes * k).reshape(n_codes, k)
    majority = int(counts.sum(axis=0).argmax())
    rule = np.where(counts.any(axis=1), counts.argmax(axis=1), majority)
    wrong = float((rule[halves.codes[n:]] != y[n:]).mean())
    by_zero_rule = float((y[n:] != majority).mean())
    if by_zero_rule > 0 and wrong <= MAX_ERROR * by_zero_rule:
        by_guessing = 1 - by_zero_rule
        return f"a rule on it alone has {1 - wrong:.2%} right (guessing the largest class: {by_guessing:.2%})"
    if k == 2 and 0 < y[n:].mean() < 1:
        auc = _auc(counts, halves.codes[n:], y[n:])
        if auc >= MIN_AUC:
            return f"its ROC AUC is {auc:.4f}"
    return ""


def _auc(counts: NDArray[np.intp], codes: NDArray[np.intp], y: NDArray[np.intp]) -> float:
    """Return the ROC AUC of the levels' class shares, ties counted half."""
    share = (counts[:, 1] + counts[:, 1].sum() / counts.sum()) / (counts.sum(axis=1) + 1)
    order = np.unique(share, return_inverse=True)[1][codes]
    positive, negative = np.bincount(order, y), np.bincount(order, 1 - y)
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum() / (positive.sum() * negative.sum()))


def _regression(halves: _Halves) -> str:
    n = halves.n_first
    n_codes = int(halves.codes.max()) + 1
    if n_codes > n / 2:
        return ""
    counts = np.bincount(halves.codes[:n], minlength=n_codes)
    sums = np.bincount(halves.codes[:n], halves.y[:n], minlength=n_codes)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), halves.y[:n].mean())
    rest = halves.y[n:]
    spread = float(((rest - rest.mean()) ** 2).sum())
    explained = 1 - float(((rest - means[halves.codes[n:]]) ** 2).sum()) / spread if spread > 0 else 0.0
    return f"it explains {explained:.2%} of the variance of its ranks" if explained >= MIN_EXPLAINED else ""


def _same_order(column: Column, rows: NDArray[np.intp], ranks: FloatArray) -> str:
    """Compare the order of numbers with that of the target, where at least half of them are there."""
    if column.categories is not None:
        return ""
    values = column.values[rows].astype(np.float64, copy=False)
    present = ~np.isnan(values)
    if present.sum() < max(MIN_ROWS, len(rows) / 2):
        return ""
    a, b = _ranks(values[present]), ranks if present.all() else _ranks(ranks[present])
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    correlation = float(a @ b) / scale if scale > 0 else 0.0
    return f"its rank correlation is {correlation:.4f}" if abs(correlation) >= MIN_RANK_CORRELATION else ""


def _ranks(y: FloatArray) -> FloatArray:
    """Return mid-ranks, so that skewed targets don't hide behind one large value."""
    _, inverse, counts = np.unique(y, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]
