"""A made-up world for the stages of the search; `made_up` is made importable, also by family name."""

import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from made_up import World, problem_of  # type: ignore[import-not-found]

STAGES = ("first_wave", "grow", "repeat")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world on two cores in which `cross_fit` and `probe` give made-up results, for 8 folds, dealt 3 times.

    Its rows bear 40 candidates.
    """
    made = World(problem_of(n_rows=2_600, n_repeats=3))
    monkeypatch.setattr("tabular_automl.core.budget.available_cores", lambda: made.cores)
    for stage in STAGES:
        module = importlib.import_module(f"tabular_automl.search.{stage}")
        monkeypatch.setattr(module, "cross_fit", made.cross_fit)
    monkeypatch.setattr(importlib.import_module("tabular_automl.search.first_wave"), "probe", made.probe)
    return made
