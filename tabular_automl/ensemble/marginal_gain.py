"""What some candidates bring the ensemble: with them against without them, on the same rows."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from tabular_automl.ensemble.choose import Chosen
from tabular_automl.ensemble.greedy import weights_of


def marginal_gain(chosen: Chosen, keys: Collection[str], *, seconds: float) -> float:
    """Return by which share of itself the loss would be higher without some candidates; at least 0.

    Both selections are made and judged on the rows of ``chosen.pool``: from one set of candidates to the next
    these may be others, which alone would move the loss.

    Parameters
    ----------
    chosen
        The ensemble so far, from a look (`choose`).
    keys
        Keys of the candidates.
    seconds
        About how many core-seconds the selection without them may take.

    Returns
    -------
    float
        0 where none of them carries weight, 1 where nothing else is there.
    """
    is_one = np.array([fit.candidate.key in keys for fit in chosen.fits])
    if not chosen.weights[is_one].any():
        return 0.0
    if is_one.all():
        return 1.0
    pool, without = chosen.pool, np.zeros(len(is_one))
    without[~is_one] = weights_of(replace(pool, predictions=pool.predictions[~is_one]), seconds=seconds)
    before = pool.loss(without)
    return max(0.0, (before - pool.loss(chosen.weights)) / before) if before > 0 else 0.0
