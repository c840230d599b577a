"""The manifest of a saved model: its format, and the size and hash of every file."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabular_automl.artifact.circumstances import CIRCUMSTANCES_FILE
from tabular_automl.artifact.sealed import RESTORE, check_seal, read_json, sealed
from tabular_automl.core.errors import ArtifactError

MANIFEST_FILE = "manifest.json"
FORMAT = "tabular_automl model"
FORMAT_VERSION = 3
# The circumstances of a fit differ each time, so that the manifest must not depend on them.
_UNLISTED = frozenset({MANIFEST_FILE, CIRCUMSTANCES_FILE})


def write_manifest(folder: Path, versions: Mapping[str, str]) -> None:
    """Write ``manifest.json`` over all files of a folder but the circumstances."""
    body: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "versions": dict(versions),
        "files": {name: _fingerprint(folder / name) for name in _listed(folder)},
    }
    (folder / MANIFEST_FILE).write_text(sealed(body), encoding="utf-8")


def read_manifest(folder: Path) -> Mapping[str, Any]:
    """Return the manifest after checking that it is whole, ours and of a format this version can read.

    Raises
    ------
    ArtifactError
        Otherwise; the message says which.
    """
    path = folder / MANIFEST_FILE
    if path.is_symlink() or not path.is_file():
        raise ArtifactError(f"'{folder}' is not a saved model: it has no {MANIFEST_FILE}. {RESTORE}")
    text, manifest = read_json(path)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ArtifactError(
            f"'{path}' is not the manifest of a tabular_automl model, or it is damaged. {RESTORE}"
        )
    _check_version(path, manifest.get("format_version"))
    _check_shape(path, manifest)
    check_seal(path, text, manifest)
    return manifest


def verify(folder: Path) -> Mapping[str, Any]:
    """Check every file of a saved model against its manifest, before any of them is parsed.

    The hashes protect against damage, not against a forger who writes a new manifest as well; either way
    nothing in a model can run code when it is loaded.

    Raises
    ------
    ArtifactError
        If a file is missing, too many, a link, of another size or of other content; the message names it. If
        the format is an older one.
    """
    manifest = read_manifest(folder)
    if manifest["format_version"] < FORMAT_VERSION:
        raise ArtifactError(
            f"The model in '{folder}' has format version {manifest['format_version']}, this installation "
            f"reads {FORMAT_VERSION}. Load it with the tabular_automl that saved it: {MANIFEST_FILE} tells."
        )
    expected = manifest["files"]
    found = set(_listed(folder))
    for name in sorted(set(expected) - found):
        raise ArtifactError(f"'{name}' is missing from the model in '{folder}'. {RESTORE}")
    for name in sorted(found - set(expected)):
        raise ArtifactError(
            f"'{name}' does not belong to the model in '{folder}'. Move it elsewhere and load again."
        )
    for name in sorted(found):
        _check_file(folder, name, expected[name])
    return manifest


def extra_files(folder: Path) -> list[str]:
    """Return the files of a saved model that its manifest doesn't list."""
    return sorted(set(_listed(folder)) - set(read_manifest(folder)["files"]))


def _listed(folder: Path) -> list[str]:
    """List the files that belong into the manifest, by relative path with ``/``; links are refused."""
    names = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ArtifactError(f"'{name}' in the model '{folder}' is not a plain file. {RESTORE}")
        if path.is_file() and name not in _UNLISTED:
            names.append(name)
    return names


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _check_version(path: Path, version: object) -> None:
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ArtifactError(f"'{path}' is damaged: its format version is {version!r}. {RESTORE}")
    if version > FORMAT_VERSION:
        raise ArtifactError(
            f"'{path}' has format version {version}, this installation reads up to {FORMAT_VERSION}. "
            "Load it with a newer tabular_automl."
        )


def _check_shape(path: Path, manifest: Mapping[str, Any]) -> None:
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(
        isinstance(entry, dict) and entry.keys() == {"bytes", "sha256"} for entry in files.values()
    ):
        raise ArtifactError(f"'{path}' was changed after it was written, or it is damaged. {RESTORE}")


def _check_file(folder: Path, name: str, expected: Mapping[str, Any]) -> None:
    try:
        found = _fingerprint(folder / name)
    except OSError as error:
        raise ArtifactError(
            f"'{name}' of the model in '{folder}' cannot be read: {error.strerror}."
        ) from error
    if found["bytes"] != expected["bytes"]:
        raise ArtifactError(
            f"'{name}' of the model in '{folder}' has {found['bytes']} bytes instead of {expected['bytes']}: "
            f"it is truncated or was changed. {RESTORE}"
        )
    if found["sha256"] != expected["sha256"]:
        raise ArtifactError(
            f"'{name}' of the model in '{folder}' was changed or is damaged: "
            f"its content does not match the manifest. {RESTORE}"
        )
