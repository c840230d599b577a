"""A learner that is fast, predictable, and fails, stalls or dies when told to."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from tabular_automl.core.candidate import Params, Recipe, freeze_params
from tabular_automl.core.fitting import FitContext, FitOutcome, FittedModel, FloatArray, Rows
from tabular_automl.core.metrics import training_loss
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.state import State, load_state, save_state
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.base import Capabilities, Learner
from tabular_automl.learners.patience import fell_behind
from tabular_automl.learners.space import Choice, Float, Integer, Space, When

FAKE_FAMILY = "tabular_automl.testing.fake_learner:FakeLearner"


class FakeLearner(Learner):
    """Move in ``n_rounds`` equal steps from even odds (or zero) towards the weighted mean of the target.

    ``behaviour`` says what a fit does: ``fit``, ``raise`` an error, ``nan`` predictions, ``die`` with the
    worker, or ``stall`` for ``stall_seconds`` without asking ``should_stop``.
    """

    family: ClassVar[str] = FAKE_FAMILY
    code_version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    capabilities: ClassVar[Capabilities] = Capabilities(
        handles_missing=True, handles_categories=True, uses_rounds=True, needs_features=False
    )

    def defaults(self, shape: ProblemShape) -> Params:
        """Return ten rounds of ordinary behaviour."""
        del shape
        return freeze_params({"behaviour": "fit", "n_rounds": 10, "shift": 0.0})

    def space(self, shape: ProblemShape) -> Space:
        """Return a small conditional space."""
        del shape
        return Space(
            (
                Choice("behaviour", ("fit", "raise", "nan", "die", "stall")),
                Integer("n_rounds", 1, 100, log=True),
                Float("shift", -1.0, 1.0),
                Float("stall_seconds", 0.0, 3_600.0, when=When("behaviour", ("stall",))),
            )
        )

    def recipe(self, params: Params) -> Recipe:
        """Return the recipe of plain numbers and codes."""
        del params
        return Recipe("ordinal")

    def cost(self, shape: ProblemShape, params: Params, rounds: int) -> float:
        """Return a made-up formula."""
        del params
        return 1e-3 + 1e-7 * shape.n_rows * max(rounds, 1)

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        """Fit, or misbehave as told."""
        values = dict(params)
        _misbehave(values.get("behaviour"), float(values.get("stall_seconds") or 0.0))
        shape = context.shape
        goal = _goal(train, shape.task, shape.n_outputs) + float(values.get("shift") or 0.0)
        if values.get("behaviour") == "nan":
            goal = goal * np.nan
        n_rounds = int(values.get("n_rounds") or 10)
        wanted = min(n_rounds, context.max_rounds)
        curve: list[float] = []
        for rounds in range(1, wanted + 1):
            model = FakeModel(goal, rounds, n_rounds, shape.task)
            if held_out is not None:
                predictions = model.predict(held_out.X)
                curve.append(training_loss(shape.task).loss(held_out.y, predictions, held_out.weight))
                if fell_behind(min(curve), rounds, context.bar):
                    return FitOutcome(model, np.array(curve), given_up=True)
            if context.should_stop() and rounds < wanted:
                return FitOutcome(model, np.array(curve), complete=False)
        return FitOutcome(model, np.array(curve))

    def load(self, folder: Path) -> FittedModel:
        """Return the saved model."""
        state = load_state(folder)
        facts = state.facts
        return FakeModel(state.arrays["goal"], facts["rounds"], facts["of"], TaskKind(facts["task"]))


@dataclass(frozen=True, eq=False)
class FakeModel:
    """``rounds`` of ``of`` steps towards ``goal`` (log odds or values), the same for every row."""

    goal: FloatArray
    rounds: int
    of: int
    task: TaskKind

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        """Return the same prediction for every row."""
        way = self.goal * (min(rounds or self.rounds, self.rounds) / self.of)
        if self.task is TaskKind.BINARY:
            way = 1.0 / (1.0 + np.exp(-way))
        if self.task is TaskKind.MULTICLASS:
            way = np.exp(way) / np.exp(way).sum()
        return np.tile(way, (len(X), 1))

    def save(self, folder: Path, rounds: int | None = None) -> None:
        """Write goal and rounds."""
        facts = {"rounds": min(rounds or self.rounds, self.rounds), "of": self.of, "task": str(self.task)}
        save_state(State(facts, {"goal": self.goal}), folder)


def _misbehave(behaviour: object, stall_seconds: float) -> None:
    if behaviour == "raise":
        raise RuntimeError("FakeLearner was told to raise.")
    if behaviour == "die":
        os._exit(13)
    if behaviour == "stall":
        time.sleep(stall_seconds)


def _goal(train: Rows, task: TaskKind, n_outputs: int) -> FloatArray:
    if task is TaskKind.REGRESSION:
        return np.array([np.average(train.y, weights=train.weight)])
    n_classes = max(n_outputs, 2)
    counts = np.bincount(train.y.astype(np.intp), weights=train.weight, minlength=n_classes) + 1.0 / n_classes
    logits: FloatArray = np.log(counts / counts.sum())
    return logits[1:] - logits[:1] if task is TaskKind.BINARY else logits
