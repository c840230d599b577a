"""Ranks instead of values while trees grow, and the way back from a split of ranks to one of values."""

from dataclasses import dataclass

import numpy as np

from tabular_automl.core.fitting import FloatArray
from tabular_automl.learners.forest_columns import LARGEST, MISSING
from tabular_automl.learners.forest_nodes import Float32Array, IntArray

# A column of more distinct values is cut at its quantiles.
MOST_CELLS = 1_000
# How far below the lowest rank a missing number lies, as a share of all ranks: so often does a random
# threshold between lowest and highest separate the missing from the rest.
GAP = 0.02
# Between what stands for a missing number and all numbers.
ABOVE_MISSING = np.finfo(np.float32).min


@dataclass(frozen=True, eq=False)
class ForestGrid:
    """Cells of each column, numbered from 0 upwards: its distinct values, or stretches between quantiles.

    A random threshold falls evenly between the lowest and the highest rank, so that long tails and far
    outliers don't draw it away from where the rows are; and neither scale nor the steps of single precision
    matter.

    Attributes
    ----------
    lows, highs
        Lowest and highest training value of each cell, float32, column after column.
    starts
        Shape (n_columns,): where a column's cells start.
    """

    lows: Float32Array
    highs: Float32Array
    starts: IntArray

    @classmethod
    def fit(cls, M: Float32Array) -> tuple["ForestGrid", Float32Array]:
        """Return the grid of a matrix and the matrix's ranks, float32."""
        ranks = np.empty(M.shape, dtype=np.float32)
        lows, highs = [], []
        for column in range(M.shape[1]):
            low, high = _cells(M[:, column])
            found = np.searchsorted(low, M[:, column], side="right") - 1.0
            found[M[:, column] == MISSING] = -max(1.0, GAP * len(low))
            ranks[:, column] = found
            lows.append(low)
            highs.append(high)
        starts = np.cumsum([0, *(len(low) for low in lows)])[:-1]
        return cls(np.concatenate(lows), np.concatenate(highs), starts), ranks

    def thresholds(self, columns: IntArray, splits: FloatArray) -> Float32Array:
        """Return the values at which to split so that training rows go where these splits of ranks send them.

        A value between two cells lies on the side of the nearer one if the split is half way between ranks.
        """
        cells = np.floor(splits)
        places = self.starts[columns] + np.maximum(cells, 0).astype(np.intp)
        below = self.highs[places]
        above = self.lows[np.minimum(places + 1, len(self.lows) - 1)]
        between = below + (splits - cells) * (above.astype(np.float64) - below)
        single = between.astype(np.float32)
        # Not below the lower cell, and still below the upper one: `value <= threshold` tells them apart.
        single = np.maximum(np.minimum(single, np.nextafter(above, -LARGEST)), below)
        return np.where(cells < 0, ABOVE_MISSING, single)


def _cells(column: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Return the lowest and the highest value of each cell of a column."""
    values = np.sort(column[column != MISSING])
    if len(values) == 0:
        return np.zeros(1, dtype=np.float32), np.zeros(1, dtype=np.float32)
    lows = values[np.r_[True, values[1:] != values[:-1]]]
    if len(lows) <= MOST_CELLS:
        return lows, lows
    lows = np.unique(np.quantile(values, np.linspace(0, 1, MOST_CELLS), method="lower"))
    following = np.searchsorted(values, lows[1:])
    return lows, values[np.r_[following - 1, len(values) - 1]]
