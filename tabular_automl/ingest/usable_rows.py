"""Leave out rows without a usable target, where the user says so."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabular_automl.core.errors import InputError
from tabular_automl.core.options import Options
from tabular_automl.core.schema import Finding, Severity
from tabular_automl.ingest.cells import read_cells
from tabular_automl.ingest.checks import MIN_ROWS
from tabular_automl.ingest.roles import Roles
from tabular_automl.ingest.target_cells import missing_and_infinite

IntArray = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class UsableRows:
    """The parts of a training table without the rows that have no target.

    Attributes
    ----------
    roles, splitter
        What is left of them.
    kept
        Shape (n_kept,): positions in the caller's table; None when all rows are kept.
    findings
        How many rows were left out, and why.
    """

    roles: Roles
    splitter: Any
    kept: IntArray | None = None
    findings: tuple[Finding, ...] = ()


def usable_rows(roles: Roles, options: Options) -> UsableRows:
    """Leave out rows whose target is missing or infinite, if ``options.missing_target`` is ``drop``.

    A splitter of row positions keeps its folds, with the positions of the rows that are left.

    Raises
    ------
    InputError
        If too few rows are left, or a fold of the splitter loses all of them.
    """
    everything = UsableRows(roles, options.splitter)
    if options.missing_target != "drop":
        return everything
    missing, infinite = missing_and_infinite(read_cells(roles.target, options.target))
    n_rows = len(missing)
    kept = np.flatnonzero(~(missing | infinite)).astype(np.intp)
    if len(kept) == n_rows:
        return everything
    if len(kept) < MIN_ROWS:
        raise InputError(
            f"Target {str(options.target)!r} is usable in {len(kept)} of {n_rows} rows only; at least "
            f"{MIN_ROWS} are needed."
        )
    found = _dropped(str(options.target), n_rows, int(missing.sum()), int(infinite.sum()))
    splitter = _cut_splitter(options.splitter, kept, n_rows)
    return UsableRows(_take(roles, kept), splitter, kept, (found,))


def take_rows(values: Any, kept: IntArray | None) -> Any:
    """Return the kept rows of what has one value a row; with ``kept=None``, all of them."""
    if kept is None or values is None:
        return values
    if isinstance(values, pd.Series | pd.DataFrame):
        return values.iloc[kept]
    return take_rows(values.to_pandas(), kept) if hasattr(values, "to_pandas") else np.asarray(values)[kept]


def _take(roles: Roles, kept: IntArray) -> Roles:
    return Roles(
        features=roles.features.iloc[kept],
        target=roles.target.iloc[kept],
        weight=take_rows(roles.weight, kept),
        groups=take_rows(roles.groups, kept),
        time=take_rows(roles.time, kept),
        names=roles.names,
    )


def _dropped(target: str, n_rows: int, n_missing: int, n_infinite: int) -> Finding:
    reasons = [f"{n_missing} missing"] * (n_missing > 0) + [f"{n_infinite} infinite"] * (n_infinite > 0)
    n_dropped = n_missing + n_infinite
    message = (
        f"{n_dropped} of {n_rows} rows ({n_dropped / n_rows:.2%}) are left out, as missing_target='drop' "
        f"says: they have no usable target {target!r} ({', '.join(reasons)})."
    )
    way_out = "The score speaks of rows like the others."
    return Finding("dropped_rows", Severity.NOTICE, message, way_out, target)


def _cut_splitter(splitter: Any, kept: IntArray, n_rows: int) -> Any:
    """Translate pairs of row positions; a splitter object splits what is left by itself."""
    is_pairs = isinstance(splitter, Iterable) and not isinstance(splitter, str)
    if not is_pairs or hasattr(splitter, "split"):
        return splitter
    place = np.full(n_rows, -1, dtype=np.intp)
    place[kept] = np.arange(len(kept))
    return [_cut_pair(pair, place, number) for number, pair in enumerate(splitter)]


def _cut_pair(pair: Any, place: IntArray, number: int) -> Any:
    """Return a pair with new positions; what is no pair of positions is left for the fold plan to refuse."""
    try:
        given = [np.asarray(rows) for rows in pair]
        if any(rows.dtype != bool and rows.min(initial=0) < 0 for rows in given):
            return pair
        cut = [place[rows] for rows in given]
    except (IndexError, TypeError, ValueError):
        return pair
    left = [rows[rows >= 0] for rows in cut]
    if any(len(before) and not len(after) for before, after in zip(cut, left, strict=True)):
        raise InputError(
            f"Fold {number} of the splitter has no row with a usable target on one of its sides. Leave that "
            "fold out."
        )
    return tuple(left)
