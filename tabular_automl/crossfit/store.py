"""Where a run keeps its fold fits, and what it did: files for models, SQLite for small facts."""

import json
import shutil
import sqlite3
import sys
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self
from uuid import uuid4

import numpy as np

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit
from tabular_automl.core.digest import digest_array
from tabular_automl.core.errors import StoreError
from tabular_automl.core.failure_text import traceback_of
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.given_path import given_path
from tabular_automl.core.progress import Event
from tabular_automl.core.versions import installed_version
from tabular_automl.crossfit.candidate_text import candidate_from, candidate_text
from tabular_automl.crossfit.clear_away import clear_away
from tabular_automl.crossfit.fold_job import ALL_ROWS, CURVE_FILE
from tabular_automl.crossfit.fold_key import ProblemIdentity
from tabular_automl.crossfit.folder_lock import lock_folder
from tabular_automl.crossfit.given_up_key import given_up_key
from tabular_automl.crossfit.model_files import model_digest
from tabular_automl.crossfit.request import Request
from tabular_automl.crossfit.request_outcome import RequestOutcome
from tabular_automl.crossfit.run_facts import RunFacts, problem_digest
from tabular_automl.crossfit.run_folder import (
    DATABASE,
    FITS,
    SCRATCH,
    close_database,
    open_database,
    refusal,
    require_writable,
    synced,
    temporary_folder,
)
from tabular_automl.crossfit.stored_array import stored_array
from tabular_automl.learners import Learner
from tabular_automl.learners.patience import fell_behind

# So many records of a disk that is full are kept in memory, the last ones.
MOST_UNWRITTEN = 10_000
End = Literal["finished", "cancelled", "failed"]


class RunStore:
    """Fold fits by key, and the records of all runs in one folder, for one run at a time.

    The folder holds ``run.sqlite``, ``fits/KEY/`` with a model, its loss curve and held-out predictions, and
    ``scratch/`` for what a run can make again. A worker writes a fit into scratch and renames the folder; the
    driver then writes its row. Only what has a row exists: all else is removed when a run opens the store.
    Records of what the run did never stop it: one that can't be written is kept and tried again with the
    next one. Clock times have columns of their own, which nothing but `RunHistory` reads.

    Parameters
    ----------
    root
        The folder.
    durable
        Whether what is written must survive a loss of power.
    connection
        The open database.
    lock
        What keeps other runs out.
    """

    def __init__(self, root: Path, *, durable: bool, connection: sqlite3.Connection, lock: ExitStack) -> None:
        self.root = root
        self.durable = durable
        self._connection = connection
        self._lock = lock
        self._run = self._asked = 0
        self._families: set[str] = set()
        # What this run made or has checked; what it made; what it was to fit again, by key and bar.
        self._sound: dict[str, FoldFit] = {}
        self._made: set[str] = set()
        self._doubted: set[tuple[str, str]] = set()
        self._unwritten: deque[tuple[str, tuple[object, ...]]] = deque(maxlen=MOST_UNWRITTEN)

    @classmethod
    def open(cls, run_dir: Path | None, needed_bytes: int = 0) -> "RunStore":
        """Open a run folder, or a temporary one that `close` removes.

        One run at a time is a matter of file locks: on a file system where they do nothing, as NFS mounted
        with ``nolock``, there is no second guard, and it is up to the caller to start one run at a time.

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
        root = given_path(run_dir, "run_dir") if run_dir else temporary_folder()
        with ExitStack() as undo:
            if not durable:
                undo.callback(shutil.rmtree, root, ignore_errors=True)
            require_writable(root, needed_bytes)
            lock = undo.enter_context(lock_folder(root))
            connection = undo.enter_context(closing(open_database(root, durable=durable)))
            store = cls(root, durable=durable, connection=connection, lock=lock)
            store._remove_leftovers()
            undo.pop_all()
        return store

    @property
    def fits(self) -> Path:
        """Folder of the fits."""
        return self.root / FITS

    @property
    def scratch(self) -> Path:
        """Folder for what a run can make again: encoded matrices, fits being written."""
        return self.root / SCRATCH

    def new_scratch(self) -> Path:
        """Return a new name in scratch."""
        return self.scratch / uuid4().hex[:12]

    def discard(self, scratch: Path) -> None:
        """Remove what a job that went wrong left in scratch."""
        shutil.rmtree(scratch, ignore_errors=True)

    def begin(self, facts: RunFacts) -> int:
        """Record that a run begins, and return its number; what is put from now on is its.

        Raises
        ------
        StoreError
            If that can't be written, as any record.
        """
        (last,) = self._connection.execute("SELECT COALESCE(MAX(number), 0) FROM runs").fetchone()
        self._write(
            "INSERT INTO runs VALUES (?, ?, NULL, 'running', '', ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                last + 1, _now(), facts.problem, facts.data, facts.plan, facts.loss, facts.metric,
                str(facts.seed), json.dumps(facts.settings), json.dumps(facts.environment),
            ),
        )  # fmt: skip
        self._run, self._asked = last + 1, 0
        return self._run

    def end(self, state: End, reason: str = "") -> None:
        """Record how the run ended; what it had not finished by then was cut."""
        self._record(
            "UPDATE requests SET state = 'cut', reason = 'the run ended', ended = ? "
            "WHERE run = ? AND state = 'running'",
            (_now(), self._run),
        )
        self._record(
            "UPDATE runs SET state = ?, reason = ?, ended = ? WHERE number = ?",
            (state, reason, _now(), self._run),
        )

    def put_learner(self, family: str, learner: Learner) -> None:
        """Record which code the run uses for a family, once."""
        if family in self._families:
            return
        libraries = {name: installed_version(name) for name in learner.libraries}
        self._record(
            "INSERT OR IGNORE INTO learners VALUES (?, ?, ?, ?)",
            (self._run, family, str(learner.code_version), json.dumps(libraries)),
        )
        self._families.add(family)

    def put_request(self, request: Request) -> int:
        """Record what the search asks for, and return its number in the run."""
        candidate = request.candidate
        self._record(
            "INSERT INTO requests "
            "(run, number, key, candidate, asked_folds, max_rounds, state, reason, asked) "
            "VALUES (?, ?, ?, ?, ?, ?, 'running', '', ?)",
            (
                self._run, self._asked, candidate.key, candidate_text(candidate), request.n_folds,
                request.max_rounds, _now(),
            ),
        )  # fmt: skip
        self._asked += 1
        return self._asked - 1

    def put_result(self, number: int, outcome: RequestOutcome) -> None:
        """Record what came of a request; a fold that failed after others gave a result adds its reason."""
        if outcome.state == "failed":
            self._record(
                "UPDATE requests SET reason = ?, seconds = COALESCE(seconds, ?), ended = ?, "
                "state = CASE state WHEN 'running' THEN 'failed' ELSE state END WHERE run = ? AND number = ?",
                (outcome.reason, outcome.seconds, _now(), self._run, number),
            )
            return
        self._record(
            "UPDATE requests SET state = ?, reason = ?, n_folds = ?, joint_round = ?, score = ?, loss = ?, "
            "seconds = ?, ended = ? WHERE run = ? AND number = ?",
            (
                outcome.state, outcome.reason, outcome.n_folds, outcome.joint_round, outcome.score,
                outcome.loss, outcome.seconds, _now(), self._run, number,
            ),
        )  # fmt: skip

    def put_left(self, fit: CrossFit) -> None:
        """Record why the search left a candidate after its last request."""
        self._record(
            "UPDATE requests SET state = 'pruned', reason = ? WHERE run = ? AND number = "
            "(SELECT MAX(number) FROM requests WHERE run = ? AND key = ?)",
            (fit.pruned, self._run, self._run, fit.candidate.key),
        )

    def recallable(self, identity: ProblemIdentity, *, seed: int | None = None) -> tuple[Request, ...]:
        """Return what earlier runs on the same problem fitted wholly, so that it can be asked for again.

        Parameters
        ----------
        identity
            The problem's share of the keys.
        seed
            Only of runs with that seed, whose fits can be used again; None: of any.

        Returns
        -------
        tuple of Request
            One a candidate, for the most folds it was fitted on; what was asked for last comes last.
        """
        rows = self._connection.execute(
            "SELECT candidate, asked_folds, requests.max_rounds FROM requests "
            "JOIN runs ON runs.number = requests.run "
            "WHERE requests.state = 'fitted' AND runs.problem = ? AND runs.number < ? "
            "AND (? IS NULL OR runs.seed = ?) ORDER BY requests.run, requests.number",
            (problem_digest(identity), self._run or _NO_RUN_YET, None if seed is None else 1, str(seed)),
        )
        found: dict[str, Request] = {}
        for text, n_folds, max_rounds in rows:
            request = Request(candidate_from(text), n_folds, max_rounds=max_rounds)
            before = found.pop(request.candidate.key, request)
            found[request.candidate.key] = before if before.n_folds > n_folds else request
        return tuple(found.values())

    def lookup(self, key: str, bar: FloatArray | None = None) -> FoldFit | None:
        """Return the complete fit of that key, if there is one and its files are as they should be.

        With a ``bar`` the answer is what a fit made now would come to: one that fell behind exactly that
        threshold curve, or a whole one that would not. A whole one that would have been given up is none: it
        comes of a run that asked for less, and this run must not depend on what the folder holds by chance.
        """
        if bar is None:
            return self._find(key)
        behind = self._find(given_up_key(key, bar))
        whole = self._find(key) if behind is None else None
        if whole is None or not _would_fall_behind(whole.curve, bar):
            return behind or whole
        # Fitted again and whole again: the learner looked at the bar in its own way, and has the last word.
        asked = (key, digest_array(bar))
        if asked in self._doubted and key in self._made:
            return whole
        self._doubted.add(asked)
        return None

    def made(self, fit: FoldFit) -> bool:
        """Return whether a fit was made in this run, or found as one of an earlier run."""
        return fit.key in self._made

    def put(self, fit: FoldFit, candidate: Candidate, digest: str = "") -> None:
        """Record a fit whose files are in place; a partial one will answer no lookup.

        The key of a fit that was given up is that of `given_up_key`. ``digest`` is that of its model
        (`model_digest`) where it is known, as from the worker that wrote it; else it is computed here.

        Raises
        ------
        StoreError
            If the row can't be written, or the model's files can't be read. The fit serves this run even so.
        """
        self._made.add(fit.key)
        if fit.complete:
            self._sound[fit.key] = fit
        written = digest or model_digest(fit.folder)
        if written is None:
            raise StoreError(f"The model in {fit.folder} cannot be read back.")
        memory = None if np.isnan(fit.memory_mb) else fit.memory_mb
        loss = float(fit.curve.min()) if len(fit.curve) else None
        # A fit is worth a sync of the disk; so much is lost with no other record.
        with synced(self._connection, durable=self.durable):
            self._write(
                "INSERT OR REPLACE INTO fold_fits VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    fit.folder.relative_to(self.root).as_posix(), fit.key, fit.complete, fit.given_up,
                    self._run, candidate.key, candidate_text(candidate), fit.fold, len(fit.curve), loss,
                    fit.seconds, memory, written, digest_array(fit.curve), _now(),
                ),
            )  # fmt: skip

    def put_failure(self, failure: Failure, detail: str = "") -> None:
        """Record a failure with its traceback: ``detail``, or that of the error being handled right now."""
        error = sys.exception()
        if not detail and error is not None:
            detail = traceback_of(error)
        self._record(
            "INSERT INTO failures VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                self._run, candidate_text(failure.candidate), failure.fold, failure.reason, failure.seconds,
                detail, _now(),
            ),
        )  # fmt: skip

    def put_event(self, event: Event) -> None:
        """Record an event."""
        self._record(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
            (self._run, event.elapsed, event.stage, event.message, event.is_warning, _now()),
        )

    def close(self) -> None:
        """Let go of the folder, whatever happens; a temporary one is removed.

        Ctrl-C cuts short what is being done and goes no further: the run has its result by now, and what is
        left of the folder is removed by a later run.
        """
        steps = (
            lambda: shutil.rmtree(self.scratch, ignore_errors=True),
            self._write_records,  # there may be room for them now
            lambda: close_database(self._connection),
            self._lock.close,
            lambda: None if self.durable else shutil.rmtree(self.root, ignore_errors=True),
        )
        with ExitStack() as ending:
            for step in reversed(steps):
                ending.callback(_to_its_end_or_ctrl_c, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _find(self, key: str) -> FoldFit | None:
        """Return a complete fit; its files are read once in a run at most."""
        found = self._sound.get(key)
        if found is None or not found.folder.is_dir():
            self._sound.pop(key, None)
            found = self._read(key)
        if found is not None:
            self._sound[key] = found
        return found

    def _read(self, key: str) -> FoldFit | None:
        row = self._connection.execute(
            "SELECT folder, fold, seconds, memory_mb, model_digest, curve_digest, given_up FROM fold_fits "
            "WHERE key = ? AND complete = 1",
            (key,),
        ).fetchone()
        if row is None:
            return None
        folder, fold, seconds, memory_mb, model_written, curve_written, given_up = row
        model = self.root / folder
        curve = stored_array(model.parent / CURVE_FILE)
        if curve is None or digest_array(curve) != curve_written or model_digest(model) != model_written:
            return None
        if curve.ndim != 1 or (len(curve) == 0 and fold != ALL_ROWS):
            return None
        memory = float("nan") if memory_mb is None else memory_mb
        return FoldFit(key, fold, model, curve, seconds, memory, given_up=bool(given_up))

    def _record(self, statement: str, values: tuple[object, ...]) -> None:
        self._unwritten.append((statement, values))
        self._write_records()

    def _write_records(self) -> None:
        with suppress(StoreError):
            while self._unwritten:
                self._write(*self._unwritten[0])
                self._unwritten.popleft()

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        # Messages of libraries may hold what is no Unicode.
        told = tuple(
            value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value
            for value in values
        )
        try:
            self._connection.execute(statement, told)
        except sqlite3.Error as error:
            raise StoreError(
                f"Run folder {self.root} cannot be written: {error}. Free some space, or choose another "
                "run_dir."
            ) from error

    def _remove_leftovers(self) -> None:
        """Remove what other runs left unfinished; their partial fits are of no use to this one."""
        try:
            self._connection.execute("UPDATE runs SET state = 'killed' WHERE state = 'running'")
            self._connection.execute("UPDATE requests SET state = 'killed' WHERE state = 'running'")
            self._connection.execute("UPDATE fold_fits SET kept = 0 WHERE complete = 0")
            rows = self._connection.execute("SELECT folder FROM fold_fits WHERE kept = 1")
            known = {Path(folder).parent.name for (folder,) in rows}
            # A link as well: what is renamed from here into `fits` must be on the same disk.
            clear_away(self.scratch)
            for folder in (self.fits, self.scratch):
                folder.mkdir(exist_ok=True)
            for path in self.fits.iterdir():
                if path.name not in known:
                    clear_away(path)
        except sqlite3.Error as error:
            raise StoreError(refusal(self.root / DATABASE, error)) from error
        except OSError as error:
            raise StoreError(
                f"Run folder {self.root} cannot be written: {error}. Choose another run_dir."
            ) from error


# Before `begin` all runs are earlier ones.
_NO_RUN_YET = 2**62


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _would_fall_behind(curve: FloatArray, bar: FloatArray) -> bool:
    """Return whether a fit with that curve is behind a bar after any of its rounds, or the one that ended it.

    A last round that brings nothing, and has no loss, is looked at by some learners, too.
    """
    lowest = np.minimum.accumulate(np.append(curve, np.inf))
    return any(fell_behind(float(best), round_, bar) for round_, best in enumerate(lowest, start=1))


def _to_its_end_or_ctrl_c(step: Callable[[], object]) -> None:
    with suppress(KeyboardInterrupt):
        step()
