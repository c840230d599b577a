"""However a saved model is damaged, loading it raises ArtifactError that names the file."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tabular_automl.artifact import load_run, save_run
from tabular_automl.artifact.manifest import FORMAT_VERSION, read_manifest, write_manifest
from tabular_automl.core.errors import ArtifactError
from tabular_automl.core.run import Run


@pytest.fixture(scope="module")
def saved(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_run(run, tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_an_untouched_copy_loads(model: Path) -> None:
    load_run(model)


def test_any_flipped_byte_is_refused(model: Path) -> None:
    rng = np.random.default_rng(0)
    for path in files(model):
        whole = path.read_bytes()
        places = {0, len(whole) - 1, *rng.integers(0, len(whole), 12).tolist()}
        for place in places:
            flipped = bytearray(whole)
            flipped[place] ^= int(rng.integers(1, 256))
            path.write_bytes(flipped)
            with pytest.raises(ArtifactError, match=re.escape(path.name)):
                load_run(model)
        path.write_bytes(whole)
    load_run(model)


def test_every_byte_of_the_manifest_counts(model: Path) -> None:
    path = model / "manifest.json"
    whole = path.read_bytes()
    for place in range(len(whole)):
        mask = (0x01, 0x20, 0x80)[place % 3]
        path.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
        with pytest.raises(ArtifactError, match=r"manifest\.json"):
            read_manifest(model)


def test_any_truncation_is_refused(model: Path) -> None:
    for path in files(model):
        whole = path.read_bytes()
        for length in {0, 1, len(whole) // 2, len(whole) - 1}:
            path.write_bytes(whole[:length])
            with pytest.raises(ArtifactError, match=re.escape(path.name)):
                load_run(model)
        path.write_bytes(whole)


def test_any_missing_file_is_named(model: Path) -> None:
    for path in files(model):
        whole = path.read_bytes()
        path.unlink()
        with pytest.raises(ArtifactError, match=re.escape(path.relative_to(model).as_posix())):
            load_run(model)
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "name", ["notes.txt", "members/0/extra.npz", "members/0/0/.hidden", "new/manifest.json"]
)
def test_an_extra_file_is_named(model: Path, name: str) -> None:
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).write_text("x")
    with pytest.raises(ArtifactError, match=f"'{name}' does not belong to the model"):
        load_run(model)


def test_a_link_is_refused(model: Path, tmp_path: Path) -> None:
    (model / "run.json").rename(tmp_path / "elsewhere.json")
    (model / "run.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ArtifactError, match=r"'run.json' .* is not a plain file"):
        load_run(model)


def test_a_folder_in_place_of_a_file_is_refused(model: Path) -> None:
    (model / "run.npz").unlink()
    (model / "run.npz").mkdir()
    with pytest.raises(ArtifactError, match=r"'run.npz' is missing"):
        load_run(model)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        "[" * 100_000,
        '{"format": "tabular_automl model"}',
        "\ufeff{}",
        '{"format": 1}',
    ],
)
def test_a_manifest_of_another_shape_is_refused(model: Path, text: str) -> None:
    (model / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        load_run(model)


@pytest.mark.parametrize("files", [None, [], {"run.json": 3}, {"run.json": {"bytes": 1}}])
def test_a_rewritten_manifest_of_another_shape_is_refused(model: Path, files: object) -> None:
    path = model / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**manifest, "files": files}), encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"was changed after it was written, or it is damaged"):
        load_run(model)


def written_in_format(model: Path, version: int) -> Path:
    (model / "manifest.json").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tabular_automl.artifact.manifest.FORMAT_VERSION", version)
        write_manifest(model, {})
    return model


def test_a_newer_format_says_so(model: Path) -> None:
    newer, reads = FORMAT_VERSION + 1, FORMAT_VERSION
    with pytest.raises(
        ArtifactError, match=f"has format version {newer}, this installation reads up to {reads}"
    ):
        load_run(written_in_format(model, newer))


def test_an_older_format_says_so_and_may_be_replaced(run: Run, model: Path) -> None:
    older = written_in_format(model, 1)
    with pytest.raises(ArtifactError, match=r"has format version 1.*Load it with the tabular_automl that"):
        load_run(older)
    load_run(save_run(run, older, overwrite=True))
