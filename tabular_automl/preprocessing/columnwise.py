"""What recipes that treat each column on its own share: the matrix is their columns side by side."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.candidate import Recipe
from tabular_automl.core.fitting import FeatureSpec, FloatArray
from tabular_automl.core.state import State
from tabular_automl.core.table import Column, Table


class ColumnPlan(Protocol):
    """How one column of the table becomes columns of the matrix."""

    def values(self, column: Column) -> FloatArray:
        """Return the columns it makes, shape (n_made, n_rows)."""
        ...


Plan = TypeVar("Plan", bound=ColumnPlan)


@dataclass(frozen=True, eq=False)
class ColumnwiseEncoder(ABC, Generic[Plan]):
    """An encoder of one plan a column; a subclass says how plans are fitted, named and stored.

    Attributes
    ----------
    columns
        The plans, in the order of the table's columns.
    """

    columns: tuple[Plan, ...]

    @property
    @abstractmethod
    def features(self) -> FeatureSpec:
        """The columns of the matrix; one column of zeros where the table gives none."""

    @classmethod
    @abstractmethod
    def column_from_facts(cls, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Plan:
        """Return a plan from its part of the facts, ``state.facts["columns"]``."""

    @classmethod
    def from_state(cls, recipe: Recipe, state: State) -> Self:
        """Build it from what ``state`` returned."""
        del recipe
        return cls(tuple(cls.column_from_facts(facts, state.arrays) for facts in state.facts["columns"]))

    def transform(self, table: Table) -> FloatArray:
        """Return the matrix, shape (n_rows, n_features)."""
        by_column = np.zeros((len(self.features.names), table.n_rows))
        start = 0
        for plan, column in zip(self.columns, table.columns, strict=True):
            block = plan.values(column)
            by_column[start : start + len(block)] = block
            start += len(block)
        return np.ascontiguousarray(by_column.T)
