"""A candidate as text in the run store's database, complete, so that it can be proposed again."""

import json
from typing import Any

from tabular_automl.core.candidate import Candidate, Origin, Params, Recipe


def candidate_text(candidate: Candidate) -> str:
    """Return all of a candidate as JSON, also what is no part of its identity.

    Examples
    --------
    >>> linear = Candidate("linear", (("alpha", 1.0),), Recipe("linear"), Origin.TUNED, label="mine")
    >>> candidate_from(candidate_text(linear)) == linear
    True
    """
    return json.dumps(
        {
            "family": candidate.family,
            # Pairs, not an object: a candidate is equal to another only in the same order.
            "params": candidate.params,
            "recipe": [candidate.recipe.name, candidate.recipe.params],
            "origin": str(candidate.origin),
            "level": candidate.level,
            "parents": candidate.parents,
            "label": candidate.label,
            "hastened": candidate.hastened,
        }
    )


def candidate_from(text: str) -> Candidate:
    """Return the candidate of such a text, its hyperparameters of the same types."""
    told = json.loads(text)
    recipe, settings = told["recipe"]
    return Candidate(
        told["family"],
        _params(told["params"]),
        Recipe(recipe, _params(settings)),
        Origin(told["origin"]),
        told["level"],
        tuple(told["parents"]),
        told["label"],
        told["hastened"],
    )


def _params(pairs: list[list[Any]]) -> Params:
    return tuple((name, value) for name, value in pairs)
