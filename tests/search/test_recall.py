"""Recall: a run bounded by time that is started again begins with what the earlier one fitted."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tabular_automl
from tabular_automl.core.candidate import Value
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
    whole = {fit.candidate.key for fit in first.run.crossfits if not fit.pruned}
    whole -= {fit.candidate.key for fit in first.run.crossfits if fit.candidate.family == "prior"}
    assert whole
    taken = [event for event in events if event.message.startswith("Took up")]
    assert len(taken) == 1
    before = set(fitted(events[: events.index(taken[0])])) - {"prior/default"}
    names = {fit.candidate.name: fit.candidate.key for fit in again.run.crossfits}
    assert {names[name] for name in before} == whole
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


def test_own_candidates_of_another_run_do_not_stand_in_for_new_ones(
    regression_frame: pd.DataFrame, tmp_path: Path
) -> None:
    few = tabular_automl.Search(most_candidates={"linear": 1})
    knots = []
    for number in (0, 3):
        own = [("linear", {"knots": number})]
        model, _ = run(regression_frame, tmp_path / "run", time_limit=60.0, search=few, candidates=own)
        fits = [fit for fit in model.run.crossfits if fit.candidate.label.startswith("user 1")]
        knots.append([dict(fit.candidate.params)["knots"] for fit in fits])
        assert len({fit.candidate.name for fit in fits}) == len(fits), "each under a name of its own"
    assert knots[0] == [0]
    assert set(knots[1]) == {0, 3}
    assert len(knots[1]) == 2


def test_what_lies_outside_a_changed_space_is_not_recalled(
    regression_frame: pd.DataFrame, tmp_path: Path
) -> None:
    allowed: list[list[Value]] = [[0, 6], [3]]
    for options in allowed:
        search = tabular_automl.Search(spaces={"linear": {"knots": options}})
        model, _ = run(regression_frame, tmp_path / "run", time_limit=60.0, search=search)
        linear = [fit.candidate for fit in model.run.crossfits if fit.candidate.family == "linear"]
        assert linear
        assert {dict(candidate.params)["knots"] for candidate in linear} <= set(options)
