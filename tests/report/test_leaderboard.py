from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tabular_automl.core.crossfit import Failure
from tabular_automl.core.metrics import metric_named
from tabular_automl.core.run import Run
from tabular_automl.core.task import TaskKind
from tabular_automl.report import leaderboard, text_report

MakeRun = Callable[..., Run]


@pytest.mark.parametrize("kind", list(TaskKind))
def test_the_ensemble_leads_then_all_are_ranked_and_failures_end(kind: TaskKind, make_run: MakeRun) -> None:
    run = make_run(kind)
    board = leaderboard(run)
    assert list(board.columns) == [
        "rank", "name", "score", "family", "origin", "folds", "rounds", "fit_s", "weight", "status",
    ]  # fmt: skip
    assert len(board) == 1 + len(run.crossfits) + len(run.baselines) + len(run.failures)
    assert board["name"].iloc[0] == "ensemble"
    assert board["score"].iloc[0] == pytest.approx(run.score.value, rel=1e-5)
    assert board["rank"].iloc[:-2].tolist() == list(range(1, 6))
    assert board["folds"].iloc[-2] == "2 of 4"  # not of the same rows: below, without a rank
    assert board["score"].notna().iloc[-2]
    ranked = board["score"].iloc[1:-2]
    higher = metric_named(run.task.metric, kind).greater_is_better
    assert ranked.is_monotonic_decreasing if higher else ranked.is_monotonic_increasing
    assert board["rank"].isna().iloc[-2:].all()
    assert np.isnan(board["score"].iloc[-1])
    assert board["status"].iloc[-1].startswith("failed: ")


def test_scores_are_of_the_rows_the_ensemble_rests_on(make_run: MakeRun) -> None:
    run = make_run(TaskKind.BINARY)
    board = leaderboard(run).set_index("name")["score"]
    metric = metric_named("roc_auc", TaskKind.BINARY)
    names = ["linear/default", "lightgbm/default", "VerySpecialNetwork/..."]
    for name, fit in zip(names, run.crossfits, strict=True):
        expected = metric.score(metric.loss(run.y[fit.rows], fit.predictions))
        assert board.loc[[name]].iloc[0] == pytest.approx(expected, rel=1e-5)


def test_fewer_folds_are_said(make_run: MakeRun) -> None:
    board = leaderboard(make_run()).set_index("name")["folds"]
    assert board.loc["VerySpecialNetwork/..."].tolist() == ["2 of 4", pd.NA]
    assert board.loc["ensemble"] == board.loc["linear/default"] == "4"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "ok"),
        ({"complete": False}, "cut short"),
        ({"max_rounds": 3}, "capped"),
        ({"max_rounds": 4}, "ok"),
        ({"hastened": True}, "faster steps"),
        ({"max_rounds": 3, "hastened": True}, "capped, faster..."),
        ({"complete": False, "max_rounds": 3}, "cut short, capped"),
    ],
)
def test_the_status_says_all_that_was_done_for_want_of_time(
    make_run: MakeRun, changes: dict[str, Any], status: str
) -> None:
    run = make_run()
    linear, lightgbm, own = run.crossfits
    first, *others = own.folds
    found = replace(
        own,
        candidate=replace(own.candidate, hastened=changes.get("hastened", False)),
        folds=(replace(first, complete=changes.get("complete", True)), *others),
        max_rounds=changes.get("max_rounds"),
    )
    board = leaderboard(replace(run, crossfits=(linear, lightgbm, found), failures=())).set_index("name")
    assert board.loc["VerySpecialNetwork/...", "status"] == status
    assert board.loc["lightgbm/default", "status"] == "ok"


def test_who_was_skipped_is_no_failure(make_run: MakeRun) -> None:
    run = make_run()
    skipped = Failure(replace(run.crossfits[0].candidate, label="late"), None, "12 s left", 0.0, skipped=True)
    board = leaderboard(replace(run, failures=(*run.failures, skipped))).set_index("name")
    assert board.loc["linear/late", "status"] == "skipped"
    assert board["rank"].isna().tolist() == [False] * 5 + [True] * 3


def test_who_was_cut_short_is_told_of_with_the_folds(make_run: MakeRun) -> None:
    run = make_run()
    linear, lightgbm, own = run.crossfits
    cut = replace(linear, folds=(*linear.folds[:3], replace(linear.folds[3], complete=False)))
    text = " ".join(str(text_report(replace(run, crossfits=(cut, lightgbm, own)))).split())
    assert "linear/default cut short: the time was over before fold 3 had all rounds" in text
    assert leaderboard(replace(run, crossfits=(cut, lightgbm, own)))["rank"].notna().sum() == 5


def test_repeats_are_shown_beside_the_folds(make_run: MakeRun) -> None:
    run = make_run()
    linear, lightgbm, own = run.crossfits
    thrice = replace(lightgbm, folds=lightgbm.folds * 3, n_repeats=3)
    board = leaderboard(replace(run, crossfits=(linear, thrice, own))).set_index("name")
    assert board.loc["lightgbm/default", "folds"] == "4×3"
    assert board.loc["lightgbm/default", "status"] == "ok"
    for name in ("ensemble", "linear/default", "zero rule"):
        assert board.loc[name, "folds"] == "4"
    assert board["folds"].isna().sum() == len(run.failures)
    twice = replace(linear, folds=linear.folds * 2, n_repeats=2)
    board = leaderboard(replace(run, crossfits=(twice, thrice, own))).set_index("name")
    assert board.loc["ensemble", "folds"] == "4×2"


def test_row_weights_count(make_run: MakeRun, rng: np.random.Generator) -> None:
    plain = make_run()
    weighted = replace(plain, weight=rng.uniform(0, 2, len(plain.y)))
    assert not np.allclose(leaderboard(plain)["score"][1:-1], leaderboard(weighted)["score"][1:-1])


def test_predictions_for_rows_of_weight_0_alone_have_no_score(make_run: MakeRun) -> None:
    run = make_run()
    weight = np.r_[np.ones(len(run.y) - 10), np.zeros(10)]
    zero_rule, one_rule = run.baselines
    rows = one_rule.rows[-10:]
    unweighed = replace(one_rule, rows=rows, predictions=one_rule.predictions[-10:])
    board = leaderboard(replace(run, weight=weight, baselines=(zero_rule, unweighed)))
    line = board[board["status"] == "rows weigh 0"]
    assert line["name"].tolist() == ["one rule (a column..."]
    assert line["score"].isna().all()
    assert line["rank"].isna().all()
    assert board["rank"].dropna().tolist() == [1, 2, 3, 4]
    assert board["score"].iloc[:5].notna().all()


def test_weights_are_the_ensembles(make_run: MakeRun) -> None:
    board = leaderboard(make_run()).set_index("name")
    assert board.loc["lightgbm/default", "weight"] == 0.75
    assert board.loc["linear/default", "weight"] == 0.25
    assert board.loc["zero rule", "weight"] == 0


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5, 1e9])
def test_a_printed_line_fits_110_columns(scale: float, make_run: MakeRun) -> None:
    run = make_run(TaskKind.REGRESSION, scale)
    linear, *others = run.crossfits
    hastened = replace(linear, candidate=replace(linear.candidate, hastened=True), max_rounds=1)
    lines = leaderboard(replace(run, crossfits=(hastened, *others))).to_string(index=False).split("\n")
    assert max(map(len, lines)) <= 110


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_scores_keep_their_digits_at_any_scale(scale: float, make_run: MakeRun) -> None:
    assert leaderboard(make_run(TaskKind.REGRESSION, scale))["score"].iloc[0] == pytest.approx(
        0.91234 * scale, rel=1e-4
    )


def test_a_run_without_failures_and_with_one_member_is_printed(make_run: MakeRun) -> None:
    run = make_run()
    alone = replace(run.ensemble, members=(replace(run.ensemble.members[0], weight=1.0),))
    board = leaderboard(replace(run, failures=(), ensemble=alone))
    assert board["origin"].iloc[0] == "1 member"
    assert board["rank"].isna().sum() == 1  # of fewer folds


def test_who_was_pruned_has_a_score_and_neither_rank_nor_weight(make_run: MakeRun) -> None:
    run = make_run(failures=())
    before = leaderboard(run).set_index("name")
    *others, own = run.crossfits
    pruned = replace(own, pruned="fell behind after 30 rounds on fold 0: loss 2, 1 or less was asked for")
    run = replace(run, crossfits=(*others, pruned))
    board = leaderboard(run).set_index("name")
    (name,) = board.index[board["status"] == "pruned"]
    assert before.loc[name, "status"] == "ok"
    assert pd.isna(board.loc[name, "rank"])
    assert "with-a-very-long-label pruned: fell behind after 30 rounds" in str(text_report(run))
    for column in ("score", "folds", "rounds"):
        assert board.loc[name, column] == before.loc[name, column]
    assert board.loc[name, "weight"] == 0
