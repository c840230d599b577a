"""The matrix forests look at: single precision without NaN, levels of categories in two meaningful orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.fitting import FeatureSpec, FloatArray, Rows
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.forest_nodes import Float32Array, IntArray, damaged

# Numbers are held within this; beyond are infinities and what single precision cannot hold.
LARGEST = np.float32(3.4e38)
# Stands for a missing number where training rows had some: below all others.
MISSING = np.float32(-np.inf)
# A level of fewer rows is not placed by its targets: single rows would tell a tree their own target.
ROWS_A_LEVEL = 50
# A level's mean target is drawn to that of all rows as if by so many rows.
SMOOTHING = 10.0


@dataclass(frozen=True, eq=False)
class ForestColumns:
    """From the encoded matrix, float64 with NaN and codes, to the one forests look at.

    A category becomes two columns: its levels in the order of their mean target (for several classes: along
    the axis on which their class shares differ most), and in the order of their frequency. A missing category
    is a level like any other. Both orders are those of the rows of the fit.

    Attributes
    ----------
    numbers, categories
        Positions of both kinds in the encoded matrix.
    centers
        Shape (n_numbers,): subtracted before single precision would swallow the digits that differ.
    fills
        Shape (n_numbers,), float32: stands for a missing number.
    n_levels
        Shape (n_categories,).
    places
        Shape (sum of levels + 1 each, 2), float32: the place of each level in both orders, the missing last.
    """

    numbers: IntArray
    categories: IntArray
    centers: FloatArray
    fills: Float32Array
    n_levels: IntArray
    places: Float32Array

    @classmethod
    def fit(cls, train: Rows, features: FeatureSpec, shape: ProblemShape) -> "ForestColumns":
        """Look at the rows of one fit."""
        categories = np.array(features.categorical, dtype=np.intp)
        numbers = np.setdiff1d(np.arange(len(features.names)), categories)
        centers, fills = np.zeros(len(numbers)), np.zeros(len(numbers), dtype=np.float32)
        for place, column in enumerate(numbers):
            centers[place], fills[place] = _center_and_fill(train.X[:, column])
        places = [np.empty((0, 2))]
        for column, n_levels in zip(categories, features.n_levels, strict=True):
            places.append(_Levels.of(train.X[:, column], n_levels).places(train, shape))
        n_levels_ = np.array(features.n_levels, dtype=np.intp)
        return cls(numbers, categories, centers, fills, n_levels_, np.concatenate(places).astype(np.float32))

    @property
    def n_columns(self) -> int:
        """Number of columns that `transform` makes."""
        return len(self.numbers) + 2 * len(self.categories)

    def transform(self, X: FloatArray) -> Float32Array:
        """Return the matrix, shape (n_rows, n_columns), C-ordered, without NaN."""
        n_numbers = len(self.numbers)
        M = np.empty((len(X), self.n_columns), dtype=np.float32)
        with np.errstate(over="ignore"):
            values = X[:, self.numbers] - self.centers
        missing = np.isnan(values)
        M[:, :n_numbers] = np.clip(values, -LARGEST, LARGEST, out=values)
        np.copyto(M[:, :n_numbers], self.fills, where=missing)
        codes = X[:, self.categories]
        known = (codes >= 0) & (codes < self.n_levels)
        starts = np.cumsum(self.n_levels + 1) - self.n_levels - 1
        levels = np.where(known, codes, self.n_levels).astype(np.intp) + starts
        M[:, n_numbers:] = self.places.take(levels, axis=0).reshape(len(X), 2 * len(self.categories))
        return M

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `from_arrays` needs."""
        return {
            "numbers": self.numbers.astype(np.int32),
            "categories": self.categories.astype(np.int32),
            "centers": self.centers,
            "fills": self.fills,
            "n_levels": self.n_levels.astype(np.int32),
            "places": self.places,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "ForestColumns":
        """Return the columns whose `arrays` these are.

        Raises
        ------
        ArtifactError
            If they don't fit together.
        """
        numbers, categories = arrays["numbers"].astype(np.intp), arrays["categories"].astype(np.intp)
        n_levels = arrays["n_levels"].astype(np.intp)
        if (n_levels < 0).any():
            raise damaged(f"a category has {n_levels.min()} levels")
        found = cls(numbers, categories, arrays["centers"], arrays["fills"], n_levels, arrays["places"])
        expected = {
            "centers": (len(numbers),),
            "fills": (len(numbers),),
            "n_levels": (len(categories),),
            "places": (int((n_levels + 1).sum()), 2),
        }
        for name, shape in expected.items():
            if arrays[name].shape != shape:
                raise damaged(f"'{name}' has shape {arrays[name].shape} instead of {shape}")
        positions = np.sort(np.concatenate([numbers, categories]))
        if not np.array_equal(positions, np.arange(len(positions))):
            raise damaged("a column of the encoded matrix is missing, or is there twice")
        for name, values in (("centers", found.centers), ("fills", found.fills), ("places", found.places)):
            if np.isnan(values).any():
                raise damaged(f"'{name}' holds NaN")
        return found


@dataclass(frozen=True, eq=False)
class _Levels:
    """The level of each row, missing as the last, and how many rows each has."""

    codes: IntArray
    counts: IntArray

    @classmethod
    def of(cls, column: FloatArray, n_levels: int) -> "_Levels":
        codes = np.where(np.isnan(column), n_levels, column).astype(np.intp)
        return cls(codes, np.bincount(codes, minlength=n_levels + 1))

    def places(self, train: Rows, shape: ProblemShape) -> FloatArray:
        """Return the places of the levels in both orders, shape (n_levels + 1, 2)."""
        # Levels of few rows are one group: what they have in common is all that is known of them.
        group = np.where(self.counts < ROWS_A_LEVEL, len(self.counts), np.arange(len(self.counts)))
        effects = _effects(group[self.codes], train, len(self.counts) + 1, shape)
        by_target = np.unique(effects[group], return_inverse=True)[1]
        by_frequency = np.argsort(np.argsort(self.counts, kind="stable"), kind="stable")
        return np.column_stack([by_target, by_frequency]).astype(np.float64)


def _center_and_fill(column: FloatArray) -> tuple[float, np.float32]:
    """Return what to subtract from a column of numbers, and what stands for a missing one afterwards."""
    finite = column[np.isfinite(column)]
    center = float(np.median(finite)) if len(finite) else 0.0
    # Where no training row misses the number, a row that does gets the middle.
    return center, MISSING if np.isnan(column).any() else np.float32(0.0)


def _effects(groups: IntArray, train: Rows, n_groups: int, shape: ProblemShape) -> FloatArray:
    """Return by how much the target of each group differs from that of all rows, as one number a group."""
    weight = np.ones(len(groups)) if train.weight is None else train.weight
    totals = np.bincount(groups, weight, minlength=n_groups)
    if shape.task is not TaskKind.MULTICLASS:
        y = train.y - np.average(train.y, weights=weight)
        return np.bincount(groups, weight * y, minlength=n_groups) / (totals + SMOOTHING)
    n_classes = shape.n_outputs
    cells = groups * n_classes + train.y.astype(np.intp)
    counts = np.bincount(cells, weight, minlength=n_groups * n_classes).reshape(n_groups, n_classes)
    shares = counts.astype(np.float64)
    shares -= totals[:, np.newaxis] * shares.sum(axis=0) / totals.sum()
    shares /= totals[:, np.newaxis] + SMOOTHING
    axis = np.linalg.svd(shares * np.sqrt(totals)[:, np.newaxis], full_matrices=False)[2][0]
    # The sign of a principal axis is arbitrary, but must be the same everywhere.
    effects: FloatArray = shares @ axis * np.sign(axis[np.argmax(np.abs(axis))])
    return effects
