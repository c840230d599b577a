"""What families of forests share: growing scikit-learn's trees one by one, and averaging them."""

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.candidate import Params, Value, freeze_params
from tabular_automl.core.fitting import FitContext, FitOutcome, FittedModel, FloatArray, Rows
from tabular_automl.core.metrics import training_loss
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.seeds import derive_rng
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.base import Limits
from tabular_automl.learners.forest_columns import ForestColumns
from tabular_automl.learners.forest_grid import ForestGrid
from tabular_automl.learners.forest_model import ForestModel, ForestScale
from tabular_automl.learners.forest_nodes import Float32Array, ForestNodes, level_order
from tabular_automl.learners.patience import fell_behind
from tabular_automl.learners.prior import smoothed_shares
from tabular_automl.learners.space import MOST_INTEGER, NOT_NEGATIVE, SHARE, Choice, Integer, Space
from tabular_automl.learners.target_scale import TargetScale
from tabular_automl.learners.tree_learner import TreeLearner, default_moments

# A leaf's class shares are drawn to those of all rows as if by so many rows: no probability is 0 or 1.
LEAF_SMOOTHING = 0.1
# Of more columns than this a node need not look at so many.
MANY_COLUMNS = 200


class Forest(TreeLearner):
    """An average of decision trees; a round is a tree.

    Trees are grown one after the other, as fast as by scikit-learn's own forests on one thread, so that a fit
    can end after any of them. They grow on ranks (`ForestGrid`) and are kept as plain arrays (`ForestNodes`).

    Attributes
    ----------
    splitter
        Where a node splits a column it looks at: at the best of all places, or at a random one.
    split_seconds
        Core-seconds of looking at one row of a number, and of a category, at a node.
    leaf_seconds
        Core-seconds of one leaf.
    """

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "scikit-learn")
    late_imports: ClassVar[tuple[str, ...]] = ("sklearn.tree",)
    models_need_imports: ClassVar[bool] = False
    splitter: ClassVar[Literal["best", "random"]]
    split_seconds: ClassVar[tuple[float, float]]
    leaf_seconds: ClassVar[float]

    @abstractmethod
    def column_share(self, shape: ProblemShape) -> str | float:
        """Return the default of ``max_features``: the share of the columns that a node looks at."""

    @abstractmethod
    def tree_weight(
        self, train: Rows, values: Mapping[str, Value], rng: np.random.Generator
    ) -> FloatArray | None:
        """Return how much each row counts for one tree, shape (n_rows,); None: all alike."""

    def defaults(self, shape: ProblemShape) -> Params:
        """Return trees without bounds but for leaves that grow with the rows; the average smooths."""
        values: dict[str, Value] = {
            "max_features": self.column_share(shape),
            "max_leaf_nodes": 0,
            "min_impurity_decrease": 0.0,
            "min_samples_leaf": _leaf_floor(shape),
            "moments": default_moments(shape),
        }
        return freeze_params(values)

    def space(self, shape: ProblemShape) -> Space:
        """Return the ranges known to work; ``max_leaf_nodes=0`` is no bound.

        ``moments`` makes categories of dates that many rows share, beside their calendar parts.
        """
        del shape
        return Space(
            (
                Choice("max_features", ("sqrt", 0.25, 0.5, 0.75, 1.0), limits=SHARE),
                Integer("min_samples_leaf", 1, 40, log=True, limits=(1, MOST_INTEGER)),
                Integer("max_leaf_nodes", 0, 50_000, limits=(0, MOST_INTEGER)),
                Choice("min_impurity_decrease", (0.0, 1e-5, 1e-4, 1e-3), limits=NOT_NEGATIVE),
                Choice("moments", (True, False)),
            )
        )

    def cost(self, shape: ProblemShape, params: Params, rounds: int) -> float:
        """Return core-seconds: each level of a tree looks at a share of the columns of all rows."""
        values = self.values(shape, params)
        leaf = int(values["min_samples_leaf"] or 1)
        columns = max(1, shape.n_numeric + 2 * shape.n_categorical)
        share = columns**-0.5 if values["max_features"] == "sqrt" else float(values["max_features"] or 1.0)
        by_number, by_category = self.split_seconds
        looks = by_number * shape.n_numeric + by_category * 2 * shape.n_categorical
        by_row = shape.n_rows * math.log2(1 + shape.n_rows / leaf) * max(share, 1 / columns) * looks
        by_leaf = self.leaf_seconds * shape.n_rows / (2 * leaf)
        return 2e-3 + 8e-8 * shape.n_rows * columns + rounds * (6e-4 + by_leaf + by_row)

    def memory(self, shape: ProblemShape, params: Params) -> float:
        """Return bytes: rows, their ranks, nodes of all trees with the values of each class."""
        leaf = int(self.values(shape, params)["min_samples_leaf"] or 1)
        rows, columns = shape.n_rows, max(1, shape.n_numeric + 2 * shape.n_categorical)
        leaves = rows / (1.4 * leaf)
        tree = leaves * (30.0 + 4.0 * shape.n_outputs)
        trees = 4.0 * self.expected_rounds(shape, params) * tree
        return 20.0 * rows * columns + trees + leaves * (200.0 + 24.0 * shape.n_outputs)

    def limits(self, shape: ProblemShape, params: Params) -> Limits:
        """Return the number of trees: on many rows a tree costs more and the average needs fewer."""
        del params
        return Limits(int(np.clip(400_000 // max(shape.n_rows, 1), 100, 200)), None)

    def refit_rounds(self, joint_round: int, growth: float) -> int:
        """Return the same number of trees: it need not grow with the rows."""
        del growth
        return joint_round

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        """Grow ``context.max_rounds`` trees, or as many as there is time for."""
        values = self.values(context.shape, params)
        columns = ForestColumns.fit(train, context.features, context.shape)
        target = _Target.of(train, context.shape)
        scale = target.scale
        watched = None if held_out is None else _Watched(held_out, columns.transform(held_out.X), scale)
        trees: list[ForestNodes] = []
        given_up = False
        for tree in self._trees(train, target, columns.transform(train.X), values=values, context=context):
            trees.append(tree)
            if watched is not None:
                watched.see(tree)
                given_up = fell_behind(min(watched.curve), len(trees), context.bar)
            if given_up or context.should_stop():
                break
        model = ForestModel(columns, ForestNodes.joined(trees), scale)
        curve = np.array([] if watched is None else watched.curve)
        return FitOutcome(model, curve, given_up or len(trees) >= context.max_rounds, given_up)

    def load(self, folder: Path) -> FittedModel:
        """Return the saved model."""
        return ForestModel.load(folder)

    def _trees(
        self,
        train: Rows,
        target: "_Target",
        M: Float32Array,
        *,
        values: Mapping[str, Value],
        context: FitContext,
    ) -> Iterator[ForestNodes]:
        grid, ranks = ForestGrid.fit(M)
        rng = derive_rng(context.seed, self.family)
        for _ in range(context.max_rounds):
            weight = self.tree_weight(train, values, rng)
            grown = target.new_tree(self._settings(values, len(ranks), int(rng.integers(2**31))))
            grown.fit(ranks, target.y, weight)
            yield _nodes(grown.tree_, grid, target)

    def _settings(self, values: Mapping[str, Value], n_rows: int, seed: int) -> dict[str, Any]:
        """Return scikit-learn's names for hyperparameters."""
        leaf, leaves = int(values["min_samples_leaf"] or 1), int(values["max_leaf_nodes"] or 0)
        return {
            "splitter": self.splitter,
            "max_features": values["max_features"],
            "min_samples_leaf": leaf,
            # A bound that cannot be met costs a queue of nodes for nothing.
            "max_leaf_nodes": max(2, leaves) if 0 < leaves * leaf < n_rows else None,
            "min_impurity_decrease": values["min_impurity_decrease"],
            "random_state": seed,
        }


@dataclass(frozen=True, eq=False)
class _Target:
    """What trees are grown on.

    Two classes are told apart by squared error of 0 and 1, which ranks splits as the Gini impurity does.

    Attributes
    ----------
    y
        Shape (n_rows,): scaled values, 0 and 1, or classes 0, 1, … of those that are present.
    present
        Which outputs a tree of several classes tells apart.
    prior
        Shape (n_outputs,): smoothed shares of the classes in all rows; None for a regression.
    scale
        Back from what trees say to predictions.
    """

    y: NDArray[Any]
    present: NDArray[np.intp]
    prior: FloatArray | None
    scale: ForestScale

    @classmethod
    def of(cls, train: Rows, shape: ProblemShape) -> "_Target":
        """Return the target of a fit."""
        found = TargetScale.of(train, shape.task)
        scale = ForestScale(shape.task, found.center, found.spread)
        if shape.task is TaskKind.REGRESSION:
            return cls((train.y - scale.center) / scale.spread, np.zeros(1, dtype=np.intp), None, scale)
        shares = smoothed_shares(train, max(shape.n_outputs, 2))
        if shape.task is TaskKind.BINARY:
            return cls(train.y, np.zeros(1, dtype=np.intp), shares[1:], scale)
        present, codes = np.unique(train.y.astype(np.intp), return_inverse=True)
        return cls(codes, present, shares, scale)

    def new_tree(self, settings: Mapping[str, Any]) -> Any:
        """Return a tree of scikit-learn; imported here, as predictions do without."""
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        if self.y.dtype.kind == "i":
            return DecisionTreeClassifier(**settings)
        return DecisionTreeRegressor(**settings)

    def leaf_values(self, tree: Any, leaves: NDArray[np.intp]) -> FloatArray:
        """Return the values of a tree's leaves, shape (n_leaves, n_outputs)."""
        found = tree.value[leaves, 0]
        if self.prior is None:
            return np.asarray(found)
        shares = np.zeros((len(leaves), len(self.prior)))
        shares[:, self.present] = found
        weight = tree.weighted_n_node_samples[leaves, np.newaxis]
        smoothed: FloatArray = (weight * shares + LEAF_SMOOTHING * self.prior) / (weight + LEAF_SMOOTHING)
        return smoothed


class _Watched:
    """Held-out rows that see every tree once; ``curve`` has the loss of the mean after each."""

    def __init__(self, held_out: Rows, M: Float32Array, scale: ForestScale) -> None:
        self.curve: list[float] = []
        self._held_out = held_out
        self._M = M
        self._scale = scale
        self._total: FloatArray | float = 0.0

    def see(self, tree: ForestNodes) -> None:
        """Add one tree."""
        # A copy: what nodes compute to be walked is kept with them, and no single tree is walked again.
        self._total = self._total + next(replace(tree).trees(self._M)).astype(np.float64)
        predictions = self._scale.predictions(self._total / (len(self.curve) + 1))
        loss = training_loss(self._scale.task)
        self.curve.append(loss.loss(self._held_out.y, predictions, self._held_out.weight))


def _leaf_floor(shape: ProblemShape) -> int:
    """Return the rows a leaf needs: few where the target may be free of noise, more for two classes."""
    if shape.task is TaskKind.BINARY:
        return int(np.clip(shape.n_rows // 2_000, 3, 15))
    return int(np.clip(shape.n_rows // 3_000, 1, 5))


def _nodes(tree: Any, grid: ForestGrid, target: _Target) -> ForestNodes:
    """Take a tree out of scikit-learn's hands."""
    order = level_order(tree)
    is_leaf = tree.children_left[order] < 0
    inner, leaves = order[~is_leaf], order[is_leaf]
    return ForestNodes(
        np.array([len(order)], dtype=np.int32),
        np.where(is_leaf, -1, tree.feature[order]).astype(np.int32),
        grid.thresholds(tree.feature[inner], tree.threshold[inner]),
        target.leaf_values(tree, leaves).astype(np.float32),
    )
