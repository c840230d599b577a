"""Learners that show what a fold job did, or that misbehave; imported by worker processes."""

import ctypes
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from tabular_automl.core.candidate import Candidate, Params, Recipe, freeze_params
from tabular_automl.core.fitting import FitContext, FitOutcome, FittedModel, FloatArray, Rows
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.state import State, load_state, save_state
from tabular_automl.learners import Capabilities, Learner, Space


def candidate(behaviour: str = "mean", **params: str | float) -> Candidate:
    """A candidate of `Odd`; ``log`` names a file that gets a line a fit.

    With ``where`` it misbehaves only on the fold whose first held-out row has that target.
    """
    frozen = freeze_params({"behaviour": behaviour, **params})
    return Candidate("odd_learners:Odd", frozen, Recipe("ordinal"), label=behaviour)


class Odd(Learner):
    """Predict ``mean + noise(seed) + 1 / round`` after each of ``rounds`` rounds, in its own way."""

    family: ClassVar[str] = "odd_learners:Odd"
    code_version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    capabilities: ClassVar[Capabilities] = Capabilities(uses_rounds=True, needs_features=False)

    def defaults(self, shape: ProblemShape) -> Params:
        return ()

    def space(self, shape: ProblemShape) -> Space:
        return Space(())

    def recipe(self, params: Params) -> Recipe:
        return Recipe("ordinal")

    def cost(self, shape: ProblemShape, params: Params, rounds: int) -> float:
        return 0.01

    def memory(self, shape: ProblemShape, params: Params) -> float:
        return float(dict(params).get("bytes") or 0)

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        values = dict(params)
        behaviour, rounds = str(values["behaviour"]), int(values.get("rounds") or 5)
        if "log" in values:
            with Path(str(values["log"])).open("a", encoding="utf-8") as log:
                log.write(f"{os.getpid()} {len(train.y)}\n")
        assert held_out is not None
        if values.get("where", held_out.y[0]) == held_out.y[0]:
            _misbehave(behaviour, values)
        noise = float(np.random.default_rng(context.seed).normal())
        level = float("nan") if behaviour == "nan" else float(train.y.mean()) + noise
        complete = True
        curve = []
        for round_ in range(1, rounds + 1):
            loss = float(((held_out.y - level - 1.0 / round_) ** 2).mean())
            curve.append(1.0 / round_ if behaviour == "nan" else loss)
            if behaviour == "slow":
                time.sleep(float(values["seconds"] or 0) / rounds)
            if context.should_stop() and round_ < rounds:
                complete = False
                break
        if behaviour == "nothing":
            return None  # type: ignore[return-value]
        if behaviour == "nan-curve":
            curve[-1] = float("nan")
        model = OddModel(level, len(curve), 2 if behaviour == "wide" else 1)
        return FitOutcome(model, np.array(curve), complete)

    def load(self, folder: Path) -> FittedModel:
        state = load_state(folder)
        return OddModel(state.facts["level"], state.facts["rounds"], state.facts["width"])


@dataclass(frozen=True, eq=False)
class OddModel:
    level: float
    rounds: int
    width: int = 1

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        return np.full((len(X), self.width), self.level + 1.0 / min(rounds or self.rounds, self.rounds))

    def save(self, folder: Path, rounds: int | None = None) -> None:
        save_state(State({"level": self.level, "rounds": self.rounds, "width": self.width}), folder)


class SpeechlessError(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError("no words")


def _misbehave(behaviour: str, values: dict) -> None:
    if behaviour in {"raise", "speechless"}:
        raise RuntimeError("told to raise") if behaviour == "raise" else SpeechlessError
    if behaviour == "exit":
        os._exit(7)
    if behaviour == "sys-exit":
        sys.exit(3)
    if behaviour == "shot":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "hang":
        time.sleep(600)
    if behaviour == "deaf":
        # In native code that keeps Python's lock, so that no thread and no signal handler gets its turn.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ctypes.PyDLL(None).sleep(600)
    if behaviour == "abort":
        os.abort()
    if behaviour == "hungry":
        _exceed_limit()
    if behaviour == "hermit":
        _be_alone(Path(str(values["cell"])))


def _exceed_limit() -> None:
    """Allocate more than this process may, and leave the worker as it was."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 2**28, before[1]))
    try:
        np.ones(2**27)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _be_alone(cell: Path) -> None:
    """Fail if another fit is in the cell."""
    with cell.open("x"):
        time.sleep(0.1)
    cell.unlink()


class SavelessModel(OddModel):
    def save(self, folder: Path, rounds: int | None = None) -> None:
        pass


class Quitter(Odd):
    """Gives up, bar or no bar."""

    family: ClassVar[str] = "odd_learners:Quitter"

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        return replace(super().fit(train, held_out, params, context), given_up=True)


class NumpyTruths(Odd):
    """Says what it has to say by comparing arrays."""

    family: ClassVar[str] = "odd_learners:NumpyTruths"

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        outcome = super().fit(train, held_out, params, context)
        return FitOutcome(outcome.model, outcome.curve, np.True_, np.bool_(dict(params)["given_up"]))  # type: ignore[arg-type]


class Saveless(Odd):
    """Its model writes no file."""

    family: ClassVar[str] = "odd_learners:Saveless"

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        return FitOutcome(SavelessModel(0.0, 2, 1), np.array([2.0, 1.0]))


class Unloadable(Odd):
    """Fits in one round, and misbehaves when what it saved is loaded."""

    family: ClassVar[str] = "odd_learners:Unloadable"

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        return FitOutcome(UnloadableModel(str(dict(params)["behaviour"])), np.ones(1))

    def load(self, folder: Path) -> FittedModel:
        _misbehave(load_state(folder).facts["behaviour"], {})
        return OddModel(0.0, 1)


@dataclass(frozen=True, eq=False)
class UnloadableModel:
    behaviour: str
    rounds: int = 1

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        return np.zeros((len(X), 1))

    def save(self, folder: Path, rounds: int | None = None) -> None:
        save_state(State({"behaviour": self.behaviour}), folder)


class Dreamer(Odd):
    """Makes a file, ``cell``, when it is to predict, and then takes half a minute for it."""

    family: ClassVar[str] = "odd_learners:Dreamer"

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        return FitOutcome(DreamerModel(str(dict(params)["cell"])), np.ones(1))

    def load(self, folder: Path) -> FittedModel:
        return DreamerModel(load_state(folder).facts["cell"])


@dataclass(frozen=True, eq=False)
class DreamerModel:
    cell: str
    rounds: int = 1

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        Path(self.cell).touch()
        time.sleep(30)
        return np.zeros((len(X), 1))

    def save(self, folder: Path, rounds: int | None = None) -> None:
        save_state(State({"cell": self.cell}), folder)


class NotMine(Odd):
    """Fits no regression."""

    family: ClassVar[str] = "odd_learners:NotMine"
    capabilities: ClassVar[Capabilities] = Capabilities(tasks=frozenset())


class Witness(Odd):
    """Predict for each row whether it was among the training rows: 1 if so, else 0."""

    family: ClassVar[str] = "odd_learners:Witness"
    capabilities: ClassVar[Capabilities] = Capabilities()

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        model = WitnessModel(np.sort(row_marks(train.X)))
        rounds = int(dict(params).get("rounds") or 1)
        return FitOutcome(model, np.arange(rounds, 0, -1.0))

    def load(self, folder: Path) -> FittedModel:
        return WitnessModel(load_state(folder).arrays["seen"])


@dataclass(frozen=True, eq=False)
class WitnessModel:
    seen: FloatArray
    rounds: int = 9

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        return np.isin(row_marks(X), self.seen).astype(np.float64)[:, np.newaxis]

    def save(self, folder: Path, rounds: int | None = None) -> None:
        save_state(State({}, {"seen": self.seen}), folder)


class RoundTeller(Odd):
    """Predict the round for every row; the loss at round r is the mean squared distance of targets from r."""

    family: ClassVar[str] = "odd_learners:RoundTeller"

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        assert held_out is not None
        n_rounds = int(dict(params)["rounds"] or 0)
        curve = ((held_out.y[:, np.newaxis] - np.arange(1.0, 1.0 + n_rounds)) ** 2).mean(axis=0)
        return FitOutcome(RoundTellerModel(n_rounds), curve)

    def load(self, folder: Path) -> FittedModel:
        return RoundTellerModel(load_state(folder).facts["rounds"])


@dataclass(frozen=True, eq=False)
class RoundTellerModel:
    rounds: int

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        return np.full((len(X), 1), float(rounds or self.rounds))

    def save(self, folder: Path, rounds: int | None = None) -> None:
        save_state(State({"rounds": self.rounds}), folder)


def row_marks(X: FloatArray) -> FloatArray:
    """One number a row that tells rows apart."""
    return np.nan_to_num(X) @ np.sqrt(np.arange(2.0, 2.0 + X.shape[1]))
