"""The recipe of tree learners: numbers as they are, categories as codes, dates and text as a few numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.candidate import Recipe
from tabular_automl.core.fitting import FeatureSpec, FloatArray
from tabular_automl.core.schema import Kind
from tabular_automl.core.state import State
from tabular_automl.core.table import Column, Table
from tabular_automl.preprocessing.columnwise import ColumnwiseEncoder
from tabular_automl.preprocessing.datetime_parts import datetime_parts, varying_parts
from tabular_automl.preprocessing.text_features import COUNTS, frequent_tokens, text_features

MAX_LEVELS = 1_000
ROWS_A_MOMENT = 8


@dataclass(frozen=True, eq=False)
class OrdinalColumn:
    """How one column becomes one or more columns of the matrix.

    Attributes
    ----------
    parts
        Calendar parts of a datetime column.
    tokens
        Words looked for in a text column.
    level_codes
        Shape (n_categories,): the code of each level, all rare ones sharing the last; None to keep codes as
        they are.
    n_levels
        Number of codes of a categorical column, 0 for others.
    moments
        Sorted distinct seconds of a datetime column that many rows share, each a level of one more
        categorical column; None for no such column.
    """

    id: str
    kind: Kind
    parts: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    level_codes: NDArray[np.int32] | None = None
    n_levels: int = 0
    moments: FloatArray | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns it makes."""
        if self.kind is Kind.DATETIME:
            parts = (f"{self.id}_{part}" for part in self.parts)
            return (self.id, *parts, *([f"{self.id}_moment"] * (self.moments is not None)))
        if self.kind is Kind.TEXT:
            words = (f"{self.id}_word{number}" for number in range(len(self.tokens)))
            return (*(f"{self.id}_{count}" for count in COUNTS), *words)
        return (self.id,)

    def values(self, column: Column) -> FloatArray:
        """Return the columns it makes, shape (len(names), n_rows)."""
        if self.kind is Kind.DATETIME:
            seconds = column.values.astype(np.float64, copy=False)
            return np.vstack([seconds, datetime_parts(seconds, self.parts), *self._moment_codes(seconds)])
        if self.kind is Kind.TEXT:
            return text_features(column, self.tokens)
        if column.categories is None:
            return column.values.astype(np.float64, copy=False)[np.newaxis]
        return self._codes(column)[np.newaxis]

    @property
    def categorical(self) -> dict[int, int]:
        """Number of levels of each categorical column it makes, by place among `names`."""
        if self.moments is not None:
            return {len(self.names) - 1: len(self.moments)}
        return {0: self.n_levels} if self.n_levels else {}

    def _moment_codes(self, seconds: FloatArray) -> list[FloatArray]:
        if self.moments is None:
            return []
        codes = np.minimum(np.searchsorted(self.moments, seconds), len(self.moments) - 1)
        return [np.where(self.moments[codes] == seconds, codes, np.nan)]

    def _codes(self, column: Column) -> FloatArray:
        codes = column.values.astype(np.intp)
        found = (
            codes.astype(np.float64)
            if self.level_codes is None
            else self.level_codes[codes].astype(np.float64)
        )
        found[codes < 0] = np.nan
        return found


@dataclass(frozen=True, eq=False)
class OrdinalEncoder(ColumnwiseEncoder[OrdinalColumn]):
    """Numbers and category codes with NaN, dates as seconds and calendar parts, text as counts and words."""

    @classmethod
    def fit(cls, recipe: Recipe, table: Table) -> "OrdinalEncoder":
        """Look at every column once; ``moments`` of the recipe makes levels of dates that many rows share."""
        moments = bool(dict(recipe.params).get("moments"))
        return cls(tuple(fit_ordinal_column(column, moments=moments) for column in table.columns))

    @classmethod
    def column_from_facts(cls, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> OrdinalColumn:
        """Return the plan that `state` described."""
        return column_from_facts(facts, arrays)

    @cached_property
    def features(self) -> FeatureSpec:
        """The columns of the matrix; one column of zeros where the table has none."""
        names: list[str] = []
        categorical: dict[int, int] = {}
        for column in self.columns:
            categorical |= {len(names) + place: n_levels for place, n_levels in column.categorical.items()}
            names.extend(column.names)
        return FeatureSpec(tuple(names) or ("none",), tuple(categorical), tuple(categorical.values()))

    def state(self) -> State:
        """Return kinds, parts and words as facts, level codes and moments as arrays."""
        arrays: dict[str, NDArray[Any]] = {}
        for column in self.columns:
            if column.level_codes is not None:
                arrays[f"{column.id}_level_codes"] = column.level_codes
            if column.moments is not None:
                arrays[f"{column.id}_moments"] = column.moments
        return State({"columns": [column_facts(column) for column in self.columns]}, arrays)


def fit_ordinal_column(
    column: Column, *, max_levels: int | None = MAX_LEVELS, moments: bool = False
) -> OrdinalColumn:
    """Decide how a column becomes numbers; ``max_levels=None`` keeps every level."""
    if column.kind is Kind.DATETIME:
        seconds = column.values.astype(np.float64, copy=False)
        shared = _shared_moments(seconds) if moments else None
        return OrdinalColumn(column.id, column.kind, parts=varying_parts(seconds), moments=shared)
    if column.kind is Kind.TEXT and column.categories is not None:
        return OrdinalColumn(column.id, column.kind, tokens=frequent_tokens(column))
    if column.categories is None or column.kind is not Kind.CATEGORICAL:
        # Two codes are a number like any other: no need for a split on sets of levels.
        return OrdinalColumn(column.id, Kind.NUMERIC)
    n_levels = max(len(column.categories), 1)
    if max_levels is None or n_levels <= max_levels:
        return OrdinalColumn(column.id, column.kind, n_levels=n_levels)
    return OrdinalColumn(
        column.id, column.kind, level_codes=_merge_rare(column, max_levels), n_levels=max_levels
    )


def column_facts(column: OrdinalColumn) -> dict[str, Any]:
    """Return what a column's plan is, without its arrays, as JSON."""
    return {
        "id": column.id,
        "kind": str(column.kind),
        "parts": list(column.parts),
        "tokens": list(column.tokens),
        "n_levels": column.n_levels,
    }


def column_from_facts(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> OrdinalColumn:
    """Return the plan that `column_facts` described."""
    return OrdinalColumn(
        id=facts["id"],
        kind=Kind(facts["kind"]),
        parts=tuple(facts["parts"]),
        tokens=tuple(facts["tokens"]),
        level_codes=arrays.get(f"{facts['id']}_level_codes"),
        n_levels=facts["n_levels"],
        moments=arrays.get(f"{facts['id']}_moments"),
    )


def _shared_moments(seconds: FloatArray) -> FloatArray | None:
    known = seconds[~np.isnan(seconds)]
    moments = np.unique(known)
    shared = 3 <= len(moments) <= MAX_LEVELS and len(moments) * ROWS_A_MOMENT <= len(known)
    return moments if shared else None


def _merge_rare(column: Column, max_levels: int) -> NDArray[np.int32]:
    """Keep the most frequent levels in their order; the others share the last code."""
    n_categories = len(column.categories or ())
    counts = np.bincount(column.values[column.values >= 0].astype(np.intp), minlength=n_categories)
    kept = np.sort(np.argsort(-counts, kind="stable")[: max_levels - 1])
    codes = np.full(n_categories, max_levels - 1, dtype=np.int32)
    codes[kept] = np.arange(len(kept))
    return codes
