import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tabular_automl as ta
from tabular_automl.cli import fit as room
from tabular_automl.cli import main
from tabular_automl.core.progress import Event


class StopError(Exception):
    """Ends a fit before it starts."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `fit` was called with, instead of a fit."""
    seen: dict[str, Any] = {}

    def fit(df: Any, target: Any, **options: Any) -> None:
        seen.update(options, df=df, target=target)
        raise StopError

    monkeypatch.setattr(room, "fit", fit)
    return seen


def test_a_fit_prints_leaderboard_and_score_and_saves(
    train: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model"
    arguments = [
        "fit",
        str(train),
        "--target",
        "price",
        "--out",
        str(out),
        "--max-candidates",
        "1",
        "--n-jobs",
        "1",
    ]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    model = ta.load(out)
    assert str(model.leaderboard()["name"].iloc[0]) in printed.out
    assert f"Expected score on new rows: {model.score_}" in printed.out
    assert f"Saved to {out}" in printed.out
    assert " s] " in printed.err


def test_quiet_shows_no_progress(train: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "fit",
        str(train),
        "--target",
        "price",
        "--out",
        str(tmp_path / "m"),
        "--max-candidates",
        "1",
    ]
    assert main([*arguments, "--n-jobs", "1", "--quiet"]) == 0
    assert " s] " not in capsys.readouterr().err


@pytest.fixture
def doubtful(tmp_path: Path) -> list[str]:
    """The arguments to fit a table with a constant column and a target that may be classes or numbers."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=200), "k": 1, "grade": rng.integers(0, 12, 200)})
    frame.to_csv(tmp_path / "doubtful.csv", index=False)
    told = ["--target", "grade", "--max-candidates", "1", "--n-jobs", "1"]
    return ["fit", str(tmp_path / "doubtful.csv"), *told, "--out", str(tmp_path / "m")]


def test_warnings_and_an_ambiguous_target_are_said_before_the_fit(
    doubtful: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(doubtful) == 0
    lines = capsys.readouterr().err.splitlines()
    said = [i for i, line in enumerate(lines) if " notice: " in line]
    assert "grade" in lines[said[0]]
    assert "task=" in lines[said[0]]
    assert any(line.startswith("tabular-automl: warning:") and "'k'" in line for line in lines)
    fitted = next(i for i, line in enumerate(lines) if "Chose " in line)
    assert said[0] < fitted < said[-1]  # and once more beside the result


def test_quiet_leaves_errors_and_the_result(doubtful: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*doubtful, "--quiet"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "Expected score" in printed.out


def test_every_option_reaches_fit(asked: dict[str, Any], tmp_path: Path) -> None:
    arguments = (
        "fit t.csv --target y --task binary --metric log_loss --time-limit 9.5 --max-candidates 3 --n-jobs 2 "
        "--seed 7 --weight w --groups g --time-column t --families lightgbm,linear --run-dir r --strict "
        "--missing-target drop --quiet --sampler grid --pruner halving --without catboost "
        "--space lightgbm.num_leaves=8:64 --folds 4 --candidate linear --most-candidates linear=2 "
        "--candidate lightgbm:num_leaves=7,extra_trees=true --no-portfolio"
    )
    main([*arguments.split(), "--out", str(tmp_path / "m")])
    assert asked == {
        "df": "t.csv",
        "target": "y",
        "task": "binary",
        "metric": "log_loss",
        "time_limit": 9.5,
        "max_candidates": 3,
        "n_jobs": 2,
        "seed": 7,
        "weight": "w",
        "groups": "g",
        "time_column": "t",
        "families": ["lightgbm", "linear"],
        "splitter": 4,
        "candidates": [("linear", {}), ("lightgbm", {"num_leaves": 7, "extra_trees": True})],
        "search": ta.Search(
            "grid",
            "halving",
            {"lightgbm": {"num_leaves": (8, 64)}},
            ["catboost"],
            {"linear": 2},
            portfolio=False,
        ),
        "run_dir": "r",
        "strict": True,
        "missing_target": "drop",
        "progress": False,
    }


def test_without_a_limit_the_engine_decides(asked: dict[str, Any], tmp_path: Path) -> None:
    main(["fit", "t.csv", "--target", "y", "--out", str(tmp_path / "m")])
    assert asked["time_limit"] == "auto"


def test_a_run_may_have_no_limit(asked: dict[str, Any], tmp_path: Path) -> None:
    main(["fit", "t.csv", "--target", "y", "--out", str(tmp_path / "m"), "--time-limit", "none"])
    assert asked["time_limit"] is None


def test_a_result_after_ctrl_c_says_so(
    train: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Event] = []

    def press(event: Event) -> None:
        seen.append(event)
        if "linear/" in event.message and not any("Stopping" in one.message for one in seen):
            signal.raise_signal(signal.SIGINT)

    def fit(*table: Any, **options: Any) -> ta.Model:
        return ta.fit(*table, **{**options, "progress": press})

    monkeypatch.setattr(room, "fit", fit)
    told = ["--target", "price", "--out", str(tmp_path / "m"), "--families", "linear,lightgbm"]
    assert main(["fit", str(train), *told, "--max-candidates", "4", "--n-jobs", "1"]) == 0
    assert "Stopped by Ctrl-C: this is the best until then." in capsys.readouterr().out
    assert [event.message.startswith("Stopping as asked") for event in seen].count(True) == 1


def test_names_from_data_do_not_command_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=80)
    frame = pd.DataFrame({"a\x1b[2Jb": x, "k\x1b[31m": 1, "y": np.where(x > 0, "up\x1b]0;x\x07", "down")})
    frame.to_csv(tmp_path / "t.csv", index=False)
    out, kept = str(tmp_path / "m"), str(tmp_path / "run")
    arguments = ["fit", str(tmp_path / "t.csv"), "--target", "y", "--out", out, "--families", "linear"]
    assert main([*arguments, "--max-candidates", "1", "--n-jobs", "1", "--run-dir", kept]) == 0
    for command in (["report", out], ["history", kept], ["history", kept, "--show", "events"]):
        assert main(command) == 0
    assert main([*arguments, "--target", "y\x1b[2J"]) == 2
    printed = capsys.readouterr()
    for text in (printed.out, printed.err):
        assert "\x1b" not in text
        assert "\x07" not in text
    assert "k\\x1b[31m" in printed.err
    assert "a\\x1b[2Jb" in printed.out
    assert "<NA>" not in printed.out
    assert "NaN" not in printed.out


def test_the_place_is_checked_before_the_fit(
    asked: dict[str, Any], train: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, message in [
        (train.parent, "not a saved model"),
        (model, "--overwrite"),
        (model / "a" / "b", "exist"),
    ]:
        assert main(["fit", str(train), "--target", "price", "--out", str(place)]) == 2
        assert message in capsys.readouterr().err
    assert asked == {}


@pytest.mark.parametrize(
    ("out", "run_dir"),
    [("x", "x"), ("x", "x/run"), ("x/y", "x/y/z/run"), ("x/fits", "x"), ("x/scratch", "./x/../x")],
)
def test_the_model_and_the_run_folder_are_kept_apart(
    asked: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    out: str,
    run_dir: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    assert main(["fit", "t.csv", "--target", "y", "--out", out, "--run-dir", run_dir]) == 2
    assert "need that place for themselves. Choose another path" in capsys.readouterr().err
    assert asked == {}


def test_a_model_may_be_saved_beside_what_the_run_keeps(asked: dict[str, Any], tmp_path: Path) -> None:
    main(["fit", "t.csv", "--target", "y", "--out", str(tmp_path / "model"), "--run-dir", str(tmp_path)])
    assert asked["run_dir"] == str(tmp_path)


def test_a_wrong_target_is_one_clean_message(
    train: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", str(train), "--target", "prise", "--out", str(tmp_path / "m"), "--quiet"]) == 2
    printed = capsys.readouterr()
    assert "'price'" in printed.err
    assert "Traceback" not in printed.err
    assert not (tmp_path / "m").exists()
