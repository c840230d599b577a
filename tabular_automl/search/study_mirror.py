"""A copy of the studies in a run folder, for optuna-dashboard to look at; nothing ever reads it back."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from tabular_automl.crossfit import Runtime
from tabular_automl.search.quiet_optuna import quiet_optuna

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

FILE_NAME = "studies.sqlite"


@contextmanager
def open_mirror(runtime: Runtime) -> "Iterator[StudyMirror | None]":
    """Give the mirror of a run that has a run folder; None for a run without, of which nothing is kept."""
    if not runtime.store.durable:
        yield None
        return
    warn = partial(runtime.emit, "fit", is_warning=True)
    with StudyMirror(runtime.store.root, warn) as mirror:
        yield mirror


class StudyMirror:
    """Writes every trial that ended to ``studies.sqlite``, one study a family.

    ``optuna-dashboard sqlite:///RUN_DIR/studies.sqlite`` opens it, also while the run goes on. It begins
    anew with every run; a dashboard that was open before then has to be opened again. A thread of its own
    opens it, with the first trial, and writes: what Optuna needs for that (SQLAlchemy, Alembic) takes half a
    second to load, and a trial some 20 ms. Where it cannot be written, as on a full disk, that is said once,
    and the run goes on without.

    Parameters
    ----------
    folder
        The run folder.
    warn
        Called in the caller's thread with what a person should know.
    """

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self._path = folder / FILE_NAME
        self._warn = warn
        self._queue: SimpleQueue[tuple[str, FrozenTrial] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._is_open = True

    def write(self, family: str, trial: "FrozenTrial") -> None:
        """Have a trial written that ended; returns at once."""
        self._look_for_error()
        if not self._is_open:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="study mirror", daemon=True)
            self._thread.start()
        self._queue.put((family, trial))

    def close(self) -> None:
        """Return when everything is written."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
        self._look_for_error()
        self._is_open = False

    def __enter__(self) -> "StudyMirror":
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def _look_for_error(self) -> None:
        if self._error is not None and self._is_open:
            self._is_open = False
            self._warn(
                f"{self._path} cannot be written ({_in_short(self._error)}): optuna-dashboard will not show "
                "all of this run. Nothing else depends on it."
            )

    def _run(self) -> None:
        from optuna.exceptions import OptunaError
        from sqlalchemy.exc import SQLAlchemyError

        storage, studies = None, {}
        try:
            while (entry := self._queue.get()) is not None:
                family, trial = entry
                with quiet_optuna():
                    storage = _opened(self._path) if storage is None else storage
                    if family not in studies:
                        studies[family] = _new_study(storage, family)
                    storage.create_new_trial(studies[family], template_trial=_with_start(trial))
        except (OptunaError, SQLAlchemyError, sqlite3.Error, OSError) as error:
            self._error = error
        finally:
            if storage is not None:
                storage.remove_session()
                storage.engine.dispose()


def _opened(path: Path) -> "RDBStorage":
    from optuna.storages import RDBStorage

    for old in (path, path.with_name(path.name + "-journal")):
        with suppress(FileNotFoundError):
            old.unlink()
    # The address is of no use but to tell the kind: a path may hold what means something else in one.
    return RDBStorage(f"sqlite:///{FILE_NAME}", engine_kwargs={"creator": partial(_connected, path)})


def _connected(path: Path) -> sqlite3.Connection:
    """Leave it to the system when to write: killed at any moment the file is whole all the same."""
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _new_study(storage: "RDBStorage", family: str) -> int:
    from optuna.study import StudyDirection

    return int(storage.create_new_study([StudyDirection.MINIMIZE], family))


def _with_start(trial: "FrozenTrial") -> "FrozenTrial":
    """Let a trial begin as long before its end as its fits took: some were fitted before they were told."""
    seconds = trial.user_attrs.get("seconds")
    if seconds is not None and trial.datetime_complete is not None:
        trial.datetime_start = trial.datetime_complete - timedelta(seconds=seconds)
    return trial


def _in_short(error: Exception) -> str:
    cause = error.__cause__ or error
    return str(getattr(cause, "orig", None) or cause)
