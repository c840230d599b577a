"""What the store keeps of runs, beside fits: who asked for what, and what came of it."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from odd_learners import candidate  # type: ignore[import-not-found]
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Candidate, Origin, Recipe, freeze_params
from tabular_automl.core.errors import FoldPlanMismatchError
from tabular_automl.core.options import Options
from tabular_automl.crossfit import ProblemIdentity, Request, RunFacts, RunHistory, RunStore, cross_fit
from tabular_automl.crossfit.candidate_text import candidate_from, candidate_text
from tabular_automl.crossfit.run_facts import as_json
from tabular_automl.crossfit.runtime import TAKEN_UP

LINEAR = Candidate("linear", (), Recipe("linear"))


def fit_all(requests, problem, workers, **settings):
    with open_runtime(problem, workers, **settings) as runtime:
        return list(cross_fit(iter(requests), problem, runtime))


def recalled(problem, workers, run_dir, seed=None):
    with open_runtime(problem, workers, run_dir=run_dir) as runtime:
        return runtime.store.recallable(runtime.identity, seed=seed)


@pytest.mark.parametrize(
    "value", [1, 1.0, True, None, "1", -0.0, 1e-320, float("inf"), 2**70, "ü\ud800", 0.1 + 0.2], ids=repr
)
def test_a_candidate_comes_back_with_values_of_the_same_type(value):
    recipe = Recipe("linear", freeze_params({"hinges": value}))
    one = Candidate(
        "lightgbm", freeze_params({"b": value, "a": 2}), recipe, Origin.TUNED, 2, ("p", "q"), "mine", True
    )
    found = candidate_from(candidate_text(one))
    assert (found, found.key, found.name) == (one, one.key, one.name)
    assert found.origin is Origin.TUNED
    for before, after in zip(
        (*one.params, *one.recipe.params), (*found.params, *found.recipe.params), strict=True
    ):
        assert (type(before[1]), repr(before[1])) == (type(after[1]), repr(after[1]))
    assert (found.label, found.hastened, found.parents) == ("mine", True, ("p", "q"))


def test_settings_of_any_kind_become_json():
    table_like = {"weight": np.ones(500), 3: np.int64(4), "splitter": Path("x"), "progress": print}
    assert json.loads(json.dumps(as_json(table_like))) == {
        "weight": "ndarray of 500", "3": 4, "splitter": "x", "progress": "print",
    }  # fmt: skip
    options = Options("y", groups=list(range(500)), candidates=[("linear", {"alpha": np.float64(0.5)})])
    problem = make_problem()
    facts = RunFacts.of(problem, options, ProblemIdentity.of(problem))
    told = json.loads(json.dumps(facts.settings))
    assert told["groups"] == "list of 500"
    assert told["candidates"] == [["linear", {"alpha": 0.5}]]
    assert told["target"] == "y"
    assert (facts.data, facts.plan, facts.metric) == (problem.digest, problem.folds.digest, "rmse")


def test_what_earlier_runs_fitted_is_recalled_in_order(one_worker, tmp_path):
    problem, run_dir = make_problem(), tmp_path / "run"
    labelled = replace(candidate(rounds=3), origin=Origin.TUNED, label="mine", hastened=True)
    assert recalled(problem, one_worker, run_dir) == ()
    first = [Request(LINEAR, 1), Request(candidate("raise"), 4), Request(labelled, 4, max_rounds=2)]
    fit_all(first, problem, one_worker, run_dir=run_dir)
    fit_all([Request(candidate(rounds=2), 2), Request(LINEAR, 4)], problem, one_worker, run_dir=run_dir)
    found = recalled(problem, one_worker, run_dir)
    # Each candidate once, for the most folds; what was asked for last comes last; what failed not at all.
    assert found == (Request(labelled, 4, max_rounds=2), Request(candidate(rounds=2), 2), Request(LINEAR, 4))
    # Origin, label and haste are no part of a candidate's identity, and come back all the same.
    assert found[0].candidate == labelled
    assert (found[0].candidate.origin, found[0].candidate.hastened) == (Origin.TUNED, True)

    other = make_problem(seed=1)
    assert recalled(other, one_worker, run_dir) == ()
    assert recalled(problem, one_worker, run_dir, seed=1) == ()
    assert recalled(problem, one_worker, run_dir, seed=0) == found


def test_a_run_never_recalls_itself(one_worker, tmp_path):
    problem = make_problem()
    with open_runtime(problem, one_worker, run_dir=tmp_path) as runtime:
        list(cross_fit(iter([Request(LINEAR, 4)]), problem, runtime))
        assert runtime.store.recallable(runtime.identity) == ()
    assert recalled(problem, one_worker, tmp_path) == (Request(LINEAR, 4),)


def test_what_was_cut_is_not_recalled(one_worker, tmp_path):
    problem = make_problem()
    with open_runtime(problem, one_worker, run_dir=tmp_path) as runtime:
        requests = iter([Request(LINEAR, 1), Request(candidate(rounds=3), 4)])
        for _ in cross_fit(requests, problem, runtime):
            runtime.budget.cancel()
    told = RunHistory(tmp_path)
    assert told.runs()["state"].tolist() == ["cancelled"]
    assert [request.candidate for request in recalled(problem, one_worker, tmp_path)] == [LINEAR]


def test_a_run_that_fails_says_why(one_worker, tmp_path):
    with (
        pytest.raises(FoldPlanMismatchError, match="another fold plan"),
        open_runtime(make_problem(), one_worker, run_dir=tmp_path) as runtime,
    ):
        list(cross_fit(iter([]), make_problem(n_folds=3), runtime))
    runs = RunHistory(tmp_path).runs()
    assert runs["state"].tolist() == ["failed"]
    assert "FoldPlanMismatchError: This runtime was opened for another fold plan" in runs["reason"][0]


# The driver kills itself in the middle of its second request.
KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from odd_learners import candidate
from open_runtime import make_problem, open_runtime
from tabular_automl.crossfit import Request, RunStore, cross_fit
from tabular_automl.crossfit.in_process_workers import InProcessWorkers

put = RunStore.put
kept = []
def put_and_die(store, fit, what, digest):
    put(store, fit, what, digest)
    kept.append(fit)
    if len(kept) == 6:
        os.kill(os.getpid(), signal.SIGKILL)
RunStore.put = put_and_die
problem = make_problem()
with InProcessWorkers() as workers, open_runtime(problem, workers, run_dir=Path(sys.argv[1])) as runtime:
    list(cross_fit(iter([Request(candidate(rounds=r), 4) for r in (3, 4)]), problem, runtime))
"""


def test_a_killed_run_is_marked_by_the_next(one_worker, tmp_path):
    run_dir = tmp_path / "run"
    arguments = [sys.executable, "-c", KILLED, str(run_dir), str(Path(__file__).parent)]
    killed = subprocess.run(arguments, check=False, capture_output=True)  # noqa: S603 - our own code
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    told = RunHistory(run_dir)
    # Before the next run opens the folder, too.
    assert told.runs()["state"].tolist() == ["killed"]
    assert told.candidates()["state"].tolist() == ["fitted", "killed"]
    assert len(told.folds()) == 6
    RunStore.open(run_dir).close()  # looking into it keeps nobody out

    fit_all([Request(candidate(rounds=r), 4) for r in (3, 4)], make_problem(), one_worker, run_dir=run_dir)
    assert told.runs()["state"].tolist() == ["killed", "finished"]
    assert told.candidates()["state"].tolist() == ["fitted", "killed", "fitted", "fitted"]
    assert told.folds()["run"].tolist() == [1] * 6 + [2] * 2
    messages = told.events()["message"][told.events()["run"] == 2].tolist()
    assert messages.count(TAKEN_UP) == 1
    # The first candidate is wholly an earlier run's, the second one half of it.
    (first, second) = (text for text in messages if text.startswith("odd_learners"))
    assert messages.index(TAKEN_UP) < messages.index(first)
    assert first.endswith("(kept)")
    assert not second.endswith("(kept)")


def test_fits_of_this_run_are_no_earlier_runs(one_worker, tmp_path):
    problem = make_problem()
    fit_all([Request(LINEAR, 1), Request(LINEAR, 4)], problem, one_worker, run_dir=tmp_path)
    messages = RunHistory(tmp_path).events()["message"].tolist()
    assert TAKEN_UP not in messages
    assert not any("(kept)" in text for text in messages)
