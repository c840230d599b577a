"""A run folder: whose it is, whether it can be written, and its database, opened to write or to read."""

import os
import shutil
import sqlite3
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tabular_automl.core.errors import InputError, StoreError
from tabular_automl.crossfit.folder_lock import GUARD, LOCK, is_held, is_locked

DATABASE = "run.sqlite"
# What runs remove without asking: fits that no run knows, and what a run can make again.
FITS = "fits"
SCRATCH = "scratch"
FORMAT = "3"
# Kept free beyond what the run is expected to write.
SPARE_BYTES = 64 * 2**20
# A disk with no more free than this is a full one.
FULL_BYTES = SPARE_BYTES
# A writer waits so long for a reader, and a reader for a writer, before it gives up.
BUSY_SECONDS = 2.0
# Temporary folders of killed runs are removed when nothing was written there for so many seconds.
LEFT_FOR = 3_600.0
_TEMPORARY = "tabular_automl-"
# What the top folder of a disk holds from the beginning.
_OF_THE_DISK = "lost+found"
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY, started TEXT NOT NULL, ended TEXT, state TEXT NOT NULL, reason TEXT NOT NULL,
    problem TEXT NOT NULL, data TEXT NOT NULL, plan TEXT NOT NULL, loss TEXT NOT NULL, metric TEXT NOT NULL,
    seed TEXT NOT NULL, settings TEXT NOT NULL, environment TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS learners (
    run INTEGER NOT NULL, family TEXT NOT NULL, code_version TEXT NOT NULL, libraries TEXT NOT NULL,
    PRIMARY KEY (run, family)
);
CREATE TABLE IF NOT EXISTS requests (
    run INTEGER NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, candidate TEXT NOT NULL,
    asked_folds INTEGER NOT NULL, max_rounds INTEGER, state TEXT NOT NULL, reason TEXT NOT NULL,
    n_folds INTEGER, joint_round INTEGER, score REAL, loss REAL, seconds REAL, asked TEXT NOT NULL,
    ended TEXT, PRIMARY KEY (run, number)
);
CREATE TABLE IF NOT EXISTS fold_fits (
    folder TEXT PRIMARY KEY, key TEXT NOT NULL, complete INTEGER NOT NULL, given_up INTEGER NOT NULL,
    kept INTEGER NOT NULL, run INTEGER NOT NULL, candidate_key TEXT NOT NULL, candidate TEXT NOT NULL,
    fold INTEGER NOT NULL, rounds INTEGER NOT NULL, loss REAL, seconds REAL NOT NULL, memory_mb REAL,
    model_digest TEXT NOT NULL, curve_digest TEXT NOT NULL, written TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS fold_fits_by_key ON fold_fits (key);
CREATE TABLE IF NOT EXISTS failures (
    run INTEGER NOT NULL, candidate TEXT NOT NULL, fold INTEGER, reason TEXT NOT NULL, seconds REAL NOT NULL,
    detail TEXT NOT NULL, written TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS events (
    run INTEGER NOT NULL, elapsed REAL NOT NULL, stage TEXT NOT NULL, message TEXT NOT NULL,
    is_warning INTEGER NOT NULL, written TEXT NOT NULL
);
"""


def require_writable(root: Path, needed_bytes: int) -> None:
    """Make a run folder if it isn't there, and see whether a run can write what it needs.

    Raises
    ------
    StoreError
        If the folder can't be written, holds anything else, or its disk is too full.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        strangers = sorted(path.name for path in root.iterdir() if path.name != _OF_THE_DISK)
        if strangers and not is_run_folder(root):
            raise StoreError(
                f"{root} is not empty and no run folder: it holds {strangers[0]!r}. "
                "Give run_dir an empty or new folder, or that of an earlier run."
            )
        with tempfile.TemporaryFile(dir=root) as probe:
            probe.write(b"probe")
            probe.flush()
        free = shutil.disk_usage(root).free
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"Run folder {root} cannot be written: {error.strerror or error}. Choose another run_dir."
        ) from error
    if free < needed_bytes + SPARE_BYTES:
        needed = (needed_bytes + SPARE_BYTES) / 1e6
        raise StoreError(
            f"The disk of run folder {root} has {free / 1e6:.0f} MB free, but this run needs about "
            f"{needed:.0f} MB. Free some space, or choose a run_dir on another disk."
        )


def has_no_room(root: Path) -> bool:
    """Return whether the disk of a run folder is full."""
    try:
        return shutil.disk_usage(root).free <= FULL_BYTES
    except OSError:  # the folder has gone, which is another matter
        return False


def is_run_folder(root: Path) -> bool:
    """Return whether a run has worked in a folder; its lock is the first thing that it makes."""
    return any((root / name).exists() for name in (DATABASE, LOCK))


def is_removed_by_runs(path: Path, root: Path) -> bool:
    """Return whether a path is where runs in a folder remove what is not theirs."""
    return any(path.is_relative_to(root / name) for name in (FITS, SCRATCH))


def temporary_folder() -> Path:
    """Make a folder for a run without one, and remove those that this user's killed runs have left.

    Raises
    ------
    StoreError
        If none can be made.
    """
    try:
        made = Path(tempfile.mkdtemp(prefix=_TEMPORARY))
    except OSError as error:
        raise StoreError(
            f"No temporary folder can be made: {error}. Set TMPDIR to a writable folder, or give a run_dir."
        ) from error
    for left in made.parent.glob(f"{_TEMPORARY}*"):
        if left != made and _is_left(left):
            shutil.rmtree(left, ignore_errors=True)
    return made


def _is_left(folder: Path) -> bool:
    """Whether a temporary folder is this user's, one of a run, at rest for long, and nobody's any more."""
    try:
        found = folder.lstat()
        if folder.is_symlink() or not (folder / LOCK).is_file():
            return False
        if hasattr(os, "getuid") and found.st_uid != os.getuid():
            return False
        last = max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return False
    return time.time() - last > LEFT_FOR and not is_held(folder)


def open_database(root: Path, *, durable: bool) -> sqlite3.Connection:
    """Open the database of a folder that is locked for this run, or make it.

    A durable one keeps a write-ahead log: readers and the run never wait for each other, no kill harms it,
    and a loss of power costs no more than the commits after the last `synced` one.

    Raises
    ------
    StoreError
        If it can't be written, is damaged, is not the database of a run folder, or of another format, or if
        it is missing where there are fits or anything else.
    """
    path = root / DATABASE
    try:
        if not path.exists() or not path.stat().st_size:
            _require_nothing_to_lose(root, journals=("-journal",))
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            _require_undamaged(connection, path)
            _require_format(connection, path)
            if _format(connection) is None:
                _require_nothing_to_lose(root, journals=("-journal", "-wal", "-shm"))
            # What a kill leaves of the journal is made good by whoever opens the database next.
            connection.execute(f"PRAGMA journal_mode = {'WAL' if durable else 'MEMORY'}")
            connection.execute(f"PRAGMA synchronous = {'NORMAL' if durable else 'OFF'}")
            connection.execute("BEGIN IMMEDIATE")
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute("INSERT OR IGNORE INTO facts VALUES ('format', ?)", (FORMAT,))
            connection.execute("COMMIT")
            _require_readable(connection)
        except (sqlite3.Error, UnicodeDecodeError, OSError):
            connection.close()
            raise
    except StoreError:
        raise
    except (sqlite3.Error, UnicodeDecodeError, OSError) as error:
        raise StoreError(refusal(path, error)) from error
    return connection


def refusal(path: Path, error: Exception) -> str:
    """Say why the database of a folder that is locked for this run cannot be used."""
    if is_locked(error):
        return f"Another program has {path} open. Close it there, or choose another run_dir."
    # What is no text any more comes as an operational error, or as that of the message which quotes it.
    is_operational = isinstance(error, sqlite3.OperationalError) and "decode" not in str(error)
    if is_operational or isinstance(error, OSError):
        return f"Run folder {path.parent} cannot be written: {error}. Choose another run_dir."
    return f"{path} is not the database of a run folder, or damaged: {error}. Choose another run_dir."


@contextmanager
def synced(connection: sqlite3.Connection, *, durable: bool) -> Iterator[None]:
    """See what is committed meanwhile, and all before it, onto the disk, if the database is a durable one."""
    if not durable:
        yield
        return
    connection.execute("PRAGMA synchronous = FULL")
    try:
        yield
    finally:
        connection.execute("PRAGMA synchronous = NORMAL")


def close_database(connection: sqlite3.Connection) -> None:
    """Close the database and leave a single file, which can be read where nothing can be written."""
    with closing(connection), suppress(sqlite3.Error):
        # Not while somebody reads, nor on a full disk: the log stays beside it.
        connection.execute("PRAGMA journal_mode = DELETE")


@contextmanager
def read_database(root: Path) -> Iterator[sqlite3.Connection]:
    """Open the database of a run folder as it is now, to read; also while a run writes it.

    Raises
    ------
    InputError
        If there is no run folder.
    StoreError
        If the database can't be read, is damaged or of another format. Pages that aren't read aren't checked:
        that would take longer than reading.
    """
    path = root / DATABASE
    try:
        if not path.is_file():
            what = (
                "has no run.sqlite" if root.is_dir() else "is a file" if root.exists() else "does not exist"
            )
            raise InputError(f"{root} is no run folder: it {what}. Give the run_dir of a fit.")
        with _reading(path) as connection:
            connection.execute("BEGIN")
            _require_format(connection, path)
            if _format(connection) is None:
                raise InputError(f"{path} is empty: no run has begun there. Give the run_dir of a fit.")
            yield connection
    except (sqlite3.Error, UnicodeDecodeError, OSError) as error:
        if isinstance(error, StoreError):
            raise
        way_out = "Restore the folder from a copy."
        if is_locked(error):
            way_out = "Another process is writing it. Try again in a moment."
        raise StoreError(f"{path} cannot be read: {error}. {way_out}") from error


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        connection = _connected(path, "ro")
    except sqlite3.OperationalError as error:
        if is_locked(error):
            raise
        # A killed run's log in a folder that cannot be written: SQLite has to make it good somewhere else.
        with tempfile.TemporaryDirectory(prefix="tabular_automl-") as folder:
            for end in ("", "-journal", "-wal"):
                if path.with_name(f"{path.name}{end}").exists():
                    shutil.copyfile(path.with_name(f"{path.name}{end}"), Path(folder, f"{path.name}{end}"))
            with closing(_connected(Path(folder, path.name), "rw")) as copied:
                yield copied
        return
    with closing(connection):
        yield connection


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _require_nothing_to_lose(root: Path, *, journals: tuple[str, ...]) -> None:
    """Refuse to begin anew where a database must have been: fits that it knew would be removed."""
    ours = {LOCK, GUARD, DATABASE, _OF_THE_DISK, *(f"{DATABASE}{end}" for end in journals)}
    for path in sorted(root.iterdir()):
        is_empty = path.name in {FITS, SCRATCH} and path.is_dir() and not any(path.iterdir())
        if path.name not in ours and not is_empty:
            raise StoreError(
                f"{root / DATABASE} is missing or empty, but {path.name!r} is there. Put the database back, "
                "empty the folder to begin anew, or choose another run_dir."
            )


def _require_undamaged(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that is damaged; every page is read for that."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StoreError(refusal(path, sqlite3.DatabaseError(" ".join(str(found).split()))))


def _require_readable(connection: sqlite3.Connection) -> None:
    """Read every row once: pages may be in order, and a text in them be none any more."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (name,) in tables:
        deque(connection.execute(f"SELECT * FROM {name}"), maxlen=0)  # noqa: S608 - our own tables


def _require_format(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that is a stranger's, or of another format; an empty one is new."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return
    written = _format(connection) if "facts" in tables else None
    if written is None:
        raise StoreError(refusal(path, sqlite3.DatabaseError(f"it has other tables, as {min(tables)!r}")))
    if written != FORMAT:
        raise StoreError(
            f"Run folder {path.parent} has format {written!r}, but this version reads {FORMAT!r}. "
            "Choose another run_dir."
        )


def _format(connection: sqlite3.Connection) -> str | None:
    with suppress(sqlite3.OperationalError):  # no such table
        row = connection.execute("SELECT value FROM facts WHERE name = 'format'").fetchone()
        return None if row is None else str(row[0])
    return None
