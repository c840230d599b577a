"""One run at a time in a folder: locks of files, which the system lets go of however a process ends."""

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from tabular_automl.core.errors import StoreError

if sys.platform != "win32":
    import fcntl

LOCK = "lock.sqlite"
GUARD = "run.lock"
# Whoever looks whether a run holds its locks does so for a moment, which a starting run waits for.
PROBE_SECONDS = 0.5
_RETRY_SECONDS = 0.02
# The bits of SQLite's codes that say what happened; those above say how.
_PRIMARY_CODE = 0xFF


def lock_folder(root: Path) -> ExitStack:
    """Take the folder for one run, until what is returned is closed.

    SQLite's lock is there on every system, but falls when anything in this process opens its file and closes
    it again, as a copy of the folder does. The other one stays; it has a file of its own, since on macOS and
    NFS the two kinds of locks would shut each other out. Neither file is ever removed: two runs could then
    hold two files of that name.

    Raises
    ------
    StoreError
        If another run has it.
    """
    with ExitStack() as locks:
        try:
            locks.enter_context(_record_lock(root / LOCK))
            locks.enter_context(_file_lock(root / GUARD))
        except (sqlite3.Error, OSError) as error:
            raise StoreError(_refusal(root, error)) from error
        return locks.pop_all()


def is_held(root: Path) -> bool:
    """Return whether a run works in a folder; False also where locks of files do nothing, as on some NFS."""
    return _is_record_locked(root / LOCK) or _is_file_locked(root / GUARD)


def is_locked(error: Exception) -> bool:
    """Return whether an error is SQLite's word that somebody else has a lock on the file."""
    # By its code: other errors' texts may hold the path, and with it any word.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & _PRIMARY_CODE
    return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


@contextmanager
def _record_lock(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, timeout=PROBE_SECONDS, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = MEMORY")  # nothing will ever be written
        connection.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    if sys.platform == "win32":  # where the other lock belongs to its descriptor as well
        yield
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _wait_for(descriptor)
        yield
    finally:
        with suppress(OSError):  # a process that was forked meanwhile would go on holding it
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _wait_for(descriptor: int) -> None:
    end = time.monotonic() + PROBE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise
            time.sleep(_RETRY_SECONDS)
        except OSError:  # a file system without such locks, where SQLite's is the only one
            return
        else:
            return


def _is_record_locked(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0.0)) as probe:
            probe.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return is_locked(error)
    return False


def _is_file_locked(path: Path) -> bool:
    if sys.platform == "win32":
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    finally:
        os.close(descriptor)
    return False


def _refusal(root: Path, error: Exception) -> str:
    if isinstance(error, BlockingIOError) or is_locked(error):
        return f"Run folder {root} is in use by another run. Wait for it to end, or choose another run_dir."
    return f"Run folder {root} cannot be locked: {error}. Choose another run_dir."
