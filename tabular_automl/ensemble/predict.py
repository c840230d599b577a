"""Predictions of the final ensemble."""

import numpy as np

from tabular_automl.core.ensemble import FittedEnsemble, FittedMember
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.table import Table


def predict_ensemble(fitted: FittedEnsemble, table: Table) -> FloatArray:
    """Return the weighted average of the members on canonical rows, shape (n_rows, n_outputs).

    Each recipe encodes the table once; the models of a bag are averaged uniformly. Every step is row-wise:
    one row alone gets what it gets in a batch.
    """
    matrices: dict[str, FloatArray] = {}
    parts = []
    for member in fitted.members:
        recipe = member.member.candidate.recipe.key
        if recipe not in matrices:
            matrices[recipe] = member.encoder.transform(table)
        parts.append(_bagged(member, matrices[recipe]))
    mixed = np.zeros_like(parts[0])
    for member, part in zip(fitted.members, parts, strict=True):
        mixed += member.member.weight * part
    # An average lies between its parts; rounding alone could push a probability above 1.
    np.clip(mixed, np.minimum.reduce(parts), np.maximum.reduce(parts), out=mixed)
    return mixed / mixed.sum(axis=1, keepdims=True) if mixed.shape[1] > 1 else mixed


def _bagged(member: FittedMember, matrix: FloatArray) -> FloatArray:
    total = member.models[0].predict(matrix, member.rounds)
    for model in member.models[1:]:
        total = total + model.predict(matrix, member.rounds)
    return total / len(member.models)
