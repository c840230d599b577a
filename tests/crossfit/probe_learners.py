"""Learners that take the time they are told to, on a clock that a test moves."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from odd_learners import Odd, OddModel  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Candidate, Params, Recipe, freeze_params
from tabular_automl.core.fitting import FitContext, FitOutcome, Rows
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import Capabilities
from tabular_automl.testing import FakeClock

CLOCK = FakeClock()


def timed(setup: float = 2.0, a_round: float = 0.5, kind: str = "Timed", **params: float) -> Candidate:
    """A candidate whose fits take so many seconds of `CLOCK` before and for each of their rounds.

    It asks ``asks`` times a round whether to stop; ``rounds`` is how many there are at most.
    """
    frozen = freeze_params({"setup": setup, "a_round": a_round, **params})
    return Candidate(f"probe_learners:{kind}", frozen, Recipe("ordinal"), label=kind)


class Timed(Odd):
    """Does nothing but take time."""

    family: ClassVar[str] = "probe_learners:Timed"

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        values = {name: float(value or 0.0) for name, value in params}
        asks = int(values.get("asks", 1))
        CLOCK.advance(values["setup"])
        rounds, stopped = 0, False
        while rounds < min(context.max_rounds, values.get("rounds", 1_000)) and not stopped:
            rounds += 1
            for _ in range(asks):
                CLOCK.advance(values["a_round"] / asks)
                stopped = stopped or context.should_stop()
        return FitOutcome(OddModel(0.0, rounds), np.ones(rounds), complete=not stopped)


class Dear(Timed):
    """Is expected to take 20 seconds a round."""

    family: ClassVar[str] = "probe_learners:Dear"

    def cost(self, shape: ProblemShape, params: Params, rounds: int) -> float:
        return 20.0 * rounds


class RowByRow(Timed):
    """Takes its time for each row, and is expected to take more on more of them."""

    family: ClassVar[str] = "probe_learners:RowByRow"

    def cost(self, shape: ProblemShape, params: Params, rounds: int) -> float:
        return 1e-6 * shape.n_rows * (2 + rounds)

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        each = {name: len(train.y) * float(value or 0.0) for name, value in params}
        return super().fit(train, held_out, freeze_params(each), context)


class NoRegression(Timed):
    """Fits no regression."""

    family: ClassVar[str] = "probe_learners:NoRegression"
    capabilities: ClassVar[Capabilities] = replace(Timed.capabilities, tasks=frozenset({TaskKind.BINARY}))


class Mute(Timed):
    """Asks nothing between its rounds."""

    family: ClassVar[str] = "probe_learners:Mute"

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        return FitOutcome(OddModel(0.0, 1), np.ones(1))


class WithoutRounds(Mute):
    """Has no rounds."""

    family: ClassVar[str] = "probe_learners:WithoutRounds"
    capabilities: ClassVar[Capabilities] = Capabilities()
