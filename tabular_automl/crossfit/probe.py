"""Measures the pace of candidates by their first few rounds, before any of them is started in earnest."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Candidate
from tabular_automl.core.fitting import FitContext
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.seeds import derive_seed
from tabular_automl.crossfit.cross_fit import POLL_SECONDS
from tabular_automl.crossfit.fold_job import DataFiles
from tabular_automl.crossfit.pace import Pace
from tabular_automl.crossfit.runtime import Runtime
from tabular_automl.crossfit.workers import Finished, Lost, Ticket
from tabular_automl.learners import import_ahead, learner_for

# So many rounds tell the pace; of a single one it isn't known what is spent on each and what is spent once.
ROUNDS = 10
LEAST_ROUNDS = 2
# On more rows than this a probe takes every second, third, … of them, and its pace is scaled by the learner's
# formula.
MOST_ROWS = 50_000
# A formula may be off by this factor.
FORMULA_FACTOR = 4.0
# What takes no time at all, as nothing can be divided by that.
LEAST_SECONDS = 1e-9
# A probe ends with its second round once it has taken this share of the time limit.
SHARE = 0.03
# After this share of the time limit no further probe is started, and those that still run are killed.
TOTAL_SHARE = 0.08


def probe(candidates: Sequence[Candidate], runtime: Runtime) -> tuple[Pace, ...]:
    """Fit the first rounds of each candidate on fold 0 and return their paces; the models are thrown away.

    On many rows it is done with a part of them. A candidate without rounds is not probed, and one that fails,
    whose matrix cannot be made, or whose turn does not come before the probes' time is over, has no pace, nor
    has one whose first rounds, or whose matrix, would surely take more than what is left of that time: what
    it will take is told by the others. One that was killed after a fair time is as slow as if all that time
    had been its first round.
    """
    waiting = [c for c in candidates if learner_for(c.family).capabilities.uses_rounds]
    jobs: dict[Ticket, Candidate] = {}
    paces: dict[str, Pace] = {}
    time_left = _TimeLeft(runtime.budget)
    try:
        while (waiting or jobs) and not runtime.budget.over:
            while waiting and runtime.workers.free:
                if runtime.memory.must_wait(waiting[0], runtime.workers):
                    break
                candidate = waiting.pop(0)
                ticket = _start(candidate, runtime, time_left)
                if ticket is not None:
                    jobs[ticket] = candidate
                    runtime.tracker.started(ticket, candidate.name, "probe")
            for finished in runtime.workers.wait(POLL_SECONDS) if waiting or jobs else ():
                candidate = jobs.pop(finished.ticket)
                runtime.tracker.ended(finished.ticket)
                pace = _pace(candidate, finished, time_left.fair)
                if pace is not None:
                    paces[candidate.key] = _on_all_rows(pace, runtime.problem.shape)
    finally:
        for ticket in jobs:
            runtime.drop(ticket)
    return tuple(paces[c.key] for c in candidates if c.key in paces)


@dataclass(frozen=True)
class ProbeJob:
    """Fit a few rounds on every so many-th row and say how long they took; after so many seconds only two."""

    candidate: Candidate
    matrix: Path
    data: DataFiles
    context: FitContext
    every: int
    seconds: float = math.inf

    def run(self, should_stop: Callable[[], bool]) -> Pace | None:
        """Return the pace; None if the learner failed or asked nothing between its rounds."""
        import_ahead(self.candidate.family)
        started = time.monotonic()
        asked: list[float] = []

        def stop() -> bool:
            asked.append(time.monotonic() - started)
            return (len(asked) >= LEAST_ROUNDS and asked[-1] >= self.seconds) or should_stop()

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
        train = self.data.load(self.matrix, 0, "train", self.every)
        held_out = self.data.load(self.matrix, 0, "held_out", self.every)
        context = replace(self.context, should_stop=stop)
        outcome = learner_for(self.candidate.family).fit(train, held_out, self.candidate.params, context)
        return max(1, outcome.model.rounds)


class _TimeLeft:
    """The wall seconds that all probes have together, from the start of the first; matrices do not count."""

    def __init__(self, budget: Budget) -> None:
        limit = math.inf if budget.limit is None else budget.limit
        self.fair = SHARE * limit
        self._total = TOTAL_SHARE * limit
        self._clock = budget.clock
        self._end: float | None = None

    @property
    def counts(self) -> bool:
        """Whether the first probe was started."""
        return self._end is not None

    @property
    def seconds(self) -> float:
        """What is left."""
        return self._total if self._end is None else self._end - self._clock()

    def started(self) -> None:
        """Count from now on."""
        if self._end is None:
            self._end = self._clock() + self._total

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Do not count what is done meanwhile."""
        before = self._clock()
        yield
        if self._end is not None:
            self._end += self._clock() - before


def _start(candidate: Candidate, runtime: Runtime, time_left: _TimeLeft) -> Ticket | None:
    """Submit a candidate's probe, if it can be made and there is time."""
    # A probe that is killed costs its worker, too, which takes longer to come back than most probes.
    least = _formula(candidate, _probed(runtime.problem.shape), LEAST_ROUNDS)
    if FORMULA_FACTOR * time_left.seconds <= least:
        return None
    # The first one's matrix will be needed anyway.
    if time_left.counts and runtime.encoding_seconds(candidate.recipe) >= time_left.seconds:
        return None
    with time_left.set_aside():
        job = _job(candidate, runtime)
    if job is None:
        return None
    time_left.started()
    left = time_left.seconds
    # Half of what is left for two rounds leaves the other half for what they take beyond it.
    job = replace(job, seconds=min(time_left.fair, left / 2))
    return runtime.workers.submit(job, hard_limit=None if left == math.inf else left)


def _job(candidate: Candidate, runtime: Runtime) -> ProbeJob | None:
    """Return what to do for a candidate; None if it cannot be fitted, or not encoded in time."""
    if runtime.encoding_seconds(candidate.recipe) >= runtime.budget.remaining:
        return None
    learner, shape = learner_for(candidate.family), runtime.problem.shape
    try:
        learner.require(shape)
        limits = learner.limits(shape, candidate.params)
        runtime.memory.require(candidate, runtime.workers)
        matrix = runtime.matrix(candidate.recipe)
    except Exception:  # noqa: BLE001 - a learner or a recipe may fail in any way; the real fit reports it
        return None
    seed = derive_seed(runtime.seed, "probe", candidate.key)
    limits = limits._replace(max_rounds=min(ROUNDS, limits.max_rounds))
    context = runtime.fit_context(matrix, seed, limits)
    return ProbeJob(candidate, matrix.path, runtime.data, context, _every(runtime.problem.shape))


def _every(shape: ProblemShape) -> int:
    """Return which of the rows are taken: every so many-th."""
    return math.ceil(shape.n_rows / MOST_ROWS)


def _probed(shape: ProblemShape) -> ProblemShape:
    """Return the shape with as many rows as are taken."""
    return replace(shape, n_rows=math.ceil(shape.n_rows / _every(shape)))


def _on_all_rows(pace: Pace, whole: ProblemShape) -> Pace:
    """Return the pace on as many rows as there are; setup and rounds grow differently."""
    probed = _probed(whole)

    def a_round(shape: ProblemShape) -> float:
        first, all_rounds = (_formula(pace.candidate, shape, rounds) for rounds in (1, ROUNDS))
        return max(LEAST_SECONDS, (all_rounds - first) / (ROUNDS - 1))

    def setup(shape: ProblemShape) -> float:
        return max(LEAST_SECONDS, _formula(pace.candidate, shape, 1) - a_round(shape))

    return Pace(
        pace.candidate,
        pace.setup * setup(whole) / setup(probed),
        pace.a_round * a_round(whole) / a_round(probed),
    )


def _formula(candidate: Candidate, shape: ProblemShape, rounds: int) -> float:
    return max(LEAST_SECONDS, learner_for(candidate.family).cost(shape, candidate.params, rounds))


def _pace(candidate: Candidate, finished: Finished, fair: float) -> Pace | None:
    match finished.result:
        case Pace() as pace:
            return pace
        case Lost(killed=True, seconds=seconds) if seconds >= fair:
            return Pace(candidate, 0.0, seconds)
        case _:
            return None
