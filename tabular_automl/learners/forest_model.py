"""A fitted forest: columns, nodes, and what turns the mean of the trees into predictions."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.state import State, load_state, save_state
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.forest_columns import ForestColumns
from tabular_automl.learners.forest_nodes import PAIRS, ForestNodes, damaged

# So many made-up rows are stored with their predictions, and predicted again at load.
PROBE_ROWS = 4
# So many nodes give a probe row its cells.
PROBE_NODES = 20_000
PROBE_TOLERANCE = 1e-6


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
        """Write the first ``rounds`` trees: node arrays and columns as npz, the target's scale as JSON.

        With them go a few rows, made up from the nodes, and what the trees predict for them.
        """
        nodes = self.nodes.first(rounds or self.rounds)
        probe = _probe_rows(self.columns, nodes)
        facts = {"task": str(self.scale.task), "center": self.scale.center, "spread": self.scale.spread}
        narrow = np.int16 if self.columns.n_columns <= np.iinfo(np.int16).max else np.int32
        arrays = {
            "sizes": nodes.sizes,
            "features": nodes.features.astype(narrow),
            "thresholds": nodes.thresholds,
            "values": nodes.values,
            "probe_rows": probe,
            "probe_predictions": ForestModel(self.columns, nodes, self.scale).predict(probe),
        }
        save_state(State(facts, {**arrays, **self.columns.arrays()}), folder)

    @classmethod
    def load(cls, folder: Path) -> "ForestModel":
        """Read what `save` wrote.

        Raises
        ------
        ArtifactError
            If an array is missing, the arrays make no forest, or one that predicts otherwise than when it
            was saved.
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
        model = cls(columns, nodes, scale)
        model._check(arrays["probe_rows"], arrays["probe_predictions"])
        return model

    def _check(self, rows: FloatArray, predictions: FloatArray) -> None:
        """Refuse a forest whose predictions for the probe rows are not those it was saved with."""
        n_features = len(self.columns.numbers) + len(self.columns.categories)
        if rows.shape[1] != n_features:
            raise damaged(f"its probe rows have {rows.shape[1]} columns instead of {n_features}")
        found = self.predict(rows)
        if found.shape != predictions.shape or not np.allclose(
            found, predictions, rtol=PROBE_TOLERANCE, atol=PROBE_TOLERANCE * self.scale.spread
        ):
            raise damaged("its probe rows get other predictions than when it was saved")


def _probe_rows(columns: ForestColumns, nodes: ForestNodes) -> FloatArray:
    """Return rows that part ways at many nodes: the cells of numbers are thresholds, missing where none is.

    Nothing of the training rows is in them that is not in the nodes.
    """
    rng = np.random.default_rng(0)
    rows = np.full((PROBE_ROWS, len(columns.numbers) + len(columns.categories)), np.nan)
    inner = nodes.features[nodes.features >= 0]
    is_number = inner < len(columns.numbers)
    of_numbers, thresholds = inner[is_number], nodes.thresholds[is_number].astype(np.float64)
    for row in rows:
        if len(of_numbers):
            seen = rng.integers(0, len(of_numbers), min(len(of_numbers), PROBE_NODES))
            place = of_numbers[seen]
            row[columns.numbers[place]] = thresholds[seen] + columns.centers[place]
        row[columns.categories] = rng.integers(0, np.maximum(columns.n_levels, 1))
    return rows


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
    "probe_rows": ("f", 2),
    "probe_predictions": ("f", 2),
}
