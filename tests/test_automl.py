"""The whole story: from a table to a model, on real components."""

import json
import subprocess
import sys
import textwrap
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error

import tabular_automl as ta
from tabular_automl.core.errors import InputError, SchemaError
from tabular_automl.core.progress import Event
from tabular_automl.testing import FAKE_FAMILY

COUNTED: dict[str, Any] = {"max_candidates": 2, "n_jobs": 1, "progress": False}


def halves(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    held_out = np.random.default_rng(0).permutation(len(frame)) < len(frame) // 3
    return frame[~held_out], frame[held_out]


@pytest.fixture(scope="module")
def cancer() -> tuple[pd.DataFrame, pd.DataFrame]:
    data = load_breast_cancer(as_frame=True)
    frame = data.frame.assign(diagnosis=np.where(data.target == 1, "benign", "malignant"))
    return halves(frame.drop(columns="target"))


@pytest.fixture(scope="module")
def cancer_model(cancer: tuple[pd.DataFrame, pd.DataFrame]) -> ta.Model:
    return ta.fit(cancer[0], target="diagnosis", **COUNTED)


def test_binary_is_far_above_chance_on_held_out_rows_and_says_so(
    cancer: tuple[pd.DataFrame, pd.DataFrame], cancer_model: ta.Model
) -> None:
    _, test = cancer
    probabilities = cancer_model.predict_proba(test.drop(columns="diagnosis"))
    auc = roc_auc_score(test["diagnosis"] == "malignant", probabilities["malignant"])
    assert auc > 0.97
    assert cancer_model.score_.low <= cancer_model.score_.value <= cancer_model.score_.high
    assert abs(auc - cancer_model.score_.value) < 0.03
    assert set(cancer_model.predict(test)) == {"benign", "malignant"}


def test_labels_keep_index_and_dtype(
    cancer: tuple[pd.DataFrame, pd.DataFrame], cancer_model: ta.Model
) -> None:
    train, test = cancer
    predicted = cancer_model.predict(test.drop(columns="diagnosis"))
    assert predicted.index.equals(test.index)
    assert predicted.dtype == train["diagnosis"].dtype
    assert predicted.name == "diagnosis"


def test_a_batch_that_is_refused_leaves_no_report_of_the_one_before(
    cancer: tuple[pd.DataFrame, pd.DataFrame], cancer_model: ta.Model
) -> None:
    _, test = cancer
    for method in (cancer_model.predict, cancer_model.predict_proba):
        method(test)
        assert cancer_model.schema_report_ is not None
        with pytest.raises(SchemaError, match=r"'mean radius': 100\.0% of"):
            method(test.assign(**{"mean radius": np.inf}), max_deviating_share=0.1)
        assert cancer_model.schema_report_ is None


def test_the_leaderboard_holds_the_baselines_on_the_same_folds(cancer_model: ta.Model) -> None:
    names = " ".join(cancer_model.leaderboard()["name"])
    for expected in ("zero rule", "uniform random", "lightgbm/default", "linear/default"):
        assert expected in names


def test_multiclass_beats_the_zero_rule_clearly() -> None:
    train, test = halves(load_wine(as_frame=True).frame)
    model = ta.fit(train, target="target", task="multiclass", **COUNTED)
    probabilities = model.predict_proba(test)
    assert probabilities.sum(axis=1).to_numpy() == pytest.approx(1.0)
    assert log_loss(test["target"], probabilities, labels=list(probabilities.columns)) < 0.3
    assert all(comparison.clear for comparison in model.run.comparisons)


def test_regression_predicts_values() -> None:
    train, test = halves(load_diabetes(as_frame=True).frame)
    model = ta.fit(train, target="target", **COUNTED)
    rmse = root_mean_squared_error(test["target"], model.predict(test))
    assert rmse < 0.85 * test["target"].std()
    with pytest.raises(InputError, match="regression"):
        model.predict_proba(test)


def test_one_seed_gives_one_model_at_any_number_of_workers(
    cancer: tuple[pd.DataFrame, pd.DataFrame], cancer_model: ta.Model
) -> None:
    train, test = cancer
    parallel = ta.fit(train, target="diagnosis", **{**COUNTED, "n_jobs": 2})
    pd.testing.assert_frame_equal(
        parallel.predict_proba(test), cancer_model.predict_proba(test), check_exact=True
    )
    assert parallel.score_ == cancer_model.score_


def test_polars_and_files_give_the_same_model_as_pandas(
    cancer: tuple[pd.DataFrame, pd.DataFrame], cancer_model: ta.Model, tmp_path: Path
) -> None:
    train, test = cancer
    train.to_parquet(tmp_path / "train.parquet", index=False)
    expected = cancer_model.predict_proba(test)
    for given in (pl.from_pandas(train), tmp_path / "train.parquet"):
        model = ta.fit(given, target="diagnosis", **COUNTED)
        pd.testing.assert_frame_equal(model.predict_proba(test), expected, check_exact=True)


def test_a_saved_model_predicts_the_same_bits_in_a_new_process(
    cancer: tuple[pd.DataFrame, pd.DataFrame], cancer_model: ta.Model, tmp_path: Path
) -> None:
    _, test = cancer
    cancer_model.save(tmp_path / "model")
    test.to_parquet(tmp_path / "test.parquet")
    code = textwrap.dedent("""
        import sys, pandas as pd, tabular_automl as ta
        model = ta.load(sys.argv[1])
        frame = model.predict_proba(pd.read_parquet(sys.argv[2]))
        print([value.hex() for value in frame["malignant"]])
    """)
    arguments = [sys.executable, "-c", code, str(tmp_path / "model"), str(tmp_path / "test.parquet")]
    out = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    expected = [value.hex() for value in cancer_model.predict_proba(test)["malignant"]]
    assert out.strip() == str(expected)


def test_a_loaded_model_tells_the_same_story(cancer_model: ta.Model, tmp_path: Path) -> None:
    loaded = ta.load(cancer_model.save(tmp_path / "model"))
    assert loaded.score_ == cancer_model.score_
    assert str(loaded.report()) == str(cancer_model.report())
    pd.testing.assert_frame_equal(loaded.leaderboard(), cancer_model.leaderboard())


def test_fits_in_a_run_folder_are_found_again(
    cancer: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    train, test = cancer
    options: dict[str, Any] = {**COUNTED, "run_dir": tmp_path / "run"}
    first = ta.fit(train, target="diagnosis", **options)
    models = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("model.txt")}
    again = ta.fit(train, target="diagnosis", **options)
    assert models
    assert models == {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("model.txt")}
    pd.testing.assert_frame_equal(first.predict_proba(test), again.predict_proba(test), check_exact=True)


def test_a_time_limit_leaves_a_usable_model(cancer: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    train, test = cancer
    model = ta.fit(train, target="diagnosis", time_limit=3, n_jobs=2, progress=False)
    assert len(model.predict(test)) == len(test)
    assert set(model.run.seconds) >= {"ingest", "fit", "weigh", "total"}


def test_progress_tells_every_stage(cancer: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    events: list[Event] = []
    ta.fit(cancer[0], target="diagnosis", **{**COUNTED, "progress": events.append})
    assert {event.stage for event in events} >= {"ingest", "baselines", "fit", "weigh", "done"}
    assert [event.elapsed for event in events] == sorted(event.elapsed for event in events)


def test_progress_is_written_to_stderr_on_request(
    cancer: tuple[pd.DataFrame, pd.DataFrame], capsys: pytest.CaptureFixture[str]
) -> None:
    ta.fit(cancer[0], target="diagnosis", **{**COUNTED, "progress": True})
    captured = capsys.readouterr()
    assert "lightgbm/default" in captured.err
    assert captured.out == ""


def test_only_constant_columns_give_the_prior_with_a_warning() -> None:
    frame = pd.DataFrame({"x": 1.0, "y": ["a", "b", "b"] * 20})
    model = ta.fit(frame, target="y", **COUNTED)
    probabilities = model.predict_proba(frame.head(2))
    assert probabilities["b"].to_numpy() == pytest.approx(2 / 3, abs=0.02)
    assert "x" in str(model.report())


def test_a_model_of_the_prior_alone_is_warned_about(cancer: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    train, _ = cancer
    events: list[Event] = []
    model = ta.fit(
        train,
        target="diagnosis",
        families=[FAKE_FAMILY],
        candidates=[(FAKE_FAMILY, {"behaviour": "raise"})],
        max_candidates=1,
        n_jobs=1,
        progress=events.append,
    )
    assert [failure.reason for failure in model.run.failures] == [
        "RuntimeError: FakeLearner was told to raise."
    ]
    assert any(event.is_warning and "every row gets the same prediction" in event.message for event in events)
    assert "every row gets the same prediction" in str(model.report())


def test_a_candidate_taken_up_again_is_in_the_record_once(
    cancer: tuple[pd.DataFrame, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tabular_automl.automl.repeat", lambda problem, results, runtime: results)
    run = ta.fit(cancer[0], target="diagnosis", families=["linear"], **COUNTED).run
    keys = [fit.candidate.key for fit in run.crossfits]
    assert len(keys) == len(set(keys)) > 1


def test_settings_and_versions_are_json(cancer_model: ta.Model) -> None:
    assert json.loads(json.dumps(dict(cancer_model.run.settings)))["seed"] == 0
    assert cancer_model.run.versions["tabular_automl"] == ta.__version__


def test_the_versions_of_what_the_learners_used_are_kept(cancer: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    model = ta.fit(cancer[0], target="diagnosis", families=["catboost"], **COUNTED)
    found = dict(model.run.versions)
    assert found["catboost"] == version("catboost")
    assert set(found) == {
        "tabular_automl", "python", "catboost", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy",
    }  # fmt: skip


def test_human_level_and_an_existing_system_are_baselines(cancer: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    train, _ = cancer
    existing = (train["mean radius"] > train["mean radius"].median()).map(
        {True: "malignant", False: "benign"}
    )
    model = ta.fit(train, target="diagnosis", existing=existing, human_level=0.9, **COUNTED)
    names = {comparison.baseline for comparison in model.run.comparisons}
    assert {"existing system", "human level"} <= {name.removeprefix("baseline/") for name in names}


def test_what_has_no_effect_on_the_search_is_said() -> None:
    frame = pd.DataFrame({"x": range(60), "y": [2.0 * x for x in range(60)]})
    search = ta.Search(
        "random", portfolio=False, spaces={"lightgbm": {"num_leaves": 4}}, most_candidates={"linear": 1}
    )
    said: dict[str, Any] = {"families": ["linear"], "n_jobs": 1, "search": search}
    for bound, expected in ((None, 2), (1, 1)):
        seen: list[Event] = []
        model = ta.fit(frame, "y", time_limit=None, max_candidates=bound, progress=seen.append, **said)
        warnings = [event.message for event in seen if event.is_warning]
        assert len([text for text in warnings if "search" in text]) == expected
        assert "search speaks of lightgbm, which is not fitted" in " ".join(warnings)
        unbounded = (
            "Nothing is tuned in a run without any bound: search.sampler='random' only matters with a "
            "time_limit or max_candidates"
        )
        assert (unbounded in " ".join(warnings)) == (bound is None)
    # The prior is no candidate, and one is not several.
    told = " ".join(event.message for event in seen)
    assert "Chose 1 of 1 candidate on 60 rows" in told
    assert "The model is ready, with 1 member." in told
    assert "chosen from 1 candidate." in model.report()
    assert ", 1 member, " in repr(model)
