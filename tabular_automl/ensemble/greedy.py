"""Greedy ensemble selection: which candidates, with which weights."""

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.metrics import Metric
from tabular_automl.ensemble.pool import MAX_ROWS, Pool
from tabular_automl.ensemble.running_mixture import MixtureSource, RunningMixture, mixture_source
from tabular_automl.ensemble.selection_cost import MOST_ENTRANTS, affordable_rows

MAX_STEPS = 25
PATIENCE = 6
TIE = 1e-7
MOST_CANDIDATES = ((100, 4), (500, 8), (2_500, 15), (10_000, 40))
SECONDS_A_SELECTION = 0.3


def greedy_selection(
    predictions: FloatArray,
    y: FloatArray,
    weight: FloatArray | None,
    metric: Metric,
    *,
    max_steps: int = MAX_STEPS,
) -> FloatArray:
    """Choose ensemble weights by greedy forward selection with replacement (Caruana et al., ICML 2004).

    Starts from the best single candidate and adds, again and again, the one that lowers the loss of the
    average most; the best prefix of that sequence is kept. Few rows admit only their best candidates,
    because among many the luckiest would win. Ties go to the earlier candidate. At most 50,000 rows are
    looked at, fewer where candidates and classes are many (`weights_of`), with rare classes kept whole.

    Parameters
    ----------
    predictions
        Out-of-fold predictions, shape (n_candidates, n_rows, n_outputs).
    y
        Shape (n_rows,): the target or class codes.
    weight
        Shape (n_rows,), or None.
    metric
        What is minimised, as a loss.
    max_steps
        Most additions, the first included.

    Returns
    -------
    FloatArray
        Shape (n_candidates,): weights, none negative, that sum to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from tabular_automl.core.metrics import METRICS
    >>> y = np.array([0.0, 1.0, 2.0, 3.0])
    >>> too_high, too_low = (y + 0.5)[:, None], (y - 0.5)[:, None]
    >>> greedy_selection(np.stack([too_high, too_low]), y, None, METRICS["rmse"])
    array([0.5, 0.5])
    """
    return weights_of(Pool.of(predictions, y, weight, metric), max_steps=max_steps)


def weights_of(pool: Pool, *, seconds: float = SECONDS_A_SELECTION, max_steps: int = MAX_STEPS) -> FloatArray:
    """Run the selection on as many rows of a pool as a formula allows for so many core-seconds."""
    pool = pool.thinned(rows_for(pool, seconds))
    return select(mixture_source(pool), pool.row_weight, most_candidates(pool.n_rows), max_steps)


def rows_for(pool: Pool, seconds: float = SECONDS_A_SELECTION) -> int:
    """Return how many rows of a pool a selection looks at: what so many core-seconds pay for."""
    n_candidates, n_rows, n_outputs = pool.predictions.shape
    return int(min(n_rows, MAX_ROWS, affordable_rows(pool.metric, n_candidates, n_outputs, seconds)))


def select(
    source: MixtureSource,
    row_weight: FloatArray,
    limit: int,
    max_steps: int = MAX_STEPS,
) -> FloatArray:
    """Run the selection on rows weighted in any way; a bootstrap draw is such a weighting."""
    mixture = source.on(row_weight)
    alone = mixture.losses()
    entrants = np.sort(np.argsort(alone, kind="stable")[:limit])
    mixture.narrow(entrants)
    counts = _best_prefix(mixture, alone[entrants], max_steps)
    weights = np.zeros(len(alone))
    weights[entrants] = counts / counts.sum()
    return weights


def most_candidates(n_rows: int) -> int:
    """Return how many candidates so many rows can tell apart: from 4 up to 100 rows to 100 above 10,000."""
    return next((limit for rows, limit in MOST_CANDIDATES if n_rows <= rows), MOST_ENTRANTS)


def _best_prefix(mixture: RunningMixture, losses: FloatArray, max_steps: int) -> NDArray[np.intp]:
    """Return how often each candidate is in the best prefix of the greedy sequence."""
    counts = np.zeros(len(losses), dtype=np.intp)
    best, best_counts, stale = float("inf"), counts, 0
    for _ in range(max_steps):
        chosen = _first_lowest(losses)
        counts[chosen] += 1
        if losses[chosen] * (1 + TIE) < best:
            best, best_counts, stale = float(losses[chosen]), counts.copy(), 0
        elif stale == PATIENCE:
            break
        else:
            stale += 1
        mixture.add(chosen)
        losses = mixture.losses()
    return best_counts


def _first_lowest(losses: FloatArray) -> int:
    """Return the lowest loss's position; among ties, also those by rounding, the first."""
    lowest = losses.min()
    return int(np.argmax(losses <= lowest + TIE * abs(lowest)))
