"""Learners with a price, and a world of made-up results: proposals are tested without fitting anything."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar, cast

import numpy as np

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Candidate, Origin, Params, Recipe, freeze_params
from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit
from tabular_automl.core.folds import Fold, FoldPlan
from tabular_automl.core.metrics import default_metric
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem, ProblemShape
from tabular_automl.core.schema import Schema
from tabular_automl.core.seeds import derive_rng
from tabular_automl.core.task import TargetType, Task, TaskKind
from tabular_automl.crossfit import Pace, Request, Runtime
from tabular_automl.crossfit.observations import Observations
from tabular_automl.learners import Capabilities, Float, Space, learner_for
from tabular_automl.testing import FakeClock, FakeLearner, small_problem

SHAPE = ProblemShape(TaskKind.REGRESSION, 5_000, 10, 2, 1)
PRIOR = Candidate("prior", (), Recipe("none"), label="default")


class Priced(FakeLearner):
    """A fold costs ``price`` seconds for all its ``n_rounds`` rounds; at ``rate`` 2 half of them suffice."""

    family: ClassVar[str] = "made_up:Priced"
    capabilities: ClassVar[Capabilities] = Capabilities(
        handles_missing=True, handles_categories=True, uses_rounds=True
    )

    def defaults(self, shape: ProblemShape) -> Params:
        return freeze_params({"price": 1.0, "n_rounds": 400, "rate": 1.0, "mark": None})

    def space(self, shape: ProblemShape) -> Space:
        return Space()

    def cost(self, shape: ProblemShape, params: Params, rounds: int) -> float:
        values = dict(params)
        return float(values["price"] or 0) * rounds / int(values["n_rounds"] or 1)

    def expected_rounds(self, shape: ProblemShape, params: Params) -> int:
        values = dict(params)
        return max(1, round(int(values["n_rounds"] or 1) / float(values["rate"] or 1)))

    def hasten(self, params: Params, factor: float) -> Params:
        rate = float(dict(params)["rate"] or 1)
        return freeze_params({**dict(params), "rate": min(3.0, rate * factor)})


class Second(Priced):
    family: ClassVar[str] = "made_up:Second"


class Third(Priced):
    family: ClassVar[str] = "made_up:Third"


class Tunable(Priced):
    """Its price can be tuned, within what is cheap."""

    family: ClassVar[str] = "made_up:Tunable"

    def space(self, shape: ProblemShape) -> Space:
        return Space((Float("price", 0.05, 0.2),))


FIRST, SECOND, THIRD, TUNABLE = Priced.family, Second.family, Third.family, Tunable.family


def priced(
    label: str,
    price: float = 1.0,
    family: str = FIRST,
    *,
    origin: Origin = Origin.DEFAULT,
    n_rounds: int = 400,
    rate: float = 1.0,
) -> Candidate:
    # Two of the same price are still two.
    params = {"price": price, "n_rounds": n_rounds, "rate": rate, "mark": label if label else None}
    return Candidate(family, freeze_params(params), Recipe("ordinal"), origin, label=label)


def problem_of(n_rows: int = 240, n_folds: int = 8, n_repeats: int = 1) -> Problem:
    """A regression problem whose plan deals the rows ``n_repeats`` times."""
    small = small_problem(TaskKind.REGRESSION, n_rows)
    rng = np.random.default_rng(0)
    dealt = [rng.permutation(n_rows) % n_folds for _ in range(n_repeats)]
    folds = tuple(
        Fold(np.flatnonzero(fold_of != f), np.flatnonzero(fold_of == f))
        for fold_of in dealt
        for f in range(n_folds)
    )
    task = Task("y", TaskKind.REGRESSION, TargetType("float64"), default_metric(TaskKind.REGRESSION).name)
    return Problem(
        small.table, small.y, None, Schema(()), task, FoldPlan(folds, "shuffled", n_repeats=n_repeats)
    )


class Weightless(Observations):
    """Made-up fits have no files: loading them takes no time."""

    def loading(self, folders: Iterable[Path]) -> float:
        return 0.0


@dataclass
class Listener:
    """The share of a runtime that the stages need."""

    problem: Problem
    budget: Budget
    seed: int = 0
    observations: Observations = field(default_factory=Weightless)
    messages: list[str] = field(default_factory=list)
    warnings: int = 0
    store: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(durable=False))
    tracker: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(
            **dict.fromkeys(("ensemble", "on_its_way", "at_its_end"), lambda *_: None)
        )
    )

    def emit(self, stage: str, message: str, *, is_warning: bool = False) -> None:
        self.messages.append(f"{stage}: {message}")
        self.warnings += is_warning

    def in_driver(self) -> "Listener":
        return self

    def leave(self, fit: CrossFit) -> None:
        self.messages.append(f"{fit.candidate.name} left {fit.pruned}")


@dataclass
class World:
    """Stands in for `cross_fit` and `probe`: fits cost what their formula says, times ``slowness``.

    Attributes
    ----------
    problem, cores
        What is being solved, on how many cores.
    noise
        By name of a candidate, how far its predictions are from the target; 1 for all others.
    failing
        Families that fail.
    slowness, rounds
        By family, by how much the formulas of seconds and of rounds are off.
    lag
        How many results are still to come when the next request is made.
    probed
        What was probed.
    asked
        What was asked for, the prior left out, with the seconds that were left.
    """

    problem: Problem
    cores: int = 2
    clock: FakeClock = field(default_factory=FakeClock)
    noise: dict[str, float] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    slowness: dict[str, float] = field(default_factory=dict)
    rounds: dict[str, float] = field(default_factory=dict)
    lag: int = 0
    probed: list[Candidate] = field(default_factory=list)
    asked: list[tuple[Request, float]] = field(default_factory=list)
    _done: dict[tuple[str, int | None], int] = field(default_factory=dict)

    def runtime(self, limit: float | None = None, count: int | None = None, n_jobs: int = 64) -> Runtime:
        options = Options("y", time_limit=limit, max_candidates=count, n_jobs=n_jobs)
        return cast("Runtime", Listener(self.problem, Budget.start(options, self.clock)))

    def forget(self) -> None:
        """Begin again with nothing asked for, fitted or probed; the clock goes on."""
        self.asked.clear()
        self.probed.clear()
        self._done.clear()

    def know(self, results: Sequence[CrossFit]) -> None:
        """Take results for fitted: further repeats of them cost only what is new."""
        self._done |= {(fit.candidate.key, fit.max_rounds): len(fit.folds) for fit in results}

    @property
    def requests(self) -> list[Request]:
        return [request for request, _ in self.asked]

    @property
    def labels(self) -> list[str]:
        """Labels of what was asked for."""
        return [request.candidate.label for request in self.requests]

    @property
    def started(self) -> list[str]:
        """Labels of what was asked for, each once, in the order of the first time."""
        return list(dict.fromkeys(self.labels))

    def folds_of(self, label: str) -> list[int]:
        """Numbers of folds that were asked for one after the other."""
        return [request.n_folds for request in self.requests if request.candidate.label == label]

    def cross_fit(
        self, requests: Iterator[Request | None], problem: Problem, runtime: Runtime
    ) -> Iterator[CrossFit | Failure]:
        under_way: deque[Request] = deque()
        is_open = True
        while is_open or under_way:
            request = next(requests, None) if is_open and len(under_way) <= self.lag else None
            if request is not None:
                if request.candidate.family != "prior":
                    self.asked.append((request, runtime.budget.remaining))
                under_way.append(request)
            elif under_way:
                yield self.fit(under_way.popleft(), runtime.budget.n_jobs)
                is_open = is_open and not runtime.budget.over
            else:  # nothing for now is the end where nothing is under way
                return

    def fit(self, request: Request, n_jobs: int = 64) -> CrossFit | Failure:
        """Return a result for a request, on a clock that moves by what its new folds take."""
        candidate, learner = request.candidate, learner_for(request.candidate.family)
        if candidate.family in self.failing:
            return Failure(candidate, 0, "made up", 0.0)
        repeats = self.problem.folds.repeats(request.n_folds)
        shape = self.problem.shape
        rounds = learner.expected_rounds(shape, candidate.params) * self.rounds.get(candidate.family, 1.0)
        rounds = round(min(rounds, request.max_rounds or rounds))
        a_fold = learner.cost(shape, candidate.params, rounds) * self.slowness.get(candidate.family, 1.0)
        known = self._done.get((candidate.key, request.max_rounds), 0)
        new = request.n_folds - known
        self._done[candidate.key, request.max_rounds] = request.n_folds
        if candidate.family != "prior":
            self.clock.advance(new * a_fold / min(self.cores, n_jobs, max(new, 1)))
        return made_up(self.problem, candidate, request.n_folds, len(repeats), curve=rounds, a_fold=a_fold,
                       noise=self.noise.get(candidate.label, 1.0), max_rounds=request.max_rounds)  # fmt: skip

    def probe(self, candidates: Sequence[Candidate], runtime: Runtime) -> tuple[Pace, ...]:
        self.probed.extend(candidates)
        paces = []
        for candidate in candidates:
            learner = learner_for(candidate.family)
            rounds = learner.expected_rounds(self.problem.shape, candidate.params)
            seconds = learner.cost(self.problem.shape, candidate.params, rounds)
            paces.append(Pace(candidate, 0.0, seconds / rounds * self.slowness.get(candidate.family, 1.0)))
        return tuple(paces)


def made_up(
    problem: Problem,
    candidate: Candidate,
    n_folds: int = 8,
    n_repeats: int = 1,
    *,
    curve: int = 400,
    a_fold: float = 1.0,
    noise: float = 1.0,
    max_rounds: int | None = None,
    complete: bool = True,
) -> CrossFit:
    """A cross fit whose predictions are the target and noise."""
    folds = tuple(
        FoldFit(f"k{f}", f, Path("none"), np.linspace(2.0, 1.0, curve), a_fold, 1.0, complete)
        for f in range(n_folds)
    )
    rows = np.sort(
        np.concatenate(
            [fold.held_out for fold in problem.folds.folds[: min(n_folds, problem.folds.folds_per_repeat)]]
        )
    )
    if candidate.family == "prior":
        predictions = np.full((len(rows), 1), problem.y.mean())
    else:
        rng = derive_rng(0, candidate.key)
        predictions = problem.y[rows, None] + noise * rng.normal(size=(len(rows), 1))
    seconds = n_folds * a_fold
    return CrossFit(
        candidate, problem.folds.digest, folds, rows, predictions, curve, seconds, n_repeats, max_rounds
    )
