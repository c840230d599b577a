import shutil
import sqlite3
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from odd_learners import candidate  # type: ignore[import-not-found]
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]

import tabular_automl as ta
from tabular_automl.core.candidate import Candidate, Origin, Recipe, freeze_params
from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.errors import InputError, StoreError
from tabular_automl.core.metrics import metric_named, training_loss
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit import Request, RunHistory, RunStore, cross_fit, run_folder

LINEAR = Candidate("linear", freeze_params({"alpha": 1.0}), Recipe("linear"), Origin.USER, label="mine")
PROBLEM = make_problem(TaskKind.BINARY)
REQUESTS = [Request(LINEAR, 4), Request(candidate("raise"), 4), Request(candidate(rounds=3), 2, max_rounds=9)]


@pytest.fixture
def told(one_worker, tmp_path):
    """The history of two runs on the same problem, and the results of the second."""
    with open_runtime(PROBLEM, one_worker, run_dir=tmp_path / "run", seed=2**70) as runtime:
        list(cross_fit(iter(REQUESTS[:1]), PROBLEM, runtime))
    with open_runtime(PROBLEM, one_worker, run_dir=tmp_path / "run", seed=2**70) as runtime:
        results = list(cross_fit(iter(REQUESTS), PROBLEM, runtime))
    return ta.history(tmp_path / "run"), results


def test_runs_tell_what_makes_them_comparable(told):
    runs = told[0].runs()
    assert runs["run"].tolist() == [1, 2]
    assert runs["state"].tolist() == ["finished", "finished"]
    assert (runs["requests"].tolist(), runs["fitted"].tolist()) == ([1, 3], [1, 2])
    assert runs["candidates"].tolist() == [1, 3]
    assert set(runs["data"]) == {PROBLEM.digest}
    assert set(runs["plan"]) == {PROBLEM.folds.digest}
    assert runs["seed"].tolist() == [2**70, 2**70]
    assert (runs["metric"][0], runs["loss"][0]) == ("roc_auc", "log_loss")
    assert runs["settings"][1]["n_jobs"] == 2
    assert (runs["started"] <= runs["ended"]).all()
    assert str(runs["started"].dt.tz) == "UTC"
    assert "2 runs, the last one finished" in repr(told[0])


def test_candidates_tell_what_was_asked_and_what_came_of_it(told):
    history, results = told
    found = history.candidates()
    assert found["run"].tolist() == [1, 2, 2, 2]
    last = found[found["run"] == 2].reset_index(drop=True)
    assert last["name"].tolist() == [request.candidate.name for request in REQUESTS]
    assert last["key"].tolist() == [request.candidate.key for request in REQUESTS]
    assert last["state"].tolist() == ["fitted", "failed", "fitted"]
    assert last["origin"].tolist() == ["user", "default", "default"]
    assert last["asked_folds"].tolist() == [4, 4, 2]
    assert last["params"][0] == {"alpha": 1.0}
    assert last["reason"][1] == "RuntimeError: told to raise"
    assert last["max_rounds"].tolist() == [pd.NA, pd.NA, 9]
    for row, result in zip(last.itertuples(), results, strict=True):
        if isinstance(result, CrossFit):
            y = PROBLEM.y[result.rows]
            assert row.loss == training_loss(TaskKind.BINARY).loss(y, result.predictions)
            assert (row.n_folds, row.joint_round) == (len(result.folds), result.joint_round)
            assert row.seconds == result.seconds
            metric = metric_named("roc_auc", TaskKind.BINARY)
            assert row.score == 1 - metric.loss(y, result.predictions)
        else:
            assert pd.isna(row.score)


def test_folds_and_curves_tell_of_every_fit(told):
    history, results = told
    folds = history.folds()
    assert folds["run"].tolist() == [1] * 4 + [2] * 2
    assert folds["fold"].tolist() == [0, 1, 2, 3, 0, 1]
    curves = history.curves()
    fits = [fold for result in results if isinstance(result, CrossFit) for fold in result.folds]
    assert folds["loss"].tolist() == [fit.curve.min() for fit in fits]
    assert folds["rounds"].tolist() == [len(fit.curve) for fit in fits]
    assert folds["complete"].all()
    assert len(curves) == folds["rounds"].sum()
    np.testing.assert_array_equal(curves["loss"], np.concatenate([fit.curve for fit in fits]))
    one = history.curves(LINEAR.name)
    assert one.equals(history.curves(LINEAR.key))
    assert set(one["name"]) == {"linear/mine"}
    assert one[one["fold"] == 0]["round"].tolist() == list(range(1, folds["rounds"][0] + 1))
    with pytest.raises(InputError, match=r"no fit of a candidate 'linear/yours'"):
        history.curves("linear/yours")
    with pytest.raises(InputError, match=r"candidate is \['linear/mine'\]\. Give the name or the key of one"):
        history.curves(["linear/mine"])


def test_failures_come_with_their_traceback(told):
    (failure,) = told[0].failures().itertuples()
    assert (failure.run, failure.name, failure.fold) == (2, REQUESTS[1].candidate.name, 0)
    assert failure.key == REQUESTS[1].candidate.key
    assert "Traceback (most recent call last)" in failure.traceback
    assert "in _misbehave" in failure.traceback


def test_a_learner_that_refuses_leaves_its_traceback_too(one_worker, tmp_path):
    refusing = replace(candidate(), family="odd_learners:NotMine")
    with open_runtime(make_problem(), one_worker, run_dir=tmp_path) as runtime:
        list(cross_fit(iter([Request(refusing, 4)]), runtime.problem, runtime))
    failures = RunHistory(tmp_path).failures()
    assert failures["fold"].isna().tolist() == [True]
    assert "UnsupportedProblemError" in failures["traceback"][0]


def test_events_and_environment_are_of_their_run(told):
    history, _ = told
    events = history.events()
    assert set(events["run"]) == {1, 2}
    assert events["message"].str.startswith("linear/mine: roc_auc").sum() == 2
    for run in (None, 2):
        found = dict(history.environment(run)[["name", "value"]].itertuples(index=False))
        assert found["libraries.numpy"] == np.__version__
        assert found["learners.odd_learners:Odd.code_version"] == "1"
        assert {"python", "platform", "tabular_automl", "learners.linear.code_version"} <= set(found)
    assert not history.environment(1)["name"].str.contains("Odd").any()
    with pytest.raises(InputError, match=r"has no run 3\. There are: \[1, 2\]"):
        history.environment(3)
    with pytest.raises(InputError, match=r"has no run \[1 2\]\. There are: \[1, 2\]"):
        history.environment(np.array([1, 2]))
    assert history.environment(np.int64(2)).equals(history.environment(2))


def test_a_run_can_be_looked_into_while_it_works(one_worker, tmp_path):
    with open_runtime(PROBLEM, one_worker, run_dir=tmp_path) as runtime:
        history = RunHistory(tmp_path)
        assert history.runs()["state"].tolist() == ["running"]
        assert history.candidates().empty
        assert history.curves().empty
        assert history.failures().empty
        for number, _ in enumerate(cross_fit(iter([Request(LINEAR, 4)]), PROBLEM, runtime)):
            assert history.candidates()["state"].tolist() == ["fitted"] * (number + 1)
    assert history.runs()["state"].tolist() == ["finished"]


def test_nothing_in_the_folder_is_changed(told, tmp_path):
    def content():
        paths = sorted(path for path in (tmp_path / "run").rglob("*") if path.is_file())
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}

    before = content()
    history = RunHistory(tmp_path / "run")
    for frame in (history.runs, history.candidates, history.folds, history.curves, history.events):
        assert len(frame()) > 0
    assert content() == before


def test_fits_whose_files_are_gone_have_no_curve(told, tmp_path):
    history, _ = told
    shutil.rmtree(tmp_path / "run" / "fits")
    assert len(history.folds()) == 6
    assert history.curves().empty


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda path: None, r"is no run folder: it does not exist\. Give the run_dir of a fit"),
        (lambda path: path.mkdir(), r"is no run folder: it has no run\.sqlite"),
        (lambda path: path.write_text("notes"), r"is no run folder: it is a file"),
        (lambda path: (path.mkdir(), (path / "run.sqlite").touch()), r"is empty: no run has begun there"),
    ],
    ids=["missing", "empty", "a file", "not begun"],
)
def test_what_is_no_run_folder_is_refused(tmp_path, make, match):
    make(tmp_path / "run")
    with pytest.raises(InputError, match=match):
        RunHistory(tmp_path / "run")


@pytest.mark.parametrize("what", [None, 3, b"run"])
def test_what_is_no_path_is_refused(what):
    with pytest.raises(InputError, match=r"run_dir is .*, which is no path: .*\. Give one such as"):
        ta.history(what)


@pytest.mark.parametrize(
    ("what", "error"), [("~nosuchuser/run", InputError), ("a\0b", InputError), ("x" * 300, StoreError)]
)
def test_a_name_that_no_folder_can_have_is_refused(what, error):
    with pytest.raises(error, match=r"is no path: |cannot be read: "):
        ta.history(what)


def test_a_database_that_somebody_writes_is_to_be_read_in_a_moment(told, tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "BUSY_SECONDS", 0.0)
    other = sqlite3.connect(tmp_path / "run" / "run.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match=r"locked\. Another process is writing it\. Try again in a moment"):
        told[0].runs()
    other.close()
    assert len(told[0].runs()) == 2


def test_what_is_not_read_is_not_checked(told, tmp_path):
    """Checking a whole database takes longer than reading a table of it; a run that opens it does so."""
    path = tmp_path / "run" / "run.sqlite"
    expected = told[0].runs()
    connection = sqlite3.connect(path)
    connection.executemany("INSERT INTO events VALUES (2, 1.0, 'fit', ?, 0, '')", [("x" * 900,)] * 200)
    connection.commit()
    connection.close()
    content = path.read_bytes()
    path.write_bytes(content[:-50_000] + b"\xff" * 50_000)
    assert told[0].runs().equals(expected)
    with pytest.raises(StoreError, match="damaged"):
        RunStore.open(tmp_path / "run")
    with pytest.raises(StoreError, match=r"cannot be read: .*Restore the folder from a copy"):
        told[0].events()


def test_a_damaged_or_strange_database_is_refused(tmp_path):
    (tmp_path / "run.sqlite").write_text("not a database at all" * 100)
    with pytest.raises(StoreError, match=r"run\.sqlite cannot be read: file is not a database"):
        RunHistory(tmp_path)
    (tmp_path / "run.sqlite").unlink()
    connection = sqlite3.connect(tmp_path / "run.sqlite")
    connection.execute("CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    connection.execute("INSERT INTO facts VALUES ('format', '999')")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="has format '999'"):
        RunHistory(tmp_path)
