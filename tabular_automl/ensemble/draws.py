"""Bootstrap draws of the rows that candidates are weighed on, and how many selections on them there are."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.fitting import FloatArray
from tabular_automl.ensemble.greedy import most_candidates, rows_for, select
from tabular_automl.ensemble.pool import Pool, thinned_rows
from tabular_automl.ensemble.running_mixture import MixtureSource, mixture_source
from tabular_automl.ensemble.selection_cost import affordable_rows, selection_seconds

MOST_DRAWS = 200
SECONDS_OF_ALL_SELECTIONS = 1.0
FEWEST_SELECTIONS = 12
CELLS_A_SELECTION = 150_000
FEWEST_IN_BAG_ROWS = 8_000
COMPARES_CLASSES = frozenset({"roc_auc", "f1"})
AVERAGES_CLASSES = frozenset({"balanced_accuracy", "f1_macro"})


@dataclass(frozen=True, eq=False)
class SelectionOnDraws:
    """The greedy selection of a pool, to be repeated on draws of its rows.

    Attributes
    ----------
    pool, source
        The candidates, and their mixtures on any weighting of the rows.
    limit
        How many candidates so many rows can tell apart.
    in_bag_rows, affordable
        How many rows of a draw a selection looks at, and how many selections there is time for.
    """

    pool: Pool
    source: MixtureSource
    limit: int
    in_bag_rows: int
    affordable: int

    @classmethod
    def of(cls, pool: Pool) -> "SelectionOnDraws":
        """Prepare a pool."""
        return cls(pool, mixture_source(pool), most_candidates(rows_for(pool)), *affordable_selections(pool))

    def weights(self, multiplicity: NDArray[np.intp]) -> FloatArray:
        """Return the weights that the rows of a draw choose, shape (n_candidates,)."""
        row_weight = _in_bag_weight(self.pool, multiplicity, self.in_bag_rows)
        return select(self.source, row_weight, self.limit)


def affordable_selections(pool: Pool) -> tuple[int, int]:
    """Return how many in-bag rows a selection looks at, and the number of selections, by their cost.

    First there are fewer selections, down to 12, then fewer rows, down to 1,000, then fewer selections again.
    """
    n_candidates, n_rows, n_outputs = pool.predictions.shape
    wanted = min(n_rows, max(FEWEST_IN_BAG_ROWS, CELLS_A_SELECTION // (n_candidates * n_outputs)))
    each = SECONDS_OF_ALL_SELECTIONS / FEWEST_SELECTIONS
    in_bag_rows = min(wanted, affordable_rows(pool.metric, n_candidates, n_outputs, each))
    seconds = selection_seconds(pool.metric, n_candidates, n_outputs, in_bag_rows)
    return in_bag_rows, int(np.clip(SECONDS_OF_ALL_SELECTIONS / seconds, 1, MOST_DRAWS))


def units_of(pool: Pool) -> NDArray[np.intp]:
    """Return the unit of resampling each row belongs to, numbered from 0."""
    return np.arange(pool.n_rows) if pool.blocks is None else np.unique(pool.blocks, return_inverse=True)[1]


def bootstrap_draws(
    pool: Pool, rng: np.random.Generator, n_draws: int, *, judged_inside: bool = False
) -> Iterator[NDArray[np.intp]]:
    """Yield how often each row is drawn; drawn again where the metric cannot judge the rows left out.

    Whole blocks are drawn where the pool has blocks. With ``judged_inside`` the rows drawn are those that the
    metric must be able to judge.
    """
    units = units_of(pool)
    n_units = int(units.max()) + 1
    weight = pool.row_weight
    found = 0
    for _ in range(20 * n_draws):
        multiplicity = np.bincount(rng.integers(0, n_units, n_units), minlength=n_units)[units]
        if _can_be_judged(pool, weight * (multiplicity > 0 if judged_inside else multiplicity == 0)):
            found += 1
            yield multiplicity
        if found == n_draws:
            return


def _can_be_judged(pool: Pool, weight: FloatArray) -> bool:
    """Whether some rows have positive weight, of two classes at least where the metric looks at each."""
    rows = weight > 0
    if pool.metric.name in COMPARES_CLASSES | AVERAGES_CLASSES:
        y = pool.y[rows]
        return bool(len(y) and y.min() < y.max())
    return bool(rows.any() and not rows.all())


def _in_bag_weight(pool: Pool, multiplicity: NDArray[np.intp], max_rows: int) -> FloatArray:
    """Return the weights of the rows in a draw, thinned to at most so many rows; 0 for all others."""
    in_bag = np.flatnonzero(multiplicity)
    weight = pool.row_weight * multiplicity
    if len(in_bag) <= max_rows:
        return weight
    classes = None if pool.classes is None else pool.classes[in_bag]
    kept, factor = thinned_rows(len(in_bag), max_rows, classes)
    thinned = np.zeros(pool.n_rows)
    thinned[in_bag[kept]] = weight[in_bag[kept]] * factor
    return thinned
