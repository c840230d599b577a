"""Where a model is saved: checked before work, filled out of sight, put in place in one step."""

import ctypes
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from tabular_automl.artifact.manifest import extra_files
from tabular_automl.core.errors import ArtifactError, InputError, WriteError
from tabular_automl.core.given_path import given_path
from tabular_automl.crossfit import is_removed_by_runs, is_run_folder

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# Folders that killed processes were filling are removed when nothing was written there for so many seconds.
_LEFT_FOR = 3_600.0


def check_destination(
    path: str | os.PathLike[str], *, overwrite: bool = False, run_dir: str | os.PathLike[str] | None = None
) -> Path:
    """Return the absolute path at which a model can be saved; call it before any time is spent.

    Parameters
    ----------
    path
        Where it is to be saved.
    overwrite
        Whether a saved model may be replaced.
    run_dir
        A folder in which a run is going to work before, if any; it need not be there yet.

    Raises
    ------
    InputError
        If the parent folder is missing or cannot be written, if the place is one that runs need for
        themselves, if something exists there and ``overwrite`` is false, or if what exists is not a saved
        model, or holds files that don't belong to one.
    """
    target = check_parent(path)
    if run_dir is not None:
        _check_apart(target, given_path(run_dir, "run_dir"))
    if target.is_dir() and not any(target.iterdir()):
        return target
    if target.exists():
        _check_replaceable(target, overwrite=overwrite)
    return target


def check_parent(path: str | os.PathLike[str]) -> Path:
    """Return the absolute form of a path, after checking that something can be made there.

    Raises
    ------
    InputError
        If nothing can have that path, if the parent folder is missing or cannot be written, or if it is where
        runs remove what they don't know.
    """
    target = given_path(path, "The path to write to")
    if not target.parent.is_dir():
        raise InputError(
            f"Cannot write '{path}': the folder '{target.parent}' does not exist. Create it first."
        )
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise InputError(
            f"Cannot write '{path}': the folder '{target.parent}' is read-only. Choose another one."
        )
    for root in target.parents:
        if is_run_folder(root):
            _check_apart(target, root)
    return target


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Give a hidden sibling folder to fill, which becomes ``target`` in one step.

    Before that it is synced to disk. On any exception it is removed, and what was at ``target`` stays. What a
    killed process left of such folders for the same target is removed when it was at rest for an hour.
    """
    _remove_left(target)
    staging = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        staging.mkdir()
        yield staging
        _sync_tree(staging)
        _publish(staging, target)
        sync_folder(target.parent)
    except OSError as error:
        raise WriteError(
            f"Cannot save the model to '{target}': {error.strerror or error}. Nothing was left behind."
        ) from error
    finally:
        # After an exchange the staging path holds the replaced model.
        shutil.rmtree(staging, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder survive a power cut."""
    if os.name == "nt":  # folders cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_apart(target: Path, root: Path) -> None:
    """Refuse to write over a run folder, or where runs in it remove what they don't know."""
    if root.is_relative_to(target) or is_removed_by_runs(target, root):
        raise InputError(
            f"Cannot write '{target}': runs in the run folder '{root}' need that place for themselves. "
            "Choose another path."
        )


def _check_replaceable(target: Path, *, overwrite: bool) -> None:
    if not target.is_dir():
        raise InputError(f"Cannot save to '{target}': a file of that name exists. Choose another path.")
    try:
        extra = extra_files(target)
    except ArtifactError as error:
        raise InputError(
            f"Cannot save to '{target}': the folder exists and is not a saved model, so it is not replaced. "
            "Choose another path or delete it yourself."
        ) from error
    if not overwrite:
        raise InputError(
            f"A model is saved at '{target}' already. Pass overwrite=True (--overwrite) to replace it."
        )
    if extra:
        raise InputError(
            f"Cannot replace the model at '{target}': '{extra[0]}' is not part of it and would be lost. "
            "Move it elsewhere first."
        )


def _remove_left(target: Path) -> None:
    for left in target.parent.glob(f".{escape(target.name)}.{'[0-9a-f]' * 8}.partial"):
        with suppress(OSError):  # somebody else removes it, too
            last = max(path.lstat().st_mtime for path in (left, *left.rglob("*")))
            if time.time() - last > _LEFT_FOR:
                shutil.rmtree(left, ignore_errors=True)


def _sync_tree(folder: Path) -> None:
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            with Path(parent, name).open("rb+") as file:
                os.fsync(file.fileno())
        sync_folder(Path(parent))


def _publish(staging: Path, target: Path) -> None:
    if not target.exists() or not any(target.iterdir()):
        staging.rename(target)
    elif not _exchange(staging, target):
        replaced = target.with_name(f".{target.name}.{secrets.token_hex(4)}.replaced")
        target.rename(replaced)
        try:
            staging.rename(target)
        except BaseException:
            replaced.rename(target)
            raise
        shutil.rmtree(replaced, ignore_errors=True)


def _exchange(left: Path, right: Path) -> bool:
    """Swap two folders in one system call; False where the system or the file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # C library older than 2.28
        return False
    return bool(rename(_AT_FDCWD, os.fsencode(left), _AT_FDCWD, os.fsencode(right), _RENAME_EXCHANGE) == 0)
