"""One stopping round for a whole bag."""

from collections.abc import Sequence

import numpy as np

from tabular_automl.core.fitting import FloatArray


def joint_round(curves: Sequence[FloatArray], weights: Sequence[float]) -> int:
    """Return the round at which the weighted mean of all folds' loss curves is lowest, the first if several.

    A fold that stopped early is continued flat: used at a later round, its model gives all it has.

    >>> joint_round([np.array([0.9, 0.5, 0.6]), np.array([0.9, 0.8])], [1.0, 1.0])
    2
    """
    return int(_weighted(curves, weights).sum(axis=0).argmin()) + 1


def rounds_without_each(curves: Sequence[FloatArray], weights: Sequence[float]) -> tuple[int, ...]:
    """Return for each fold the joint round of the *other* folds, so that no row chooses its own round.

    The folds are those of one repeat, which hold out no row twice. A single fold has no others: it gets its
    own round. The round may lie beyond the last one of a fold that stopped early; such a fold's model then
    gives all it has.

    >>> rounds_without_each([np.array([0.9, 0.5, 0.6]), np.array([0.1, 0.4])], [1.0, 1.0])
    (1, 2)
    """
    weighted = _weighted(curves, weights)
    if len(weighted) == 1:
        return (joint_round(curves, weights),)
    others = [np.delete(weighted, fold, axis=0).sum(axis=0) for fold in range(len(weighted))]
    return tuple(int(curve.argmin()) + 1 for curve in others)


def _weighted(curves: Sequence[FloatArray], weights: Sequence[float]) -> FloatArray:
    """Return weighted curves of equal length, shape (n_folds, n_rounds)."""
    length = max(len(curve) for curve in curves)
    even = [np.pad(curve, (0, length - len(curve)), mode="edge") for curve in curves]
    weighted: FloatArray = np.stack(even) * np.asarray(weights)[:, np.newaxis]
    return weighted
