from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from odd_learners import candidate  # type: ignore[import-not-found]
from small_disk import files_no_larger_than  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Candidate, Recipe
from tabular_automl.core.fitting import FeatureSpec, FitContext, never
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit.fold_job import (
    DataFiles,
    FitJob,
    FitReport,
    JobFailure,
    PredictJob,
    PredictReport,
    peak_memory_mb,
)
from tabular_automl.crossfit.given_up_key import given_up_key
from tabular_automl.crossfit.model_files import model_digest
from tabular_automl.learners import learner_for
from tabular_automl.testing import FAKE_FAMILY

N_ROWS = 40


@pytest.fixture
def job(tmp_path):
    X = np.random.default_rng(0).normal(size=(N_ROWS, 3))
    data = DataFiles(tmp_path, weighted=False)
    np.save(tmp_path / "X.npy", X)
    np.save(data.y, X[:, 0])
    np.save(data.rows(0, "train"), np.arange(0, 30))
    np.save(data.rows(0, "held_out"), np.arange(30, N_ROWS))
    context = FitContext(
        ProblemShape(TaskKind.REGRESSION, N_ROWS, 3, 0, 1), FeatureSpec(("a", "b", "c")), seed=3
    )
    (tmp_path / "fits").mkdir()
    return FitJob(
        candidate(),
        0,
        tmp_path / "X.npy",
        data,
        context,
        tmp_path / "half",
        tmp_path / "fits" / "key",
        durable=True,
    )


def test_a_fit_and_its_predictions_are_a_pure_function_of_the_job(job, tmp_path):
    first = job.run(never)
    again = replace(job, scratch=tmp_path / "other", folder=tmp_path / "fits" / "again").run(never)
    assert isinstance(first, FitReport)
    assert isinstance(again, FitReport)
    np.testing.assert_array_equal(first.curve, again.curve)
    assert first.folder == tmp_path / "fits" / "key" / "model"
    assert not job.scratch.exists()
    predicted = PredictJob(job.candidate, 0, job.matrix, job.data, first.folder, 2, 1, durable=True)
    assert isinstance(predicted.run(never), PredictReport)
    model = learner_for(job.candidate.family).load(again.folder)
    np.testing.assert_array_equal(np.load(predicted.file), model.predict(np.load(job.matrix)[30:], 2))


def test_a_fit_of_one_round_brings_its_predictions(job):
    report = replace(job, candidate=candidate(rounds=1)).run(never)
    assert (report.folder.parent / "predictions-1.npy").exists()


def test_a_partial_fit_has_another_name_than_the_key(job):
    report = job.run(lambda: True)
    assert not report.complete
    assert report.folder.parent.name == "key.partial-half"
    assert not job.folder.exists()


def test_a_fit_that_was_given_up_is_named_by_its_bar_and_is_complete(job):
    bar = np.array([np.inf, -np.inf])
    fake = Candidate(FAKE_FAMILY, (), Recipe("ordinal"))
    report = replace(job, candidate=fake, context=replace(job.context, bar=bar)).run(never)
    assert (report.given_up, report.complete, len(report.curve)) == (True, True, 2)
    assert report.folder.parent.name == given_up_key("key", bar)
    assert not job.folder.exists()


def test_a_learner_that_gives_up_without_a_bar_has_failed(job):
    failure = replace(job, candidate=Candidate("odd_learners:Quitter", candidate().params, Recipe("ordinal")))
    found = failure.run(never)
    assert isinstance(found, JobFailure)
    assert "there was no bar to fall behind" in found.reason


def test_truths_of_numpy_become_those_of_python(job):
    for given_up in (np.True_, np.False_):
        bar = np.array([0.0])
        params = candidate(given_up=bool(given_up)).params
        one = Candidate("odd_learners:NumpyTruths", params, Recipe("ordinal"))
        report = replace(job, candidate=one, context=replace(job.context, bar=bar)).run(never)
        assert isinstance(report, FitReport)
        assert (report.complete, report.given_up) == (True, bool(given_up))
        assert {type(report.complete), type(report.given_up)} == {bool}


def test_of_a_very_long_error_the_middle_is_left_out(job):
    found = replace(job, matrix=Path("many" * 50_000)).run(never)
    assert isinstance(found, JobFailure)
    assert found.reason.startswith("OSError: ")
    assert "characters left out" in found.reason
    assert len(found.reason) < 2_100
    assert found.detail.startswith("Traceback")
    assert len(found.detail) < 20_100


def test_a_worker_tells_the_digest_of_the_model(job):
    report = job.run(never)
    assert report.digest == model_digest(report.folder)


def test_a_learner_that_saves_nothing_has_failed(job):
    found = replace(job, candidate=Candidate("odd_learners:Saveless", (), Recipe("ordinal"))).run(never)
    assert isinstance(found, JobFailure)
    assert "odd_learners:Saveless saved no model" in found.reason
    assert not job.folder.exists()


@pytest.mark.parametrize(
    ("behaviour", "reason"), [("raise", "RuntimeError: told to raise"), ("sys-exit", "SystemExit: 3")]
)
def test_a_model_that_cannot_be_loaded_has_failed(job, behaviour, reason):
    one = replace(candidate(behaviour), family="odd_learners:Unloadable")
    found = replace(job, candidate=one).run(never)
    assert isinstance(found, JobFailure)
    assert found.reason == reason
    assert not job.folder.exists()


def test_predictions_that_find_no_room_leave_nothing(job):
    report = job.run(never)
    predict = PredictJob(job.candidate, 0, job.matrix, job.data, report.folder, 2, 1)
    before = sorted(report.folder.parent.rglob("*"))
    with files_no_larger_than(130):
        assert isinstance(predict.run(never), JobFailure)
    assert sorted(report.folder.parent.rglob("*")) == before


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the system keeps no peak to reset")
def test_a_fit_in_the_callers_process_leaves_its_peak_alone(job):
    held = np.ones(int(100 * 2**20 / 8))
    before = peak_memory_mb()
    del held
    assert isinstance(job.run(never), FitReport)
    assert peak_memory_mb() >= before - 10  # the kernel counts in batches


def test_what_a_dead_driver_left_under_the_name_is_replaced(job):
    job.folder.mkdir()
    (job.folder / "old").touch()
    job.run(never)
    assert not (job.folder / "old").exists()


def test_a_job_that_outlives_its_driver_names_nothing(job, tmp_path):
    orphan = replace(job, driver=-1)
    report = orphan.run(never)
    assert isinstance(report, JobFailure)
    assert "has ended" in report.reason
    assert not job.folder.exists()
    kept = replace(job, scratch=tmp_path / "other").run(never)
    late = PredictJob(job.candidate, 0, job.matrix, job.data, kept.folder, 2, 1, driver=-1)
    assert isinstance(late.run(never), JobFailure)
    assert not late.file.exists()


def test_a_failure_is_a_record_and_names_nothing(job):
    report = replace(job, candidate=candidate("raise")).run(never)
    assert isinstance(report, JobFailure)
    assert report.reason == "RuntimeError: told to raise"
    assert "odd_learners.py" in report.detail
    assert not job.folder.exists()


def test_ctrl_c_is_no_failure(job):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.run(interrupt)


def test_rows_in_one_piece_stay_a_view_of_the_file(job, tmp_path):
    rows = job.data.load(job.matrix, 0, "held_out")
    assert isinstance(rows.X.base, np.memmap)
    np.save(job.data.rows(1, "train"), np.array([3, 5, 6]))
    np.testing.assert_array_equal(job.data.load(job.matrix, 1, "train").X, np.load(job.matrix)[[3, 5, 6]])


def test_peak_memory_grows_with_what_is_held():
    before = peak_memory_mb()
    held = np.ones(int((before + 50) * 2**20 / 8))
    assert peak_memory_mb() >= before + 40
    del held
