"""The recipe of linear learners: everything on one scale, nothing missing, categories as indicators."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.candidate import Recipe
from tabular_automl.core.fitting import FeatureSpec, FloatArray
from tabular_automl.core.state import State
from tabular_automl.core.table import Column, Table
from tabular_automl.preprocessing.columnwise import ColumnwiseEncoder
from tabular_automl.preprocessing.datetime_parts import PERIODS
from tabular_automl.preprocessing.number_scale import NumberScale, fit_number_scale
from tabular_automl.preprocessing.ordinal import (
    OrdinalColumn,
    column_facts,
    column_from_facts,
    fit_ordinal_column,
)

MAX_LEVELS = 50
MOST_COLUMNS = 2_000
MOST_CELLS = 60_000_000


@dataclass(frozen=True, eq=False)
class LinearColumn:
    """How one column of the table becomes columns of the matrix.

    Attributes
    ----------
    source
        The numbers it starts from, the same as tree learners get.
    scales
        One for each number of ``source``; empty for categorical columns.
    levels
        Codes of the levels with an indicator of their own.
    other, missing
        Whether there is an indicator for the other levels, and for missing cells.
    """

    source: OrdinalColumn
    scales: tuple[NumberScale, ...] = ()
    levels: tuple[int, ...] = ()
    other: bool = False
    missing: bool = False

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the columns it makes."""
        if self.source.n_levels:
            names = [f"{self.source.id}_is{level}" for level in self.levels]
            names += [f"{self.source.id}_other"] * self.other + [f"{self.source.id}_missing"] * self.missing
            return tuple(names)
        scaled = [name for name, scale in self._scaled() for name in scale.names(name)]
        cycles = [f"{self.source.id}_{part}_{wave}" for part in self._cyclic for wave in ("sin", "cos")]
        return (*scaled, *cycles)

    def values(self, column: Column) -> FloatArray:
        """Return the columns it makes, shape (len(names), n_rows), without NaN."""
        if self.source.n_levels:
            return self._indicators(column)
        numbers = self.source.values(column)
        scaled = [scale.values(row) for scale, row in zip(self.scales, numbers, strict=True)]
        return np.vstack([*scaled, *self._cycles(numbers)]) if scaled else np.empty((0, len(column.values)))

    @property
    def _cyclic(self) -> tuple[str, ...]:
        return tuple(part for part in self.source.parts if part in PERIODS)

    def _scaled(self) -> list[tuple[str, NumberScale]]:
        return list(zip(self.source.names, self.scales, strict=True))

    def _cycles(self, numbers: FloatArray) -> list[FloatArray]:
        rows: list[FloatArray] = []
        for part in self._cyclic:
            values = numbers[1 + self.source.parts.index(part)]
            angle = np.where(np.isnan(values), 0.0, values) * (2 * np.pi / PERIODS[part])
            known = ~np.isnan(values)
            rows += [np.sin(angle) * known, np.cos(angle) * known]
        return rows

    def _indicators(self, column: Column) -> FloatArray:
        codes = column.values.astype(np.intp)
        place = np.full(len(column.categories or ()) + 1, len(self.levels) if self.other else -1)
        place[list(self.levels)] = np.arange(len(self.levels))
        place[-1] = len(self.names) - 1 if self.missing else -1  # code -1: missing or unseen
        found = np.zeros((len(self.names) + 1, len(codes)))
        found[place[codes], np.arange(len(codes))] = 1.0  # place -1 falls into the extra row
        return found[:-1]


@dataclass(frozen=True, eq=False)
class LinearEncoder(ColumnwiseEncoder[LinearColumn]):
    """Imputed, unskewed, standardised numbers with missing indicators, one-hot levels, cycles of dates.

    Nothing in its matrix is NaN.
    """

    @classmethod
    def fit(cls, recipe: Recipe, table: Table) -> "LinearEncoder":
        """Look at every column once; ``knots`` of the recipe adds that many hinges to each number."""
        knots = int(dict(recipe.params).get("knots") or 0)
        n_columns = max(len(table.columns), 1)
        affordable = min(MOST_COLUMNS, MOST_CELLS // max(table.n_rows, 1))
        max_levels = int(np.clip(affordable // n_columns, 2, MAX_LEVELS))
        knots = int(np.clip(affordable // n_columns - 2, 0, knots))
        return cls(tuple(_fit_column(column, max_levels, knots) for column in table.columns))

    @classmethod
    def column_from_facts(cls, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> LinearColumn:
        """Return the plan that `state` described."""
        return LinearColumn(
            source=column_from_facts(facts["source"], arrays),
            scales=tuple(NumberScale.from_facts(scale) for scale in facts["scales"]),
            levels=tuple(facts["levels"]),
            other=facts["other"],
            missing=facts["missing"],
        )

    @cached_property
    def features(self) -> FeatureSpec:
        """The columns of the matrix; one column of zeros where the table gives none."""
        return FeatureSpec(tuple(name for column in self.columns for name in column.names) or ("none",))

    def state(self) -> State:
        """Return kinds, scales and levels as facts."""
        return State({"columns": [_facts(column) for column in self.columns]})


def _fit_column(column: Column, max_levels: int, knots: int) -> LinearColumn:
    source = fit_ordinal_column(column, max_levels=None)
    if source.n_levels:
        return _fit_indicators(source, column, max_levels)
    return LinearColumn(source, tuple(fit_number_scale(row, knots) for row in source.values(column)))


def _fit_indicators(source: OrdinalColumn, column: Column, max_levels: int) -> LinearColumn:
    codes = column.values.astype(np.intp)
    counts = np.bincount(codes[codes >= 0], minlength=source.n_levels)
    by_frequency = np.argsort(-counts, kind="stable")[:max_levels]
    enough = counts[by_frequency] >= max(5.0, 0.001 * len(codes))
    levels = np.sort(by_frequency[enough])
    other = bool(counts.sum() > counts[levels].sum())
    return LinearColumn(source, levels=tuple(levels.tolist()), other=other, missing=bool((codes < 0).any()))


def _facts(column: LinearColumn) -> dict[str, Any]:
    return {
        "source": column_facts(column.source),
        "scales": [scale.facts() for scale in column.scales],
        "levels": list(column.levels),
        "other": column.other,
        "missing": column.missing,
    }
