import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tabular_automl as ta
from tabular_automl.artifact import load_run, save_run
from tabular_automl.artifact.circumstances import encode_circumstances, write_circumstances
from tabular_automl.artifact.manifest import read_manifest, write_manifest
from tabular_automl.core.candidate import Candidate
from tabular_automl.core.ensemble import Ensemble, FittedEnsemble, FittedMember, Member
from tabular_automl.core.errors import ArtifactError, InputError
from tabular_automl.core.run import Run
from tabular_automl.core.table import Table
from tabular_automl.core.task import TaskKind

MakeRun = Callable[[TaskKind], Run]

PREDICT_ELSEWHERE = """
import sys
import numpy as np
import pandas as pd
import tabular_automl as ta
model = ta.load(sys.argv[1])
np.save(sys.argv[3], model.predict_proba(pd.read_parquet(sys.argv[2])).to_numpy())
"""


def assert_same(left: object, right: object, where: str) -> None:
    """Compare records, tuples, mappings, arrays and scalars by type and content; NaN equals NaN."""
    assert type(left) is type(right), where
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        assert left.dtype == right.dtype, where
        np.testing.assert_array_equal(left, right, err_msg=where)
    elif isinstance(left, tuple | list) and isinstance(right, tuple | list):
        assert len(left) == len(right), where
        for i, (a, b) in enumerate(zip(left, right, strict=True)):
            assert_same(a, b, f"{where}[{i}]")
    elif isinstance(left, Mapping) and isinstance(right, Mapping):
        assert_same(list(left.items()), list(right.items()), where)
    elif is_dataclass(left):
        for part in fields(left):
            if part.name not in {"folder", "fitted"}:
                assert_same(getattr(left, part.name), getattr(right, part.name), f"{where}.{part.name}")
    else:
        assert left == right or (left != left and right != right), where  # noqa: PLR0124 (NaN)


def member_predictions(run: Run, table: Table) -> list[np.ndarray]:
    return [
        served.model.predict(member.encoder.transform(table), served.rounds)
        for member in run.fitted.members
        for served in member.models
    ]


@pytest.mark.parametrize("kind", TaskKind)
def test_everything_comes_back_equal(make_run: MakeRun, kind: TaskKind, tmp_path: Path) -> None:
    run = make_run(kind)
    assert_same(load_run(save_run(run, tmp_path / "model")), run, "run")


def test_identity_of_candidates_survives(run: Run, tmp_path: Path) -> None:
    back = load_run(save_run(run, tmp_path / "model"))
    assert [fit.candidate.key for fit in back.crossfits] == [fit.candidate.key for fit in run.crossfits]
    assert [member.member for member in back.fitted.members] == list(back.ensemble.members)


def test_repeats_come_back(run: Run, tmp_path: Path) -> None:
    first, *others = run.crossfits
    twice = replace(first, folds=(*first.folds, *first.folds), n_repeats=2)
    repeated = replace(run, crossfits=(twice, *others))
    back = load_run(save_run(repeated, tmp_path / "model"))
    assert_same(back, repeated, "run")
    assert (back.crossfits[0].n_repeats, back.crossfits[0].folds_per_repeat) == (2, len(first.folds))


def test_a_run_without_weights_comes_back_without(run: Run, tmp_path: Path) -> None:
    assert load_run(save_run(replace(run, weight=None), tmp_path / "model")).weight is None


@pytest.mark.parametrize("kind", TaskKind)
def test_predictions_are_bit_identical(
    make_run: MakeRun, kind: TaskKind, table: Table, tmp_path: Path
) -> None:
    run = make_run(kind)
    back = load_run(save_run(run, tmp_path / "model"))
    for before, after in zip(member_predictions(run, table), member_predictions(back, table), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_whole_fit_comes_back(mixed_frame: pd.DataFrame, tmp_path: Path) -> None:
    frame = mixed_frame.drop(columns="price").rename(columns={"area": "größe [m²]", "rooms": 7})
    model = ta.fit(frame, "grade", max_candidates=2, n_jobs=1, progress=False)
    back = ta.load(model.save(tmp_path / "model"))
    assert_same(back.run, model.run, "run")
    pd.testing.assert_series_equal(back.predict(frame), model.predict(frame))
    pd.testing.assert_frame_equal(back.leaderboard(), model.leaderboard())
    assert str(back.report()) == str(model.report())


def test_predictions_are_bit_identical_in_a_new_process(binary_frame: pd.DataFrame, tmp_path: Path) -> None:
    model = ta.fit(binary_frame, "label", max_candidates=2, n_jobs=1, progress=False)
    model.save(tmp_path / "model")
    binary_frame.to_parquet(tmp_path / "rows.parquet")
    arguments = [str(tmp_path / name) for name in ("model", "rows.parquet", "out.npy")]
    subprocess.run([sys.executable, "-c", PREDICT_ELSEWHERE, *arguments], check=True)  # noqa: S603 (ourselves)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), model.predict_proba(binary_frame).to_numpy())


def test_a_loaded_run_saves_to_the_same_files(run: Run, tmp_path: Path) -> None:
    first = save_run(run, tmp_path / "first")
    second = save_run(load_run(first), tmp_path / "second")
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    for name in ("run.json", "run.npz", "manifest.json", "circumstances.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_what_each_model_counts_and_whether_it_is_a_refit_comes_back(run: Run, tmp_path: Path) -> None:
    back = load_run(save_run(run, tmp_path / "model"))
    for before, after in zip(run.fitted.members, back.fitted.members, strict=True):
        assert_same(served_facts(after), served_facts(before), "served")
        assert [served.is_refit for served in after.models] == [False, False, True]
        assert len({served.rounds for served in after.models}) > 1
        # Only the rounds that predict are kept.
        assert [served.model.rounds for served in after.models] == [served.rounds for served in after.models]


def served_facts(member: FittedMember) -> list[tuple[int, float, bool]]:
    return [(served.rounds, served.share, served.is_refit) for served in member.models]


def test_models_of_folds_stay_behind(run: Run, tmp_path: Path) -> None:
    back = load_run(save_run(run, tmp_path / "model"))
    folders = [fold.folder for fit in back.crossfits for fold in fit.folds]
    assert len(folders) == 4
    assert set(folders) == {Path()}


def test_members_of_one_recipe_share_an_encoder(run: Run, tmp_path: Path) -> None:
    member = run.fitted.members[0]
    twin = replace(member, member=Member(replace(member.member.candidate, label="twin", parents=("p",)), 0.1))
    doubled = replace(
        run, fitted=FittedEnsemble((member, twin)), ensemble=Ensemble((member.member, twin.member))
    )
    back = load_run(save_run(doubled, tmp_path / "model"))
    assert back.fitted.members[0].encoder is back.fitted.members[1].encoder


def test_an_unknown_folder_is_named_with_the_nearest(run: Run, tmp_path: Path) -> None:
    save_run(run, tmp_path / "price_model")
    with pytest.raises(InputError, match=r"no model folder .*price_modle'. Did you mean '.*price_model'\?"):
        load_run(tmp_path / "price_modle")


def test_a_folder_without_manifest_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"is not a saved model: it has no manifest.json"):
        load_run(tmp_path)


def test_loading_never_imports_what_a_model_names(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil_learner.py").write_text("raise RuntimeError('imported')")
    folder = save_run(with_family(run, "evil_learner:Evil"), tmp_path / "model")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ArtifactError, match="import evil_learner"):
        load_run(folder)
    assert "evil_learner" not in sys.modules


@pytest.mark.parametrize(
    "family", ["tabular_automl.cli.__main__:x", "tabular_automl.testing.fake_learner:FakeLearner", "this:s"]
)
def test_not_even_modules_of_this_package_are_imported_for_a_model(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    folder = save_run(with_family(run, family), tmp_path / "model")
    module = family.partition(":")[0]
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(ArtifactError, match=f"not shipped with tabular_automl.* 'import {module}'"):
        load_run(folder)
    assert module not in sys.modules


def test_a_member_of_one_model_comes_back(run: Run, tmp_path: Path) -> None:
    first = run.fitted.members[0]
    alone = replace(first, models=(replace(first.models[-1], share=1.0),))
    back = load_run(save_run(replace(run, fitted=FittedEnsemble((alone,))), tmp_path / "model"))
    (member,) = back.fitted.members
    assert served_facts(member) == [(first.models[-1].rounds, 1.0, True)]


def test_a_cap_on_rounds_comes_back(run: Run, tmp_path: Path) -> None:
    first, *others = run.crossfits
    capped = replace(run, crossfits=(replace(first, max_rounds=64), *others))
    back = load_run(save_run(capped, tmp_path / "model"))
    assert [fit.max_rounds for fit in back.crossfits] == [64, None]


def test_whether_a_pruned_fit_was_judged_comes_back_if_it_was_written(run: Run, tmp_path: Path) -> None:
    cut = replace(run, crossfits=tuple(replace(fit, unjudged=True) for fit in run.crossfits))
    folder = save_run(cut, tmp_path / "model")
    assert all(fit.unjudged for fit in load_run(folder).crossfits)
    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for fit in (*facts["crossfits"], *facts["baselines"]):
        del fit["unjudged"]
    (folder / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    rewrite_manifest(folder, run)
    assert not any(fit.unjudged for fit in load_run(folder).crossfits)


def test_a_named_class_that_is_no_learner_is_refused(run: Run, tmp_path: Path) -> None:
    folder = save_run(with_family(run, "subprocess:Popen"), tmp_path / "model")
    with pytest.raises(ArtifactError, match="not a subclass"):
        load_run(folder)


def test_undamaged_facts_of_another_shape_are_refused(run: Run, tmp_path: Path) -> None:
    folder = save_run(run, tmp_path / "model")
    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    del facts["task"]["metric"]
    (folder / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    rewrite_manifest(folder, run)
    with pytest.raises(ArtifactError, match="this version of tabular_automl cannot read it"):
        load_run(folder)


def rewrite_manifest(folder: Path, run: Run) -> None:
    """Do what a forger would."""
    (folder / "manifest.json").unlink()
    write_manifest(folder, run.versions)
    write_circumstances(folder, read_manifest(folder), encode_circumstances(run))


def test_no_file_is_a_pickle(run: Run, tmp_path: Path) -> None:
    folder = save_run(run, tmp_path / "model")
    endings = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert endings <= {".json", ".npz", ".txt"}


def with_family(run: Run, family: str) -> Run:
    old = run.fitted.members[0]
    candidate: Candidate = replace(old.member.candidate, family=family)
    member = FittedMember(Member(candidate, 1.0), old.encoder, old.models)
    return replace(run, fitted=FittedEnsemble((member,)), ensemble=Ensemble((member.member,)))
