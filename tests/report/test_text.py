from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tabular_automl.core.crossfit import Failure
from tabular_automl.core.ensemble import Comparison, FittedEnsemble
from tabular_automl.core.run import Run
from tabular_automl.core.schema import Finding, Severity
from tabular_automl.core.task import TaskKind
from tabular_automl.report import text_report

MakeRun = Callable[..., Run]


@pytest.mark.parametrize("kind", list(TaskKind))
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e9])
def test_every_line_fits_and_is_plain(kind: TaskKind, scale: float, make_run: MakeRun) -> None:
    report = text_report(make_run(kind, scale))
    assert max(map(len, report.split("\n"))) <= 110
    assert report.isascii()
    assert "nan" not in report.replace("allocate", "")
    assert "<NA>" not in report


def test_what_matters_comes_first(make_run: MakeRun) -> None:
    report = text_report(make_run())
    headings = [
        "Expected score on new rows", "Against the baselines", "Warnings about the data",
        "Notes about the data", "How it was made", "Leaderboard", "Failures", "Time",
    ]  # fmt: skip
    places = [report.index(f"\n{heading}\n---") for heading in headings]
    assert places == sorted(places)


def test_the_score_is_told_with_interval_and_optimism(make_run: MakeRun) -> None:
    report = text_report(make_run())
    assert "roc_auc 0.912, 95% interval 0.880 to 0.940 (higher is better)" in report
    assert "looks like 0.916" in report.replace("\n  ", " ")
    assert "optimism of 0.004 is already taken off" in report.replace("\n  ", " ")


def test_a_loss_looks_better_when_it_looks_lower(make_run: MakeRun) -> None:
    report = text_report(make_run(TaskKind.REGRESSION)).replace("\n  ", " ")
    assert "rmse 0.912, 95% interval 0.880 to 0.940 (lower is better)" in report
    assert "looks like 0.908" in report


def test_a_baseline_that_is_not_beaten_is_said_plainly(make_run: MakeRun) -> None:
    report = text_report(make_run())
    assert "CAUTION: the ensemble is not clearly better than existing system." in report
    assert "NOT CLEARLY BETTER: gain 0.010 (95%: -0.010 to 0.030)" in report
    assert report.index("existing system  ") < report.index("zero rule  ")  # the strongest first
    assert "better by 0.410 (95%: 0.380 to 0.440)" in report


def test_a_baseline_that_is_better_is_said_plainly(make_run: MakeRun) -> None:
    worse = Comparison("existing system", 0.95, -0.04, -0.06, -0.02)
    report = text_report(make_run(comparisons=(worse,)))
    assert "WORSE by 0.040 (95%: -0.060 to -0.020)" in report


def test_all_baselines_beaten(make_run: MakeRun) -> None:
    run = make_run(TaskKind.REGRESSION)
    report = text_report(replace(run, comparisons=run.comparisons[:1]))
    assert "The ensemble is clearly better than the one baseline." in report
    assert "82% lower" in report


def test_an_unknown_interval_is_admitted(make_run: MakeRun) -> None:
    run = make_run(TaskKind.REGRESSION)
    unknown = replace(run.score, low=-float("inf"), high=float("inf"))
    gain = Comparison("zero rule", 1.5, 0.6, -float("inf"), float("inf"))
    report = text_report(replace(run, score=unknown, comparisons=(gain,)))
    assert "No interval: too few independent rows or blocks carry the score" in report
    assert "gain 0.6" in report
    assert "interval unknown" in report


def test_a_round_chosen_on_the_rows_that_score_it_is_said(make_run: MakeRun) -> None:
    run = make_run()
    assert "single fold" not in text_report(run)
    alone = tuple(replace(fit, folds=fit.folds[:1]) for fit in run.crossfits)
    report = text_report(replace(run, crossfits=alone)).replace("\n  ", " ")
    assert "Fitted on a single fold: linear/default, lightgbm/default;" in report
    assert "so the score is slightly optimistic" in report
    without_rounds = tuple(
        replace(fit, folds=(replace(fit.folds[0], curve=np.ones(1)),)) for fit in run.crossfits
    )
    assert "single fold" not in text_report(replace(run, crossfits=without_rounds))


def test_members_on_different_folds_are_said(make_run: MakeRun) -> None:
    run = make_run()
    assert "more candidates and more rows" not in text_report(run).replace("\n  ", " ")
    first, *others = run.crossfits
    shorter = replace(run, crossfits=(replace(first, folds=first.folds[:2]), *others))
    report = text_report(shorter).replace("\n  ", " ")
    assert "Members were fitted on 2 to 4 folds" in report
    assert "choice between more candidates and more rows" in report


def test_repeats_are_said(make_run: MakeRun) -> None:
    run = make_run()
    assert "Repeats" not in text_report(run)
    linear, lightgbm, own = run.crossfits
    thrice = replace(lightgbm, folds=lightgbm.folds * 3, n_repeats=3)
    # A candidate taken up again is one candidate.
    report = text_report(replace(run, crossfits=(linear, lightgbm, thrice, own))).replace("\n  ", " ")
    assert "Repeats: 1 of 3 candidates on 3 repeats of the folds, each dealt anew" in report
    assert "Members were fitted on" not in report, "all rows are covered by all members"
    assert "Members rest on 1 to 3 repeats of the folds: who was repeated was chosen on the rows" in report
    alike = replace(linear, folds=linear.folds * 3, n_repeats=3)
    assert "Members rest on" not in text_report(replace(run, crossfits=(alike, thrice, own)))
    twice = replace(linear, folds=linear.folds * 2, n_repeats=2)
    report = text_report(replace(run, crossfits=(twice, thrice, own))).replace("\n  ", " ")
    assert "Repeats: 2 of 3 candidates on 2 to 3 repeats" in report


def test_a_failure_names_the_fold_and_its_repeat(make_run: MakeRun) -> None:
    run = make_run()
    assert ", fold 3 (after" in text_report(run)
    later = (replace(run.failures[0], fold=6),)
    assert ", fold 2 of repeat 1 (after" in text_report(replace(run, failures=later))


def test_a_candidate_with_several_results_was_tried_once(make_run: MakeRun) -> None:
    run = make_run()
    assert "chosen from 3 candidates." in text_report(run).replace("\n  ", " ")
    twice = replace(run, crossfits=(*run.crossfits, run.crossfits[0]))
    assert "chosen from 3 candidates." in text_report(twice).replace("\n  ", " ")


def test_numbers_of_the_leaderboard_have_the_digits_they_were_rounded_to(make_run: MakeRun) -> None:
    report = text_report(make_run())
    assert " 24691.4  " in report
    assert " 12345.7  " in report


def test_what_members_predict_with_is_said(make_run: MakeRun) -> None:
    report = text_report(make_run()).replace("\n  ", " ")
    half = "1 of 2 members predicts with refits on all rows (50%) and the fold models: lightgbm/default."
    assert f"New rows: {half}" in report
    assert "New rows: 1 of 2 members predicts with the fold models alone: linear/default." in report
    ordered = text_report(make_run(scheme="time-ordered")).replace("\n  ", " ")
    assert "1 of 2 members predicts with the model of fold 0 alone, which was trained on the most" in ordered


def test_members_that_all_predict_alike_take_one_line(make_run: MakeRun) -> None:
    run = make_run()
    lightgbm, linear = run.fitted.members
    alone = tuple(replace(model, share=0.5) for model in lightgbm.models if model.is_refit)
    refits = (replace(lightgbm, models=alone), replace(linear, models=alone))
    report = text_report(replace(run, fitted=FittedEnsemble(refits)))
    assert "New rows: Both members predict with refits on all rows alone.\n" in report
    assert report.count("New rows:") == 1


def test_who_was_skipped_is_said_and_is_no_candidate_that_was_tried(make_run: MakeRun) -> None:
    run = make_run()
    assert "Skipped\n---" not in text_report(run)
    late = replace(run.crossfits[0].candidate, params=(), label="late")
    skipped = Failure(late, None, "12 s left, 40 s expected.", 0.0, skipped=True)
    report = text_report(replace(run, failures=(skipped,))).replace("\n  ", " ")
    assert "Skipped\n-------\n* linear/late: 12 s left, 40 s expected.\n" in report
    assert "Failures" not in report
    assert "chosen from 3 candidates." in report


def test_findings_come_with_the_way_out(make_run: MakeRun) -> None:
    report = text_report(make_run())
    assert "* Column 'k' is constant. Remove it." in report
    assert "* The target has 2 values. Set task= to decide." in report


def test_many_findings_are_cut_with_a_count(make_run: MakeRun) -> None:
    many = tuple(Finding("c", Severity.WARNING, f"Column {i} is odd.", "Look.") for i in range(40))
    report = text_report(make_run(findings=many))
    assert "... and 28 more in run.findings" in report


def test_failures_are_whole(make_run: MakeRun) -> None:
    report = text_report(make_run()).replace("\n  ", " ")
    assert "fold 3 (after 12345.7 s): MemoryError: cannot allocate 12.3 GiB for an array" in report


def test_the_report_shows_itself_as_text(make_run: MakeRun) -> None:
    report = text_report(make_run())
    assert repr(report) == str(report)
    assert isinstance(report, str)


def test_sections_without_content_are_left_out(make_run: MakeRun) -> None:
    report = text_report(make_run(findings=(), failures=(), comparisons=()))
    for heading in ("Warnings about", "Notes about", "Failures", "Against"):
        assert heading not in report


def test_an_interrupted_run_says_so(make_run: MakeRun) -> None:
    assert "Stopped by Ctrl-C" in text_report(make_run(settings={"interrupted": True}))


def test_who_was_left_early_is_told_with_the_reason(make_run: MakeRun) -> None:
    run = make_run()
    assert "Left early" not in text_report(run)
    fit = run.crossfits[-1]
    left = tuple(
        replace(fit, candidate=replace(fit.candidate, params=(("n", n),)), pruned=f"fell behind {n}")
        for n in range(14)
    )
    report = text_report(replace(run, crossfits=(*run.crossfits[:-1], *left)))
    assert report.count(": fell behind") == 12
    assert "... and 2 more\n" in report
