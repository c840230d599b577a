import subprocess
import sys
import threading
from importlib import import_module

import numpy as np
from odd_learners import candidate  # type: ignore[import-not-found]
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]

from tabular_automl.core.crossfit import CrossFit
from tabular_automl.crossfit import Request, cross_fit, load_models
from tabular_automl.crossfit.load_models import loading_threads
from tabular_automl.learners import learner_for


def test_models_are_loaded_at_the_same_time_and_come_in_the_order_of_their_folders(one_worker, monkeypatch):
    # The package offers the function under the name of its module.
    module = import_module("tabular_automl.crossfit.load_models")
    monkeypatch.setattr(module, "loading_threads", lambda: 2)
    problem = make_problem()
    with open_runtime(problem, one_worker) as runtime:
        (fit,) = cross_fit(iter([Request(candidate(), 4)]), problem, runtime)
        assert isinstance(fit, CrossFit)
        family = fit.candidate.family
        learner, folders = learner_for(family), [fold.folder for fold in reversed(fit.folds)]
        expected = [learner.load(folder).predict(np.zeros((1, 1))) for folder in folders]
        two, load = threading.Barrier(2), type(learner).load

        def both_at_once(self, folder):
            two.wait(timeout=30)
            return load(self, folder)

        monkeypatch.setattr(type(learner), "load", both_at_once)
        found = [model.predict(np.zeros((1, 1))) for model in load_models(family, folders)]
    assert found == expected
    assert len({float(value[0, 0]) for value in found}) == 4


def test_without_folders_there_are_no_models():
    assert load_models("prior", []) == ()
    assert loading_threads() >= 1


def test_what_models_need_is_imported_on_the_side_and_nothing_else():
    code = """
import sys, threading
from tabular_automl.crossfit.load_models import expect_to_load

def ready():
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join()
    return sorted({"catboost", "sklearn"} & set(sys.modules))

expect_to_load("extra_trees")  # its models are plain arrays
before = ready()
expect_to_load("catboost")
sys.exit(f"{before}, {ready()}" if before or ready() != ["catboost"] else 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own interpreter
