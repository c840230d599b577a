"""A fitted forest: columns, nodes, and what turns the mean of the trees into predictions."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.state import State, load_state, save_state
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.forest_columns import ForestColumns
from tabular_automl.learners.forest_nodes import PAIRS, ForestNodes, damaged


@dataclass(frozen=True)
class ForestScale:
    """From the mean of the trees to predictions; trees of a regression see a centred and scaled target."""

    task: TaskKind
    center: float = 0.0
    spread: float = 1.0

    def predictions(self, mean: FloatArray) -> FloatArray:
        """Return values or probabilities, shape (n, n_outputs)."""
        if self.task is TaskKind.REGRESSION:
            return mean * self.spread + self.center
        if self.task is TaskKind.BINARY:
            return mean
        # Single precision leaves sums that are a little off.
        normalised: FloatArray = mean / mean.sum(axis=1, keepdims=True)
        return normalised


@dataclass(frozen=True, eq=False)
class ForestModel:
    """A forest with all its trees; a round is a tree.

    Nothing of scikit-learn is left in it: a saved model loads with any version of that, and gives the same.
    """

    columns: ForestColumns
    nodes: ForestNodes
    scale: ForestScale

    @property
    def rounds(self) -> int:
        """Number of trees."""
        return self.nodes.n_trees

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        """Return the mean of the first ``rounds`` trees, shape (n, n_outputs)."""
        rounds = min(rounds or self.rounds, self.rounds)
        total = np.zeros((len(X), self.nodes.values.shape[1]))
        for start in range(0, len(X), PAIRS):
            rows = slice(start, start + PAIRS)
            for values in self.nodes.trees(self.columns.transform(X[rows]), rounds):
                total[rows] += values
        return self.scale.predictions(total / rounds)

    def save(self, folder: Path, rounds: int | None = None) -> None:
        """Write the first ``rounds`` trees: node arrays and columns as npz, the target's scale as JSON."""
        nodes = self.nodes.first(rounds or self.rounds)
        facts = {"task": str(self.scale.task), "center": self.scale.center, "spread": self.scale.spread}
        narrow = np.int16 if self.columns.n_columns <= np.iinfo(np.int16).max else np.int32
        arrays = {
            "sizes": nodes.sizes,
            "features": nodes.features.astype(narrow),
            "thresholds": nodes.thresholds,
            "values": nodes.values,
        }
        save_state(State(facts, {**arrays, **self.columns.arrays()}), folder)

    @classmethod
    def load(cls, folder: Path) -> "ForestModel":
        """Read what `save` wrote.

        Raises
        ------
        ArtifactError
            If an array is missing or the arrays make no forest.
        """
        state = load_state(folder)
        arrays = dict(state.arrays)
        for name, (kinds, n_axes) in _FORM.items():
            if name not in arrays:
                raise damaged(f"the array '{name}' is missing")
            if arrays[name].dtype.kind not in kinds or arrays[name].ndim != n_axes:
                raise damaged(f"'{name}' is {arrays[name].dtype} with {arrays[name].ndim} axes")
        columns = ForestColumns.from_arrays(arrays)
        nodes = ForestNodes(
            arrays["sizes"].astype(np.int32),
            arrays["features"].astype(np.int32),
            arrays["thresholds"].astype(np.float32, copy=False),
            arrays["values"].astype(np.float32, copy=False),
        )
        nodes.check(columns.n_columns)
        scale = ForestScale(TaskKind(state.facts["task"]), state.facts["center"], state.facts["spread"])
        return cls(columns, nodes, scale)


# Kind of each array (i: whole numbers, f: floating) and number of its axes.
_FORM = {
    "sizes": ("i", 1),
    "features": ("i", 1),
    "thresholds": ("f", 1),
    "values": ("f", 2),
    "numbers": ("i", 1),
    "categories": ("i", 1),
    "centers": ("f", 1),
    "fills": ("f", 1),
    "n_levels": ("i", 1),
    "places": ("f", 2),
}
