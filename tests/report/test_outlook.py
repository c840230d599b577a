"""What a report says of more time and of the cores."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tabular_automl.core.forecast import Extrapolation, Forecast
from tabular_automl.core.run import Run
from tabular_automl.core.task import TaskKind
from tabular_automl.core.utilisation import Utilisation
from tabular_automl.report import text_report

MakeRun = Callable[..., Run]
TWICE = Extrapolation(2, -0.004, -0.011, -0.001, 0.913, 0.9126, 0.914)
USED = Utilisation(2, 60.0, 109.2, 4.8, 2.0, 3.0, 105.0, {"ingest": 0.5, "first fit": 1.0, "weigh": 1.6})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            "Twice the time is expected to bring 1 - roc_auc 0.4% lower (80% interval: 1.1% to 0.1% lower).",
        ),
        ({"high": 0.002}, "bring 1 - roc_auc 0.4% lower (80% interval: 1.1% lower to 0.2% higher)."),
        (
            {"change": -0.0004, "low": -0.0003, "high": 0.014},
            "Twice the time is expected to bring nothing "
            "(80% interval: 1 - roc_auc 0.0% lower to 1.4% higher).",
        ),
        (
            {"change": 0.004, "low": 0.001, "high": 0.014},
            "the time is expected to bring nothing (80% interval: 1 - roc_auc 0.1% to 1.4% higher).",
        ),
        ({"factor": 4}, "Four times the time is expected to bring"),
    ],
)
def test_the_report_says_what_more_time_would_bring(
    make_run: MakeRun, changes: dict[str, Any], expected: str
) -> None:
    forecast = Forecast("roc_auc", "time", 9, 0.9123, (replace(TWICE, **changes),))
    text = " ".join(str(text_report(make_run(forecast=forecast))).split())
    assert expected in text


def test_losses_and_counts_have_words_of_their_own(make_run: MakeRun) -> None:
    forecast = Forecast("rmse", "candidates", 9, 1.0, (TWICE, replace(TWICE, factor=4)))
    text = str(text_report(make_run(TaskKind.REGRESSION, forecast=forecast)))
    assert "Twice the candidates are expected to bring rmse 0.4% lower" in text
    assert "Four times the candidates are expected to bring rmse 0.4% lower" in text


def test_the_report_says_why_nothing_can_be_told(make_run: MakeRun) -> None:
    forecast = Forecast("roc_auc", "time", 3, 0.9, reason="only 3 candidates of 3 families were fitted")
    text = " ".join(str(text_report(make_run(forecast=forecast))).split())
    assert "What more time would bring cannot be told: only 3 candidates of 3 families were fitted." in text


def test_the_report_says_how_well_the_cores_were_used(make_run: MakeRun) -> None:
    text = " ".join(str(text_report(make_run(utilisation=USED))).split())
    assert "2 cores for 60.0 s: 91% fitting, 4% other work, 5% idle; no fit ran for 3.1 s" in text
    assert "(ingest 0.5 s, waiting for the first fit 1.0 s, weigh 1.6 s)" in text
    assert "something else" not in text
    brief = replace(USED, without_fits={**USED.without_fits, "baselines": 0.04})
    assert "baselines" not in str(text_report(make_run(utilisation=brief)))[-400:]


def test_a_machine_that_was_busy_otherwise_is_told_of(make_run: MakeRun) -> None:
    text = " ".join(str(text_report(make_run(utilisation=replace(USED, jobs_cpu=54.6)))).split())
    assert "Jobs got 50% of their cores' time: the machine was busy with something else, or the fit" in text


def test_a_run_without_them_has_no_word_of_them(make_run: MakeRun) -> None:
    text = str(text_report(make_run()))
    assert "With more time" not in text
    assert "idle" not in text
