"""Learners that keep what a refit was given, or misbehave in refits alone; imported by worker processes."""

import json
import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from odd_learners import Odd, row_marks  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Candidate, Params, Recipe, freeze_params
from tabular_automl.core.fitting import FitContext, FitOutcome, FittedModel, FloatArray, Rows
from tabular_automl.core.state import State, load_state, save_state
from tabular_automl.learners import Capabilities


def spied(refits: str = "fit", kind: str = "Spy", **params: str | float) -> Candidate:
    """A candidate of `Spy`, or of a ``kind`` of it, whose refits do what ``refits`` says.

    ``log`` names a file that gets a line for each fit, ``rounds`` is the length of the folds' curves and
    ``best`` the round at which they are lowest.
    """
    label = str(params.get("label", refits))
    frozen = freeze_params({"refits": refits, **params})
    return Candidate(f"refit_learners:{kind}", frozen, Recipe("ordinal"), label=label)


class Spy(Odd):
    """Predict a number drawn by the seed; the model keeps which rows it saw, and in what circumstances."""

    family: ClassVar[str] = "refit_learners:Spy"
    capabilities: ClassVar[Capabilities] = Capabilities(
        uses_rounds=True, needs_features=False, handles_missing=True
    )

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        values = dict(params)
        if "log" in values:
            with Path(str(values["log"])).open("a", encoding="utf-8") as log:
                log.write(
                    f"{'refit' if held_out is None else 'fold'} {values.get('label', '')} {context.seed}\n"
                )
        facts = {
            "seed": context.seed,
            "max_rounds": context.max_rounds,
            "patience": context.patience,
            "weight": None if train.weight is None else float(train.weight.sum()),
            "level": float(np.random.default_rng(context.seed).normal()),
            "behaviour": "fit" if held_out is not None else str(values["refits"]),
        }
        model = SpyModel(np.sort(row_marks(train.X)), np.sort(np.array(train.y)), json.dumps(facts))
        if held_out is not None:
            rounds = int(values.get("rounds") or 8)
            distance = np.arange(1.0, rounds + 1) - float(values.get("best") or rounds)
            return FitOutcome(model, 1.0 + distance**2)
        return FitOutcome(model, np.empty(0), complete=_refit(str(values["refits"]), context))

    def load(self, folder: Path) -> FittedModel:
        state = load_state(folder)
        model = SpyModel(state.arrays["seen"], state.arrays["targets"], state.facts["facts"])
        if model.given["behaviour"] == "unloadable":
            raise ValueError("this model cannot be loaded")
        return model


class Seedless(Spy):
    """Says that its seed changes nothing."""

    family: ClassVar[str] = "refit_learners:Seedless"
    capabilities: ClassVar[Capabilities] = replace(Spy.capabilities, uses_seed=False)


class NoRefitRounds(Spy):
    """Cannot say how many rounds a refit gets."""

    family: ClassVar[str] = "refit_learners:NoRefitRounds"

    def refit_rounds(self, joint_round: int, growth: float) -> int:
        raise ZeroDivisionError("no rounds")


class NoGrowth(Spy):
    """Cannot say how many rounds a refit on more rows gets."""

    family: ClassVar[str] = "refit_learners:NoGrowth"

    def refit_rounds(self, joint_round: int, growth: float) -> int:
        if growth > 1.0:
            raise ZeroDivisionError("no rounds")
        return joint_round


@dataclass(frozen=True, eq=False)
class SpyModel:
    seen: FloatArray
    targets: FloatArray
    facts: str

    @property
    def given(self) -> dict:
        return dict(json.loads(self.facts))

    @property
    def rounds(self) -> int:
        return 100

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        level = np.nan if self.given["behaviour"] == "nan" else self.given["level"]
        return np.full((len(X), 1), level)

    def save(self, folder: Path, rounds: int | None = None) -> None:
        save_state(State({"facts": self.facts}, {"seen": self.seen, "targets": self.targets}), folder)


def _refit(behaviour: str, context: FitContext) -> bool:
    """Misbehave as told; return whether the fit came to its end."""
    if behaviour == "raise":
        raise RuntimeError("told to raise in refits")
    if behaviour == "exit":
        os._exit(7)
    if behaviour == "shot":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "hang":
        time.sleep(600)
    if behaviour == "slow":
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if context.should_stop():
                return False
            time.sleep(0.01)
    return True
