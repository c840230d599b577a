"""What a run took on one machine: kept apart, so that one seed gives the same bytes in all other files."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tabular_automl.artifact.sealed import RESTORE, check_seal, read_json, sealed
from tabular_automl.artifact.values import decode_value, encode_value
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.errors import ArtifactError
from tabular_automl.core.run import Run
from tabular_automl.core.utilisation import Utilisation

CIRCUMSTANCES_FILE = "circumstances.json"
# Settings that change nothing in a run bounded by counts.
CIRCUMSTANTIAL_SETTINGS = frozenset({"n_jobs", "interrupted"})

Facts = Mapping[str, Any]


def encode_circumstances(run: Run) -> Facts:
    """Return all in a run that a clock or the machine decided, as JSON.

    Reasons of failures are among it: third-party libraries write times and addresses into their messages.
    """
    return {
        "seconds": dict(run.seconds),
        "settings": {name: run.settings[name] for name in run.settings if name in CIRCUMSTANTIAL_SETTINGS},
        "baselines": [_of_crossfit(fit) for fit in run.baselines],
        "crossfits": [_of_crossfit(fit) for fit in run.crossfits],
        "failures": [_of_failure(failure) for failure in run.failures],
        "utilisation": None if run.utilisation is None else asdict(run.utilisation),
    }


def decode_utilisation(facts: Facts | None) -> Utilisation | None:
    """Return how well the cores were used."""
    return None if facts is None else Utilisation(**facts)


def decode_fold_circumstances(facts: Sequence[Any]) -> Facts:
    """Return the fields of a `FoldFit` that its circumstances hold."""
    seconds, memory_mb = facts
    return {"seconds": seconds, "memory_mb": decode_value(memory_mb)}


def write_circumstances(folder: Path, manifest: Facts, facts: Facts) -> None:
    """Write ``circumstances.json`` beside the manifest that it belongs to."""
    body = {"manifest": manifest["sha256"], **facts}
    (folder / CIRCUMSTANCES_FILE).write_text(sealed(body), encoding="utf-8")


def read_circumstances(folder: Path, manifest: Facts) -> Facts:
    """Return what `write_circumstances` wrote, after checking that it is whole and of this model.

    Raises
    ------
    ArtifactError
        If it is missing, damaged, was changed, or belongs to another model.
    """
    path = folder / CIRCUMSTANCES_FILE
    if path.is_symlink() or not path.is_file():
        raise ArtifactError(f"'{CIRCUMSTANCES_FILE}' is missing from the model in '{folder}'. {RESTORE}")
    text, facts = read_json(path)
    if not isinstance(facts, dict):
        raise ArtifactError(f"'{path}' is damaged: it does not hold what was saved. {RESTORE}")
    check_seal(path, text, facts)
    if facts.get("manifest") != manifest["sha256"]:
        raise ArtifactError(f"'{path}' belongs to another model. {RESTORE}")
    return facts


def _of_crossfit(fit: CrossFit) -> Facts:
    folds = [[float(fold.seconds), encode_value(float(fold.memory_mb))] for fold in fit.folds]
    return {"seconds": float(fit.seconds), "folds": folds}


def _of_failure(failure: Failure) -> Facts:
    return {"seconds": float(failure.seconds), "reason": failure.reason}
