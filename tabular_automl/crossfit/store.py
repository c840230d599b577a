"""Where a run keeps its fold fits: files for models, SQLite for small facts."""

import json
import shutil
import sqlite3
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self
from uuid import uuid4

import numpy as np

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import Failure, FoldFit
from tabular_automl.core.errors import StoreError
from tabular_automl.core.progress import Event
from tabular_automl.crossfit.fold_job import ALL_ROWS, CURVE_FILE
from tabular_automl.crossfit.model_files import model_digest
from tabular_automl.crossfit.stored_array import stored_array

DATABASE = "run.sqlite"
FORMAT = "2"
# Kept free beyond what the run is expected to write.
SPARE_BYTES = 64 * 2**20
_OWN_NAMES = frozenset({DATABASE, f"{DATABASE}-journal", "fits", "scratch"})
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fold_fits (
    folder TEXT PRIMARY KEY, key TEXT NOT NULL, complete INTEGER NOT NULL, candidate TEXT NOT NULL,
    fold INTEGER NOT NULL, seconds REAL NOT NULL, memory_mb REAL, model_digest TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS fold_fits_by_key ON fold_fits (key);
CREATE TABLE IF NOT EXISTS failures (
    candidate TEXT NOT NULL, fold INTEGER, reason TEXT NOT NULL, seconds REAL NOT NULL, detail TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS events (elapsed REAL NOT NULL, stage TEXT NOT NULL, message TEXT NOT NULL);
"""


class RunStore:
    """Fold fits by key, failures and events of one run folder, for one run at a time.

    The folder holds ``run.sqlite``, ``fits/KEY/`` with a model, its loss curve and held-out predictions, and
    ``scratch/`` for what a run can make again. A worker writes a fit into scratch and renames the folder; the
    driver then writes its row. Only what has a row exists: all else is removed when a run opens the store.

    Parameters
    ----------
    root
        The folder.
    durable
        Whether what is written must survive a loss of power.
    connection
        The open database, locked for this run.
    """

    def __init__(self, root: Path, *, durable: bool, connection: sqlite3.Connection) -> None:
        self.root = root
        self.durable = durable
        self._connection = connection

    @classmethod
    def open(cls, run_dir: Path | None, needed_bytes: int = 0) -> "RunStore":
        """Open a run folder, or a temporary one that `close` removes.

        Parameters
        ----------
        run_dir
            The folder, made if it isn't there; None: a temporary one.
        needed_bytes
            What the run is expected to write.

        Raises
        ------
        StoreError
            If the folder can't be written, is too full, is in use by another run or is no run folder.
        """
        durable = run_dir is not None
        root = run_dir.expanduser().absolute() if run_dir else _temporary_folder()
        with ExitStack() as undo:
            if not durable:
                undo.callback(shutil.rmtree, root, ignore_errors=True)
            _require_writable(root, needed_bytes)
            connection = undo.enter_context(closing(_connect(root, durable=durable)))
            store = cls(root, durable=durable, connection=connection)
            store._remove_leftovers()
            undo.pop_all()
        return store

    @property
    def fits(self) -> Path:
        """Folder of the fits."""
        return self.root / "fits"

    @property
    def scratch(self) -> Path:
        """Folder for what a run can make again: encoded matrices, fits being written."""
        return self.root / "scratch"

    def new_scratch(self) -> Path:
        """Return a new name in scratch."""
        return self.scratch / uuid4().hex[:12]

    def discard(self, scratch: Path) -> None:
        """Remove what a job that went wrong left in scratch."""
        shutil.rmtree(scratch, ignore_errors=True)

    def lookup(self, key: str) -> FoldFit | None:
        """Return the complete fit of that key, if there is one and its files are as they should be."""
        row = self._connection.execute(
            "SELECT folder, fold, seconds, memory_mb, model_digest FROM fold_fits "
            "WHERE key = ? AND complete = 1",
            (key,),
        ).fetchone()
        if row is None:
            return None
        folder, fold, seconds, memory_mb, written = row
        model = self.root / folder
        curve = stored_array(model.parent / CURVE_FILE)
        if curve is None or curve.ndim != 1 or model_digest(model) != written:
            return None
        if len(curve) == 0 and fold != ALL_ROWS:
            return None
        return FoldFit(key, fold, model, curve, seconds, float("nan") if memory_mb is None else memory_mb)

    def put(self, fit: FoldFit, candidate: Candidate) -> None:
        """Record a fit whose files are in place; a partial one will answer no lookup.

        Raises
        ------
        StoreError
            If the row can't be written, or the model's files can't be read.
        """
        written = model_digest(fit.folder)
        if written is None:
            raise StoreError(f"The model in {fit.folder} cannot be read back.")
        memory = None if np.isnan(fit.memory_mb) else fit.memory_mb
        folder = fit.folder.relative_to(self.root).as_posix()
        described = json.dumps(candidate.describe(), sort_keys=True)
        self._write(
            "INSERT OR REPLACE INTO fold_fits VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (folder, fit.key, fit.complete, described, fit.fold, fit.seconds, memory, written),
        )

    def put_failure(self, failure: Failure, detail: str = "") -> None:
        """Record a failure, with the traceback if there is one."""
        described = json.dumps(failure.candidate.describe(), sort_keys=True)
        self._write(
            "INSERT INTO failures VALUES (?, ?, ?, ?, ?)",
            (described, failure.fold, failure.reason, failure.seconds, detail),
        )

    def put_event(self, event: Event) -> None:
        """Record an event."""
        self._write("INSERT INTO events VALUES (?, ?, ?)", (event.elapsed, event.stage, event.message))

    def close(self) -> None:
        """Let go of the folder; a temporary one is removed."""
        self._connection.close()
        shutil.rmtree(self.root if not self.durable else self.scratch, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise StoreError(f"Run folder {self.root} cannot be written any more: {error}.") from error

    def _remove_leftovers(self) -> None:
        """Remove what other runs left unfinished; their partial fits are of no use to this one."""
        try:
            self._connection.execute("DELETE FROM fold_fits WHERE complete = 0")
            rows = self._connection.execute("SELECT folder FROM fold_fits")
            known = {Path(folder).parent.name for (folder,) in rows}
            shutil.rmtree(self.scratch, ignore_errors=True)
            for folder in (self.fits, self.scratch):
                folder.mkdir(exist_ok=True)
            for path in self.fits.iterdir():
                if path.name not in known:
                    shutil.rmtree(path, ignore_errors=True)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"Run folder {self.root} cannot be written: {error}. Choose another run_dir."
            ) from error


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="tabular_automl-"))
    except OSError as error:
        raise StoreError(
            f"No temporary folder can be made: {error}. Set TMPDIR to a writable folder, or give a run_dir."
        ) from error


def _require_writable(root: Path, needed_bytes: int) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
        strangers = sorted(path.name for path in root.iterdir() if path.name not in _OWN_NAMES)
        if strangers and not (root / DATABASE).exists():
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


def _connect(root: Path, *, durable: bool) -> sqlite3.Connection:
    """Open the database and keep it locked; the system lets go of the lock however the process ends."""
    path = root / DATABASE
    try:
        connection = sqlite3.connect(path, timeout=0.0, isolation_level=None)
    except sqlite3.Error as error:
        raise StoreError(f"Run folder {root} cannot be written: {error}. Choose another run_dir.") from error
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        if not durable:
            connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("BEGIN EXCLUSIVE")
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute("INSERT OR IGNORE INTO facts VALUES ('format', ?)", (FORMAT,))
        with closing(connection.execute("SELECT value FROM facts WHERE name = 'format'")) as found:
            (written,) = found.fetchone()
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(_refusal(root, error)) from error
    if written != FORMAT:
        connection.close()
        raise StoreError(
            f"Run folder {root} has format {written!r}, but this version reads {FORMAT!r}. "
            "Choose another run_dir."
        )
    return connection


def _refusal(root: Path, error: sqlite3.Error) -> str:
    if "locked" in str(error):
        return f"Run folder {root} is in use by another run. Wait for it to end, or choose another run_dir."
    if isinstance(error, sqlite3.OperationalError):
        return f"Run folder {root} cannot be written: {error}. Choose another run_dir."
    return f"{root / DATABASE} is not the database of a run folder: {error}. Choose another run_dir."
