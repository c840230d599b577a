"""How far the ensemble is above the baselines."""

import numpy as np

from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.ensemble import Comparison
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.problem import Problem
from tabular_automl.ensemble.bootstrap import Resamples
from tabular_automl.ensemble.pool import scored_part

HUMAN_LEVEL = "human level"


def compare(baseline: CrossFit, problem: Problem, resamples: Resamples) -> Comparison | None:
    """Compare the ensemble with one baseline on the rows both cover; None where they share none.

    The ensemble's side is its honest loss, optimism taken off. The interval is that of the paired
    difference, from the same draws as the honest score's.
    """
    pool = resamples.pool
    shared = np.isin(pool.rows, baseline.rows)
    if not shared.any():
        return None
    predictions = _aligned(baseline, problem, resamples)
    loss_on_shared = [
        pool.metric.loss(pool.y[shared], fixed[shared], None if pool.weight is None else pool.weight[shared])
        for fixed in (predictions, resamples.mixture)
    ]
    gain = loss_on_shared[0] - loss_on_shared[1] - resamples.optimism
    ours = resamples.chosen if shared.all() else resamples.losses(resamples.mixture, shared)
    paired = resamples.losses(predictions, shared) - ours
    low, high = resamples.interval(gain, paired, -resamples.excess)
    name = baseline.candidate.label or baseline.candidate.name
    return Comparison(name, pool.metric.score(loss_on_shared[0]), gain, low, high)


def compare_number(name: str, number: float, resamples: Resamples) -> Comparison:
    """Compare the ensemble with a plain score, such as the human level, for which no rows can be paired."""
    gain = resamples.pool.metric.score(number) - resamples.apparent - resamples.optimism
    low, high = resamples.interval(gain, -resamples.chosen, -resamples.excess)
    return Comparison(name, number, gain, low, high)


def _aligned(baseline: CrossFit, problem: Problem, resamples: Resamples) -> FloatArray:
    """Return the baseline's predictions on the pool's rows, shape (n_rows, n_outputs); 0 where missing."""
    pool = resamples.pool
    seen, _ = scored_part(baseline.predictions, problem.y[baseline.rows], pool.metric)
    everywhere = np.zeros((problem.n_rows, seen.shape[1]))
    everywhere[baseline.rows] = seen
    return everywhere[pool.rows]
