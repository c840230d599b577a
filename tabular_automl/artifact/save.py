"""Save a run as a folder of JSON, npz and native model files; no pickle."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tabular_automl.artifact.circumstances import write_circumstances
from tabular_automl.artifact.destination import check_destination, staged_folder
from tabular_automl.artifact.manifest import read_manifest, write_manifest
from tabular_automl.artifact.records import encode_member, encode_run
from tabular_automl.core.ensemble import FittedEnsemble, FittedMember
from tabular_automl.core.run import Run
from tabular_automl.core.state import save_state

RUN_FILE = "run.json"
RUN_ARRAYS_FILE = "run.npz"


def save_run(run: Run, path: str | Path, *, overwrite: bool = False) -> Path:
    """Save a run; `load_run` gives it back in any other process, with identical predictions.

    The folder appears whole or not at all: it is filled beside its place, synced to disk and renamed. What a
    clock measured, or the machine decided, is in ``circumstances.json`` alone: the other files of two runs
    bounded by counts, of one seed on the same data, are equal byte for byte.

    Parameters
    ----------
    path
        The folder to make. Its parent must exist.
    overwrite
        Replace a model that is saved there. What isn't a saved model is never replaced.

    Returns
    -------
    The absolute path of the folder.

    Raises
    ------
    InputError
        If the place cannot be used.
    WriteError
        If writing fails, for example because the disk is full; nothing is left behind then.
    """
    target = check_destination(path, overwrite=overwrite)
    with staged_folder(target) as staging:
        parts = encode_run(run)
        facts = {**parts.facts, "fitted": _save_fitted(run.fitted, staging)}
        (staging / RUN_FILE).write_text(json.dumps(facts, indent=1, default=_plain), encoding="utf-8")
        with (staging / RUN_ARRAYS_FILE).open("wb") as file:
            np.savez(file, allow_pickle=False, **parts.arrays)
        write_manifest(staging, run.versions)
        write_circumstances(staging, read_manifest(staging), parts.circumstances)
    return target


def _save_fitted(fitted: FittedEnsemble, folder: Path) -> list[dict[str, Any]]:
    return [_save_member(member, folder, f"members/{i}") for i, member in enumerate(fitted.members)]


def _save_member(fitted: FittedMember, folder: Path, name: str) -> dict[str, Any]:
    recipe = fitted.member.candidate.recipe
    encoder = f"encoders/{recipe.key}"
    if not (folder / encoder).exists():  # members of one recipe share its encoder
        (folder / encoder).mkdir(parents=True)
        save_state(fitted.encoder.state(), folder / encoder)
    places = [f"{name}/{i}" for i in range(len(fitted.models))]
    for served, place in zip(fitted.models, places, strict=True):
        (folder / place).mkdir(parents=True)
        served.model.save(folder / place, served.rounds)
    models = [
        {
            "place": place,
            "rounds": int(served.rounds),
            "share": float(served.share),
            "is_refit": served.is_refit,
        }
        for served, place in zip(fitted.models, places, strict=True)
    ]
    return {"member": encode_member(fitted.member), "encoder": encoder, "models": models}


def _plain(value: object) -> Any:
    """Return numpy's scalars as Python's; anything else has no JSON form."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} of type {type(value).__name__} has no JSON form.")
