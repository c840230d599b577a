"""Trees as plain arrays: taken from scikit-learn's after growing, and walked by NumPy from then on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.errors import ArtifactError

IntArray = NDArray[np.intp]
Float32Array = NDArray[np.float32]

# Pairs of a row and a tree that are walked together: the arrays of one step stay in the cache.
PAIRS = 16_384


@dataclass(frozen=True, eq=False)
class ForestNodes:
    """The nodes of trees, tree after tree, each level by level from its root.

    In this order the k-th inner node of a tree has its children at 2k + 1 and 2k + 2, so that which nodes are
    leaves says all about a tree's form, and any way from a root ends.

    Attributes
    ----------
    sizes
        Shape (n_trees,), int32: nodes of each tree.
    features
        Shape (n_nodes,), int32: the column an inner node looks at, -1 for a leaf.
    thresholds
        Shape (n_inner,), float32: what is at most this goes to the first child.
    values
        Shape (n_leaves, n_outputs), float32.
    """

    sizes: NDArray[np.int32]
    features: NDArray[np.int32]
    thresholds: Float32Array
    values: Float32Array

    @classmethod
    def joined(cls, parts: Sequence["ForestNodes"]) -> "ForestNodes":
        """Return the trees of all parts, in order."""
        return cls(
            np.concatenate([part.sizes for part in parts]),
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.thresholds for part in parts]),
            np.concatenate([part.values for part in parts]),
        )

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return len(self.sizes)

    def first(self, n_trees: int) -> "ForestNodes":
        """Return the first trees."""
        n_nodes = int(self.sizes[:n_trees].sum())
        n_inner = int(np.count_nonzero(self.features[:n_nodes] >= 0))
        return ForestNodes(
            self.sizes[:n_trees],
            self.features[:n_nodes],
            self.thresholds[:n_inner],
            self.values[: n_nodes - n_inner],
        )

    def check(self, n_columns: int) -> None:
        """Refuse arrays that no forest has: walking them would leave the arrays or never end.

        Raises
        ------
        ArtifactError
            Says what is wrong.
        """
        inner = self.features >= 0
        n_inner = int(np.count_nonzero(inner))
        roots = self._roots
        if self.n_trees == 0 or self.sizes.min() < 1 or int(self.sizes.sum()) != len(self.features):
            raise damaged(f"{len(self.features)} nodes for trees of {int(self.sizes.sum())} nodes")
        if len(self.thresholds) != n_inner or len(self.values) != len(self.features) - n_inner:
            raise damaged(
                f"{len(self.thresholds)} thresholds and {len(self.values)} leaf values for {n_inner} inner "
                f"nodes and {len(self.features) - n_inner} leaves"
            )
        if self.features.min() < -1 or self.features.max() >= n_columns:
            raise damaged(f"a node looks at column {self.features.max()} of {n_columns}")
        if not (np.isfinite(self.values).all() and not np.isnan(self.thresholds).any()):
            raise damaged("a threshold or a leaf value is not a number")
        before = self._inner_before()
        within = np.arange(len(self.features)) - np.repeat(roots, self.sizes)
        if (2 * np.add.reduceat(inner, roots) + 1 != self.sizes).any() or (within > 2 * before)[inner].any():
            raise damaged("a node is nobody's child, or its own")

    def trees(self, M: Float32Array, stop: int | None = None) -> Iterator[Float32Array]:
        """Yield what each of the first ``stop`` trees says about the rows of M, shape (n_rows, n_outputs).

        M, shape (n_rows, n_columns), C-ordered, holds no NaN. However many rows come together, each gets the
        same values.
        """
        stop = self.n_trees if stop is None else min(stop, self.n_trees)
        cells = M.ravel()
        row_starts = np.arange(len(M)) * M.shape[1]
        together = max(1, PAIRS // max(len(M), 1))
        for start in range(0, stop, together):
            roots = self._roots[start : min(start + together, stop)]
            leaves = self._walk(cells, np.tile(row_starts, len(roots)), np.repeat(roots, len(M)))
            yield from self.values.take(leaves, axis=0).reshape(len(roots), len(M), self.values.shape[1])

    def _walk(self, cells: Float32Array, row_starts: IntArray, node: IntArray) -> IntArray:
        """Return the place among the leaf values that each pair of a row and a root comes to."""
        while True:
            seen = cells.take(row_starts + self._columns.take(node))
            above = seen > self._limits.take(node)
            following = np.add(self._children.take(node), above, dtype=np.intp)
            if np.array_equal(following, node):
                return node - self._all_inner_before.take(node)
            node = following

    @cached_property
    def _roots(self) -> IntArray:
        return np.cumsum(self.sizes, dtype=np.intp) - self.sizes

    @cached_property
    def _all_inner_before(self) -> NDArray[np.int32]:
        """Inner nodes before each node, over all trees."""
        inner = self.features >= 0
        return np.cumsum(inner, dtype=np.int32) - inner

    def _inner_before(self) -> NDArray[np.int32]:
        """Return the inner nodes before each node in its own tree."""
        before = self._all_inner_before
        found: NDArray[np.int32] = before - np.repeat(before[self._roots], self.sizes)
        return found

    @cached_property
    def _children(self) -> NDArray[np.int32]:
        """The first child of each inner node; a leaf is its own."""
        nodes = np.arange(len(self.features))
        first = np.repeat(self._roots, self.sizes) + 2 * self._inner_before() + 1
        return np.where(self.features >= 0, first, nodes).astype(np.int32)

    @cached_property
    def _columns(self) -> NDArray[np.int32]:
        return np.maximum(self.features, 0)

    @cached_property
    def _limits(self) -> Float32Array:
        """The threshold of each node; nothing is above a leaf's."""
        limits = np.full(len(self.features), np.inf, dtype=np.float32)
        limits[self.features >= 0] = self.thresholds
        return limits


def level_order(tree: Any) -> IntArray:
    """Return the nodes of a scikit-learn tree level by level."""
    left, right = tree.children_left, tree.children_right
    level = np.zeros(1, dtype=np.intp)
    levels = [level]
    while True:
        inner = level[left[level] >= 0]
        if len(inner) == 0:
            return np.concatenate(levels)
        level = np.column_stack([left[inner], right[inner]]).ravel()
        levels.append(level)


def damaged(what: str) -> ArtifactError:
    """Return the error for arrays that don't make a forest."""
    return ArtifactError(
        f"The forest is damaged or was tampered with: {what}. Use another copy, or fit again."
    )
