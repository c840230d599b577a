"""Measures the pace of candidates by their first few rounds, before any of them is started in earnest."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.fitting import FitContext
from tabular_automl.core.seeds import derive_seed
from tabular_automl.crossfit.cross_fit import POLL_SECONDS
from tabular_automl.crossfit.fold_job import DataFiles
from tabular_automl.crossfit.pace import Pace
from tabular_automl.crossfit.runtime import Runtime
from tabular_automl.crossfit.workers import Finished, Lost, Ticket
from tabular_automl.learners import learner_for

# So many rounds tell the pace.
ROUNDS = 10
# A probe ends with its second round once it has taken this share of the time limit.
SHARE = 0.03
# One that takes several times that long for its first rounds is killed: there is no time for its family.
KILL_FACTOR = 4.0


def probe(candidates: Sequence[Candidate], runtime: Runtime) -> tuple[Pace, ...]:
    """Fit the first rounds of each candidate on fold 0 and return their paces; the models are thrown away.

    A candidate without rounds is not probed, and one that fails, or whose matrix cannot be made, has no pace:
    its failure shows when it is fitted. One that was killed for the time is as slow as if all that time had
    been its first round.
    """
    waiting = [c for c in candidates if learner_for(c.family).capabilities.uses_rounds]
    jobs: dict[Ticket, Candidate] = {}
    paces: dict[str, Pace] = {}
    limit = math.inf if runtime.budget.limit is None else SHARE * runtime.budget.limit
    hard_limit = None if limit == math.inf else KILL_FACTOR * limit
    try:
        while (waiting or jobs) and not runtime.budget.over:
            while waiting and runtime.workers.free:
                candidate = waiting.pop(0)
                job = _job(candidate, runtime, limit)
                if job is not None:
                    jobs[runtime.workers.submit(job, hard_limit=hard_limit)] = candidate
            for finished in runtime.workers.wait(POLL_SECONDS) if waiting or jobs else ():
                candidate = jobs.pop(finished.ticket)
                pace = _pace(candidate, finished)
                if pace is not None:
                    paces[candidate.key] = pace
    finally:
        for ticket in jobs:
            runtime.workers.kill(ticket)
    return tuple(paces[c.key] for c in candidates if c.key in paces)


@dataclass(frozen=True)
class ProbeJob:
    """Fit a few rounds and say how long they took."""

    candidate: Candidate
    matrix: Path
    data: DataFiles
    context: FitContext
    seconds: float

    def run(self, should_stop: Callable[[], bool]) -> Pace | None:
        """Return the pace; None if the learner failed or asked nothing between its rounds."""
        started = time.monotonic()
        asked: list[float] = []

        def stop() -> bool:
            asked.append(time.monotonic() - started)
            # One round does not tell what is spent on each from what is spent once.
            return (len(asked) > 1 and asked[-1] >= self.seconds) or should_stop()

        try:
            rounds = self._rounds(stop)
        except (Exception, SystemExit):  # noqa: BLE001 - a learner may fail in any way; the real fit reports it
            return None
        if not asked:
            return None
        if len(asked) == 1:
            return Pace(self.candidate, 0.0, asked[0])
        step = (asked[-1] - asked[0]) / (len(asked) - 1)
        # A learner may ask several times a round.
        a_round = step * max(1.0, len(asked) / rounds)
        return Pace(self.candidate, max(0.0, asked[0] - step), a_round)

    def _rounds(self, stop: Callable[[], bool]) -> int:
        """Fit and return how many rounds it came to."""
        train, held_out = (self.data.load(self.matrix, 0, part) for part in ("train", "held_out"))
        context = replace(self.context, should_stop=stop)
        outcome = learner_for(self.candidate.family).fit(train, held_out, self.candidate.params, context)
        return max(1, outcome.model.rounds)


def _job(candidate: Candidate, runtime: Runtime, seconds: float) -> ProbeJob | None:
    """Return what to do for a candidate; None if it cannot be fitted, or not encoded in time."""
    if runtime.encoding_seconds(candidate.recipe) >= runtime.budget.remaining:
        return None
    learner, shape = learner_for(candidate.family), runtime.problem.shape
    try:
        learner.require(shape)
        limits = learner.limits(shape, candidate.params)
        matrix = runtime.matrix(candidate.recipe)
    except Exception:  # noqa: BLE001 - a learner or a recipe may fail in any way; the real fit reports it
        return None
    seed = derive_seed(runtime.seed, "probe", candidate.key)
    limits = limits._replace(max_rounds=min(ROUNDS, limits.max_rounds))
    context = runtime.fit_context(matrix, seed, limits)
    return ProbeJob(candidate, matrix.path, runtime.data, context, seconds)


def _pace(candidate: Candidate, finished: Finished) -> Pace | None:
    match finished.result:
        case Pace() as pace:
            return pace
        case Lost(killed=True, seconds=seconds):
            return Pace(candidate, 0.0, seconds)
        case _:
            return None
