"""The files of a kept model: how much they hold, and whether they are what was written."""

import hashlib
from pathlib import Path


def model_bytes(folder: Path) -> int:
    """Return the size of all files in a model's folder; 0 if it is gone."""
    try:
        return sum(path.stat().st_size for path in _files(folder))
    except OSError:
        return 0


def model_digest(folder: Path) -> str | None:
    """Hash names and contents of all files of a model; None if there are none or one can't be read."""
    digest = hashlib.sha256()
    try:
        paths = _files(folder)
        for path in paths:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()}\n{content}\n".encode())
    except OSError:
        return None
    return digest.hexdigest() if paths else None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
