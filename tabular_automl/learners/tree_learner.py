"""What families of trees have in common."""

from typing import Any, ClassVar

import numpy as np

from tabular_automl.core.candidate import Params, Recipe, freeze_params
from tabular_automl.core.problem import ProblemShape
from tabular_automl.learners.base import Capabilities, Learner


class TreeLearner(Learner):
    """A family of trees on ordinal codes, which counts rounds and handles categories and missing cells."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        handles_missing=True, handles_categories=True, uses_rounds=True
    )

    def recipe(self, params: Params) -> Recipe:
        """Return the recipe of plain numbers and codes, with levels for dates that many rows share."""
        return Recipe("ordinal", freeze_params({"moments": bool(dict(params).get("moments", True))}))

    def values(self, shape: ProblemShape, params: Params) -> dict[str, Any]:
        """Return the hyperparameters by name; what is missing takes its default."""
        return {**dict(self.defaults(shape)), **dict(params)}


class BoostedTrees(TreeLearner):
    """A family of boosted trees: bigger steps are a higher learning rate.

    Attributes
    ----------
    highest_rate
        Beyond this learning rate a hastened fit loses more than it saves.
    """

    highest_rate: ClassVar[float]

    def booster_values(self, shape: ProblemShape, params: Params) -> dict[str, Any]:
        """Return `values` without those that the recipe reads."""
        of_recipe = dict(self.recipe(params).params)
        return {name: value for name, value in self.values(shape, params).items() if name not in of_recipe}

    def reckoned(self, shape: ProblemShape, params: Params) -> dict[str, Any]:
        """Return `values` for formulas, which must bear what a fit refuses: None and 0 give the default."""
        return {**self.values(shape, ()), **{name: value for name, value in params if value}}

    def progress(self, params: Params) -> float:
        """Return the learning rate times what a tree learns."""
        rate = dict(params).get("learning_rate")
        rate = float(rate) if isinstance(rate, int | float) and rate > 0 else 1.0
        return rate * self.learnt_by_tree(params)

    def learnt_by_tree(self, params: Params) -> float:
        """Return how much a tree learns, compared with a usual one: small ones learn less."""
        del params
        return 1.0

    def hasten(self, params: Params, factor: float) -> Params:
        """Return the hyperparameters with a higher learning rate, if they say which they have."""
        rate = dict(params).get("learning_rate")
        if not isinstance(rate, float):
            return params
        hastened = max(rate, min(self.highest_rate, rate * factor))
        return freeze_params({**dict(params), "learning_rate": hastened})


def learnt_by_leaves(leaves: float) -> float:
    """Return how much a tree of so many leaves learns, compared with one of 31.

    >>> learnt_by_leaves(31), learnt_by_leaves(2), learnt_by_leaves(500)
    (1.0, 0.25..., 2.0)
    """
    return float(np.clip((leaves / 31) ** 0.5, 0.25, 2.0))


def default_moments(shape: ProblemShape) -> bool:
    """Return the default of ``moments``, the recipe's levels for dates that many rows share."""
    # Where folds never look ahead, held-out dates are always unseen levels.
    return not shape.time_ordered
