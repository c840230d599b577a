"""Keeps book of how far a run is, for whoever watches; nothing is decided by it."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.ensemble import HonestScore
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.metrics import metric_named
from tabular_automl.core.problem import Problem
from tabular_automl.core.progress import Best, Event, Running, Status

Rows = NDArray[np.intp]


class Tracker:
    """Is told what happens in a run, and gives its status to one watching thread.

    What it is told is only noted down. Scores are computed when somebody asks, on the thread that asks: a run
    that nobody watches pays nothing for them.

    Parameters
    ----------
    problem, budget
        What is being solved, and what bounds the run.
    """

    def __init__(self, problem: Problem, budget: Budget) -> None:
        self._problem = problem
        self._budget = budget
        self._metric = metric_named(problem.task.metric, problem.task.kind)
        self._lock = threading.RLock()
        self._stage = "ingest"
        self._running: dict[object, tuple[str, str, float]] = {}
        self._outcomes: dict[str, str] = {}
        self._on_their_way: set[str] = set()
        self._unscored: list[CrossFit] = []
        self._scored: dict[str, _Scored] = {}
        self._ensemble: _Scored | None = None
        self._expected = ""
        self._baselines: tuple[CrossFit, ...] = ()
        self._bars: dict[bytes, tuple[float, str] | None] = {}

    def happened(self, event: Event) -> None:
        """Note the stage of an event."""
        self._stage = event.stage

    def compare_with(self, baselines: Sequence[CrossFit]) -> None:
        """Note what the best score is compared with."""
        self._baselines = tuple(baselines)

    def started(self, job: object, name: str, part: str) -> None:
        """Note that a job was started, known by a token of its own; ``name`` and ``part`` as in `Running`."""
        with self._lock:
            self._running[job] = (name, part, self._budget.elapsed)

    def ended(self, job: object) -> None:
        """Note that a job is over, however it ended."""
        with self._lock:
            self._running.pop(job, None)

    def on_its_way(self, candidate: Candidate) -> None:
        """Note that results of a candidate are those of prefixes of the folds, until it is at its end."""
        with self._lock:
            self._on_their_way.add(candidate.key)

    def at_its_end(self, candidate: Candidate) -> None:
        """Note that nothing more is to come of a candidate; from now on it counts."""
        with self._lock:
            self._on_their_way.discard(candidate.key)

    def settled(self, result: CrossFit | Failure) -> None:
        """Note what came of a candidate; of one that was taken up again the later result counts.

        A fold that failed after others were fitted leaves the candidate among those that are done, and so
        does whatever comes of it when it is taken up again.
        """
        key = result.candidate.key
        with self._lock:
            if isinstance(result, Failure):
                self._outcomes.setdefault(key, "failed")
                return
            was_done = self._outcomes.get(key) == "done" and key not in self._on_their_way
            self._outcomes[key] = "pruned" if result.pruned and not was_done else "done"
            self._unscored.append(result)

    def ensemble(self, loss: float, n_members: int, rows: Rows | None = None) -> None:
        """Note the best ensemble so far, which is shown in place of the best candidate.

        Parameters
        ----------
        loss
            Its loss, by the task's metric.
        n_members
            How many members it has.
        rows
            Sorted positions of the rows it was judged on; None: all rows.
        """
        rows = np.arange(self._problem.n_rows) if rows is None else rows
        members = f"ensemble of {n_members}" if n_members > 1 else "ensemble of one"
        self._ensemble = _Scored(members, loss, rows, counts=True)

    def expect(self, score: HonestScore) -> None:
        """Note what to expect on new rows."""
        self._expected = str(score)

    def status(self) -> Status:
        """Return how far the run is; to be called from one thread only."""
        with self._lock:
            running = tuple(self._running.values())
            outcomes = [was for key, was in self._outcomes.items() if key not in self._on_their_way]
            unscored, self._unscored = self._unscored, []
        for fit in unscored:
            self._scored[fit.candidate.key] = self._score(fit)
        now = self._budget.elapsed
        jobs = (Running(name, part, now - start) for name, part, start in running)
        return Status(
            self._stage,
            now,
            self._budget.limit,
            self._budget.max_candidates,
            outcomes.count("done"),
            outcomes.count("failed"),
            outcomes.count("pruned"),
            self._best(),
            tuple(sorted(jobs, key=lambda job: -job.seconds)),
            self._budget.cancelled,
            self._expected,
        )

    def _score(self, fit: CrossFit) -> "_Scored":
        loss = self._loss(fit.rows, fit.predictions)
        return _Scored(fit.candidate.name, loss, fit.rows, counts=not fit.pruned)

    def _best(self) -> Best | None:
        """Return the ensemble, else the candidate of the lowest loss among those that cover the most rows.

        Of fewer rows a loss may be lower by chance alone: neither does an ensemble count that was judged on
        other rows than the best candidate.
        """
        found = [one for one in self._scored.values() if one.counts and np.isfinite(one.loss)]
        best = min(found, key=lambda one: (-len(one.rows), one.loss), default=None)
        ensemble = self._ensemble
        if ensemble is not None and (best is None or np.isin(best.rows, ensemble.rows).all()):
            best = ensemble
        if best is None:
            return None
        bar = self._bar(best.rows)
        gain, baseline = (None, "") if bar is None else (1 - best.loss / bar[0], bar[1])
        return Best(best.name, self._metric.name, self._metric.score(best.loss), gain, baseline)

    def _bar(self, rows: Rows) -> tuple[float, str] | None:
        """Return the loss and the name of the best baseline on these rows; None if there is nothing to gain.

        A baseline that does not cover all of them would be compared on others.
        """
        key = rows.tobytes()
        if key not in self._bars:
            losses = [
                (self._loss(rows, fit.predictions[np.searchsorted(fit.rows, rows)]), fit.candidate.label)
                for fit in self._baselines
                if np.isin(rows, fit.rows, assume_unique=True).all()
            ]
            best = min((one for one in losses if np.isfinite(one[0])), default=None)
            self._bars[key] = best if best is not None and best[0] > 0 else None
        return self._bars[key]

    def _loss(self, rows: Rows, predictions: FloatArray) -> float:
        weight = None if self._problem.weight is None else self._problem.weight[rows]
        return self._metric.loss(self._problem.y[rows], predictions, weight)


@dataclass(frozen=True, eq=False)
class _Scored:
    """A result with its loss on its rows; pruned ones do not count."""

    name: str
    loss: float
    rows: Rows
    counts: bool
