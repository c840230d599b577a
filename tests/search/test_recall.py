"""Recall: a run bounded by time that is started again begins with what the earlier one fitted."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tabular_automl
from tabular_automl.core.progress import Event


def run(frame: pd.DataFrame, run_dir: Path, **bounds: Any) -> tuple[tabular_automl.Model, list[Event]]:
    events: list[Event] = []
    model = tabular_automl.fit(
        frame, "price", n_jobs=1, families=["linear"], run_dir=run_dir, progress=events.append, **bounds
    )
    return model, events


def fitted(events: list[Event]) -> list[str]:
    """Names of what was fitted or taken up, in order."""
    lines = (event.message.partition(": ") for event in events if event.stage == "fit")
    return [name for name, colon, what in lines if colon and what.startswith("rmse")]


@pytest.fixture
def runs(regression_frame: pd.DataFrame, tmp_path: Path) -> list[tuple[tabular_automl.Model, list[Event]]]:
    few = tabular_automl.Search(most_candidates={"linear": 2})
    return [run(regression_frame, tmp_path / "run", time_limit=60.0, search=few) for _ in range(2)]


def test_a_second_run_takes_up_what_the_first_one_fitted(
    runs: list[tuple[tabular_automl.Model, list[Event]]],
) -> None:
    (first, _), (again, events) = runs
    whole = {fit.candidate.name for fit in first.run.crossfits if not fit.pruned} - {"prior/default"}
    assert whole
    taken = [event for event in events if event.message.startswith("Took up")]
    assert len(taken) == 1
    before = fitted(events[: events.index(taken[0])])
    assert set(before) - {"prior/default"} == whole
    assert {fit.candidate.name for fit in again.run.crossfits} >= whole
    seconds = {fit.candidate.key: fit.folds[0].seconds for fit in first.run.crossfits}
    for fit in again.run.crossfits:
        assert fit.folds[0].seconds == seconds.get(fit.candidate.key, fit.folds[0].seconds), "a stored fit"


def test_a_run_bounded_by_counts_recalls_nothing(regression_frame: pd.DataFrame, tmp_path: Path) -> None:
    models = [run(regression_frame, tmp_path / "run", max_candidates=2) for _ in range(2)]
    (first, _), (again, events) = models
    assert not any(event.message.startswith("Took up") for event in events)
    assert first.score_ == again.score_


def test_families_that_are_not_wanted_any_more_are_not_recalled(
    regression_frame: pd.DataFrame, tmp_path: Path
) -> None:
    few = tabular_automl.Search(most_candidates={"linear": 1, "lightgbm": 1})
    run(regression_frame, tmp_path / "run", time_limit=60.0, search=few)
    again = tabular_automl.fit(
        regression_frame,
        "price",
        n_jobs=1,
        families=["lightgbm"],
        run_dir=tmp_path / "run",
        time_limit=60.0,
        search=few,
    )
    assert {fit.candidate.family for fit in again.run.crossfits} == {"prior", "lightgbm"}
