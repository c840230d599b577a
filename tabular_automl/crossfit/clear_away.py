"""Removal of whatever is at a path."""

import shutil
from pathlib import Path


def clear_away(path: Path) -> None:
    """Remove a folder with all that it holds, a file, or a link but not what it points to.

    What of a folder cannot be removed stays.

    Raises
    ------
    OSError
        If a file or a link cannot be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
