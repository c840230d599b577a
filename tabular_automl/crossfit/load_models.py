"""From a finished cross fit back to its models."""

from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.fitting import FittedModel
from tabular_automl.learners import learner_for


def load_models(crossfit: CrossFit) -> tuple[FittedModel, ...]:
    """Return the fold models with all their rounds, in fold order; use them at ``crossfit.joint_round``.

    The run store must still be open.
    """
    learner = learner_for(crossfit.candidate.family)
    return tuple(learner.load(fold.folder) for fold in crossfit.folds)
