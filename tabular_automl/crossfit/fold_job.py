"""What workers do: pure functions of files, candidate, fold, seed and limits.

A fit without a fold, `ALL_ROWS`, is a refit: it learns from every row and has no loss curve.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.failure_text import reason_of, traceback_of
from tabular_automl.core.fitting import FitContext, FittedModel, FloatArray, Rows
from tabular_automl.crossfit.clear_away import clear_away
from tabular_automl.crossfit.given_up_key import given_up_key
from tabular_automl.crossfit.model_files import model_digest
from tabular_automl.crossfit.stored_array import write_sealed
from tabular_automl.learners import import_ahead, learner_for

ALL_ROWS = -1
MODEL_FOLDER = "model"
CURVE_FILE = "curve.npy"
# A refit predicts so many of its rows before it is kept.
CHECKED_ROWS = 1_000
Part = Literal["train", "held_out"]
Report = TypeVar("Report")


@dataclass(frozen=True)
class DataFiles:
    """Where workers find target, weights and the rows of each fold; they map them, nothing is copied."""

    folder: Path
    weighted: bool

    @property
    def y(self) -> Path:
        """The target."""
        return self.folder / "y.npy"

    @property
    def weight(self) -> Path:
        """The weights, if there are any."""
        return self.folder / "weight.npy"

    def rows(self, fold: int, part: Part) -> Path:
        """Positions of a fold's training or held-out rows."""
        return self.folder / f"fold-{fold}-{part}.npy"

    def load(self, matrix: Path, fold: int, part: Part, every: int = 1) -> Rows:
        """Return a fold's training or held-out rows of an encoded matrix; of `ALL_ROWS`, every row.

        Of a fold only every so many-th row, if asked for.
        """
        taken = slice(None) if fold == ALL_ROWS else _taken(np.load(self.rows(fold, part))[::every])
        weight = np.load(self.weight, mmap_mode="r")[taken] if self.weighted else None
        return Rows(np.load(matrix, mmap_mode="r")[taken], np.load(self.y, mmap_mode="r")[taken], weight)


@dataclass(frozen=True)
class FitReport:
    """A fit whose files are in place; ``digest`` is that of its model (`model_digest`)."""

    folder: Path
    curve: FloatArray
    seconds: float
    memory_mb: float
    complete: bool
    given_up: bool = False
    digest: str = ""


@dataclass(frozen=True)
class PredictReport:
    """Held-out predictions whose file is in place."""

    seconds: float


@dataclass(frozen=True)
class JobFailure:
    """A job that went wrong: one line for a person, the traceback for the store."""

    reason: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class FitJob:
    """Fit one candidate on one fold, or on all rows, and keep its model, with all rounds, and its curve.

    Attributes
    ----------
    candidate, fold
        What to fit, and where; `ALL_ROWS` for a refit.
    matrix, data
        Files to read.
    context
        As the learner gets it; ``should_stop`` is set in the worker.
    seconds
        Soft limit, counted from the start on the worker.
    scratch, folder
        Where to write, and the name the folder gets when all is written: the fit's key. One that was given up
        gets the name that goes with its bar (`given_up_key`).
    durable
        Whether to see it onto the disk before it gets its name.
    driver
        The process that made the job. Once it is gone the run folder may belong to another run, so a job that
        outlives it names nothing.
    """

    candidate: Candidate
    fold: int
    matrix: Path
    data: DataFiles
    context: FitContext
    scratch: Path
    folder: Path
    seconds: float | None = None
    durable: bool = False
    driver: int = field(default_factory=os.getpid)

    def run(self, should_stop: Callable[[], bool]) -> FitReport | JobFailure:
        """Fit; whatever goes wrong comes back as a record."""
        import_ahead(self.candidate.family)
        if self.driver != os.getpid():  # in the driver the peak is the caller's own
            begin_peak()
        started = time.monotonic()
        return _caught(lambda: _fit(self, started, should_stop), started)


@dataclass(frozen=True)
class PredictJob:
    """Predict a fold's held-out rows with its kept model at a given round."""

    candidate: Candidate
    fold: int
    matrix: Path
    data: DataFiles
    model: Path
    rounds: int
    n_outputs: int
    durable: bool = False
    driver: int = field(default_factory=os.getpid)

    @property
    def file(self) -> Path:
        """Where the predictions go."""
        return predictions_file(self.model, self.rounds)

    def run(self, should_stop: Callable[[], bool]) -> PredictReport | JobFailure:
        """Predict; whatever goes wrong comes back as a record."""
        del should_stop  # predictions are short
        import_ahead(self.candidate.family)
        started = time.monotonic()
        return _caught(lambda: _predict(self, started), started)


def _taken(rows: NDArray[np.intp]) -> NDArray[np.intp] | slice:
    """Return rows in one piece, as in time-ordered folds, as a slice: they stay a view of the file."""
    in_one_piece = len(rows) > 0 and rows[-1] - rows[0] + 1 == len(rows)
    return slice(int(rows[0]), int(rows[-1]) + 1) if in_one_piece else rows


def predictions_file(model: Path, rounds: int) -> Path:
    """Return where the held-out predictions of a kept model at some round are."""
    return model.parent / f"predictions-{rounds}.npy"


def begin_peak() -> None:
    """Let `peak_memory_mb` count from now on, where the system can: a worker's jobs differ."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory_mb() -> float:
    """Return the peak resident memory of this process in MB; NaN where the system does not say."""
    # On Linux getrusage starts from the parent's memory at the fork; the kernel's own figure does not.
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        peak = next((line for line in lines if line.startswith("VmHWM:")), None)
        if peak:
            return int(peak.split()[1]) / 1024
    if sys.platform == "win32":
        return float("nan")
    from resource import RUSAGE_SELF, getrusage

    return getrusage(RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def _caught(work: Callable[[], Report], started: float) -> Report | JobFailure:
    try:
        return work()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the one place where work may fail in any way
        return JobFailure(reason_of(error), time.monotonic() - started, traceback_of(error))


def _fit(job: FitJob, started: float, should_stop: Callable[[], bool]) -> FitReport:
    learner = learner_for(job.candidate.family)
    train = job.data.load(job.matrix, job.fold, "train")
    held_out = None if job.fold == ALL_ROWS else job.data.load(job.matrix, job.fold, "held_out")
    context = replace(job.context, should_stop=_stopper(job, started, should_stop))
    outcome = learner.fit(train, held_out, job.candidate.params, context)
    # A comparison of numpy gives its own kind of truth, which no database takes.
    curve, complete, given_up = outcome.curve, bool(outcome.complete), bool(outcome.given_up)
    if held_out is not None:
        _require_finite(curve, "held-out loss")
    model_folder = job.scratch / MODEL_FOLDER
    model_folder.mkdir(parents=True)
    outcome.model.save(model_folder)
    np.save(job.scratch / CURVE_FILE, curve)
    digest = model_digest(model_folder)
    if digest is None:
        raise ValueError(f"{job.candidate.family} saved no model, or one that cannot be read back")
    # What predicts from here on is what was saved: a model that cannot be loaded must fail in its job, within
    # its limits. Both at a time would take twice the memory.
    del outcome
    if held_out is None:
        _check_refit(job, train.X)
    elif len(curve) == 1:
        # No round to choose, so that held-out predictions can be made here and now.
        predictions = _predictions(learner.load(model_folder), held_out.X, 1, job.context.shape.n_outputs)
        write_sealed(predictions_file(model_folder, 1), predictions)
    folder = _named(job, complete=complete, given_up=given_up)
    if job.durable:
        _sync_all(job.scratch)
    _require_driver(job.driver)
    _name_folder(job.scratch, folder, durable=job.durable)
    return FitReport(
        folder / MODEL_FOLDER,
        curve,
        time.monotonic() - started,
        peak_memory_mb(),
        complete,
        given_up,
        digest,
    )


def _named(job: FitJob, *, complete: bool, given_up: bool) -> Path:
    """Return the folder that a fit gets in the end."""
    if not complete:
        return job.folder.with_name(f"{job.folder.name}.partial-{job.scratch.name}")
    if not given_up:
        return job.folder
    if job.context.bar is None:
        raise ValueError(f"{job.candidate.family} says given_up=True, but there was no bar to fall behind")
    return job.folder.with_name(given_up_key(job.folder.name, job.context.bar))


def _stopper(job: FitJob, started: float, should_stop: Callable[[], bool]) -> Callable[[], bool]:
    end = float("inf") if job.seconds is None else started + job.seconds
    return lambda: time.monotonic() >= end or should_stop()


def _predict(job: PredictJob, started: float) -> PredictReport:
    model = learner_for(job.candidate.family).load(job.model)
    held_out = job.data.load(job.matrix, job.fold, "held_out")
    predictions = _predictions(model, held_out.X, job.rounds, job.n_outputs)
    scratch = job.file.with_suffix(".tmp.npy")
    try:
        write_sealed(scratch, predictions)
        if job.durable:
            _sync(scratch)
        _require_driver(job.driver)
        scratch.replace(job.file)
    except BaseException:  # a full disk needs what was written of it
        scratch.unlink(missing_ok=True)
        raise
    return PredictReport(time.monotonic() - started)


def _check_refit(job: FitJob, X: FloatArray) -> None:
    """Refuse a refit that cannot be loaded or cannot predict; there are no held-out rows to tell."""
    model = learner_for(job.candidate.family).load(job.scratch / MODEL_FOLDER)
    rounds = min(job.context.max_rounds, model.rounds)
    _predictions(model, X[:CHECKED_ROWS], rounds, job.context.shape.n_outputs, what="training")


def _predictions(
    model: FittedModel, X: FloatArray, rounds: int, n_outputs: int, *, what: str = "held-out"
) -> FloatArray:
    predictions = np.asarray(model.predict(X, rounds), dtype=np.float64)
    if predictions.shape != (len(X), n_outputs):
        raise ValueError(f"{what} predictions have shape {predictions.shape}, not {(len(X), n_outputs)}")
    _require_finite(predictions, f"{what} prediction")
    return predictions


def _require_finite(values: FloatArray, what: str) -> None:
    if len(values) == 0:
        raise ValueError(f"there is no {what}")
    finite = np.isfinite(values)
    if not finite.all():
        bad = finite.size - finite.sum()
        raise ValueError(f"{bad} of {finite.size} values of the {what} are NaN or infinite")


def _name_folder(scratch: Path, folder: Path, *, durable: bool) -> None:
    """Give a finished folder its name, atomically."""
    # A folder of that name without a row in the store was left by a driver that died before it wrote the row.
    clear_away(folder)
    scratch.rename(folder)
    if durable:
        _sync(folder.parent)


def _require_driver(driver: int) -> None:
    """Refuse to go on in a worker whose driver is gone."""
    if driver not in (os.getpid(), os.getppid()):
        raise RuntimeError(f"its driver, process {driver}, has ended")


def _sync_all(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
