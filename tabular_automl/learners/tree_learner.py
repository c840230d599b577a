"""What families of trees have in common."""

from typing import ClassVar

from tabular_automl.core.candidate import Params, Recipe, freeze_params
from tabular_automl.learners.base import Capabilities, Learner


class TreeLearner(Learner):
    """A family of trees on ordinal codes, which counts rounds and handles categories and missing cells."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        handles_missing=True, handles_categories=True, uses_rounds=True
    )

    def recipe(self, params: Params) -> Recipe:
        """Return the recipe of plain numbers and codes, with levels for dates that many rows share."""
        return Recipe("ordinal", freeze_params({"moments": bool(dict(params).get("moments", True))}))


class BoostedTrees(TreeLearner):
    """A family of boosted trees: bigger steps are a higher learning rate.

    Attributes
    ----------
    highest_rate
        Beyond this learning rate a hastened fit loses more than it saves.
    """

    highest_rate: ClassVar[float]

    def hasten(self, params: Params, factor: float) -> Params:
        """Return the hyperparameters with a higher learning rate."""
        rate = float(dict(params).get("learning_rate") or 0.05)
        rate = max(rate, min(self.highest_rate, rate * factor))
        return freeze_params({**dict(params), "learning_rate": rate})
