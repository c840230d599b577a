"""Load a saved run, after every file has been checked against its manifest."""

import json
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from tabular_automl.artifact.circumstances import read_circumstances
from tabular_automl.artifact.manifest import verify
from tabular_automl.artifact.records import RunParts, decode_member, decode_run
from tabular_automl.artifact.save import RUN_ARRAYS_FILE, RUN_FILE
from tabular_automl.core.ensemble import FittedEnsemble, FittedMember, ServedModel
from tabular_automl.core.errors import ArtifactError, InputError
from tabular_automl.core.fitting import Encoder, FittedModel
from tabular_automl.core.given_path import given_path
from tabular_automl.core.run import Run
from tabular_automl.core.state import load_state
from tabular_automl.learners import learner_for
from tabular_automl.preprocessing import encoder_from_state


def load_run(path: str | Path) -> Run:
    """Load what `save_run` wrote.

    Nothing in the folder can run code: models are in native formats, everything else is JSON or npz.
    A learner that is not shipped is looked up only in a module that you have imported already.

    Raises
    ------
    InputError
        If there is no such folder.
    ArtifactError
        If any file is damaged, truncated, changed, missing or too many; found before anything is parsed.
    """
    folder = given_path(path, "The path of the model")
    if not folder.is_dir():
        raise InputError(_no_folder(path, folder))
    circumstances = read_circumstances(folder, verify(folder))
    try:
        return _read(folder, circumstances)
    except ArtifactError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OSError) as error:
        raise ArtifactError(
            f"The model in '{folder}' is undamaged, but this version of tabular_automl cannot read it "
            f"({type(error).__name__}: {error}). Load it with the version that saved it; {RUN_FILE} names it."
        ) from error


def _no_folder(path: str | Path, folder: Path) -> str:
    siblings = folder.parent.iterdir() if folder.parent.is_dir() else iter(())
    near = get_close_matches(folder.name, [item.name for item in siblings if item.is_dir()], n=1)
    way_out = (
        f"Did you mean '{Path(path).with_name(near[0])}'?" if near else "Give the folder that save made."
    )
    return f"There is no model folder '{path}'. {way_out}"


def _read(folder: Path, circumstances: Mapping[str, Any]) -> Run:
    facts = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    with np.load(folder / RUN_ARRAYS_FILE, allow_pickle=False) as saved:
        arrays = {name: saved[name] for name in saved.files}
    encoders: dict[str, Encoder] = {}
    members = tuple(_load_member(entry, folder, encoders) for entry in facts["fitted"])
    return decode_run(RunParts(facts, circumstances, arrays), FittedEnsemble(members))


def _load_member(entry: Mapping[str, Any], folder: Path, encoders: dict[str, Encoder]) -> FittedMember:
    member = decode_member(entry["member"])
    place = entry["encoder"]
    if place not in encoders:
        encoders[place] = encoder_from_state(member.candidate.recipe, load_state(folder / place))
    family = member.candidate.family
    models = tuple(
        ServedModel(
            _load_model(family, folder / model["place"]), model["rounds"], model["share"], model["is_refit"]
        )
        for model in entry["models"]
    )
    return FittedMember(member, encoders[place], models)


def _load_model(family: str, folder: Path) -> FittedModel:
    module = family.partition(":")[0]
    # Importing runs code, so a model file may not name what is imported, not even a module of this package.
    if ":" in family and module not in sys.modules:
        raise ArtifactError(
            f"This model was fitted with the learner {family!r}, which is not shipped with tabular_automl. "
            f"If you trust it, run 'import {module}' first and load the model again."
        )
    return learner_for(family).load(folder)
