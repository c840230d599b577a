"""From the folders of kept models back to the models."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

from tabular_automl.core.budget import available_cores
from tabular_automl.core.fitting import FittedModel
from tabular_automl.learners import import_ahead, learner_for

# More threads gain little: what holds the interpreter's lock takes its share.
MOST_LOADING_THREADS = 4


def expect_to_load(family: str) -> None:
    """Start to import what a family's models take, so that the end of a run does not wait for it.

    It takes the place of nothing that a run waits for: meanwhile the driver only watches its workers.
    """
    learner = learner_for(family)
    if learner.models_need_imports and not all(name in sys.modules for name in learner.late_imports):
        Thread(target=import_ahead, args=(family,), name=f"import {family}").start()


def loading_threads() -> int:
    """Return how many models are loaded at a time."""
    return min(MOST_LOADING_THREADS, available_cores())


def load_models(family: str, folders: Sequence[Path]) -> tuple[FittedModel, ...]:
    """Return a family's kept models with all their rounds; the run store must still be open."""
    learner = learner_for(family)
    with ThreadPoolExecutor(loading_threads()) as threads:
        return tuple(threads.map(learner.load, folders))
