"""Canonical data: what every table becomes before a learner sees it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.digest import digest_array, digest_json
from tabular_automl.core.schema import Kind


@dataclass(frozen=True, eq=False)
class Column:
    """One canonical column.

    Attributes
    ----------
    id
        Internal name (`ColumnSchema.id`).
    kind
        Numeric, binary, categorical, datetime or text.
    values
        Shape (n_rows,). Without ``categories``: float64, NaN where missing (datetimes are UTC seconds since
        1970). With ``categories``: int32 codes, -1 where missing or unseen in training.
    categories
        The levels behind the codes, or None for columns of numbers.
    """

    id: str
    kind: Kind
    values: NDArray[np.float64] | NDArray[np.int32]
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """Canonical columns of equal length, in schema order.

    ``n_rows`` is explicit, because a table may have no usable column at all.
    """

    columns: tuple[Column, ...]
    n_rows: int

    def take(self, rows: NDArray[np.intp]) -> "Table":
        """Return the given rows, in that order."""
        taken = tuple(Column(c.id, c.kind, c.values[rows], c.categories) for c in self.columns)
        return Table(taken, len(rows))

    @cached_property
    def digest(self) -> str:
        """Hash of ids, kinds, categories, values and column order."""
        parts = [
            [c.id, c.kind, list(c.categories) if c.categories is not None else None, digest_array(c.values)]
            for c in self.columns
        ]
        return digest_json([self.n_rows, parts])
