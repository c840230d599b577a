"""Predictions of the final ensemble."""

from collections.abc import Iterable

import numpy as np

from tabular_automl.core.ensemble import FittedEnsemble, FittedMember
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.table import Table


def predict_ensemble(fitted: FittedEnsemble, table: Table) -> FloatArray:
    """Return the weighted average of the members on canonical rows, shape (n_rows, n_outputs).

    Each recipe encodes the table once; the models of a member are averaged by their shares. Every step is
    row-wise: one row alone gets what it gets in a batch.
    """
    matrices: dict[str, FloatArray] = {}
    parts = []
    for member in fitted.members:
        recipe = member.member.candidate.recipe.key
        if recipe not in matrices:
            matrices[recipe] = member.encoder.transform(table)
        parts.append((member.member.weight, _of_member(member, matrices[recipe])))
    mixed = _average(parts)
    return mixed / mixed.sum(axis=1, keepdims=True) if mixed.shape[1] > 1 else mixed


def _of_member(member: FittedMember, matrix: FloatArray) -> FloatArray:
    return _average((served.share, served.model.predict(matrix, served.rounds)) for served in member.models)


def _average(parts: Iterable[tuple[float, FloatArray]]) -> FloatArray:
    """Return the average of parts, of which there is at least one, by weights that sum to 1."""
    coming = iter(parts)
    weight, first = next(coming)
    total, low, high = weight * first, first, first
    for weight, part in coming:
        total += weight * part
        low, high = np.minimum(low, part), np.maximum(high, part)
    # An average lies between its parts; rounding alone could push a probability above 1.
    return np.clip(total, low, high)
