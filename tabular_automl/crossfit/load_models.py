"""From a finished cross fit back to its models."""

from concurrent.futures import ThreadPoolExecutor

from tabular_automl.core.budget import available_cores
from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.fitting import FittedModel
from tabular_automl.learners import learner_for

# More threads gain little: what holds the interpreter's lock takes its share.
MOST_LOADING_THREADS = 4


def loading_threads() -> int:
    """Return how many models are loaded at a time."""
    return min(MOST_LOADING_THREADS, available_cores())


def load_models(crossfit: CrossFit) -> tuple[FittedModel, ...]:
    """Return the fold models with all their rounds, in fold order; use them at ``crossfit.joint_round``.

    The run store must still be open.
    """
    learner = learner_for(crossfit.candidate.family)
    with ThreadPoolExecutor(loading_threads()) as threads:
        return tuple(threads.map(learner.load, [fold.folder for fold in crossfit.folds]))
