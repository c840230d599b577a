"""Runs put together by hand around really fitted models: nothing above the learners is needed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tabular_automl.core.candidate import Candidate, Origin, Recipe, freeze_params
from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit
from tabular_automl.core.ensemble import (
    Comparison,
    Ensemble,
    FittedEnsemble,
    FittedMember,
    HonestScore,
    Member,
    ServedModel,
)
from tabular_automl.core.fitting import FitContext, Rows
from tabular_automl.core.forecast import Extrapolation, Forecast
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.run import Run
from tabular_automl.core.schema import ColumnSchema, Finding, Kind, Schema, Severity
from tabular_automl.core.table import Column, Table
from tabular_automl.core.task import TargetType, Task, TaskKind
from tabular_automl.core.utilisation import Utilisation
from tabular_automl.learners import learner_for
from tabular_automl.preprocessing import fit_encoder

N_ROWS = 120
CITIES = ("Köln", "日本", "a\ud800b", "")
MakeRun = Callable[[TaskKind], Run]


@pytest.fixture(scope="session")
def table() -> Table:
    rng = np.random.default_rng(3)
    numbers = rng.normal(size=N_ROWS)
    numbers[::7] = np.nan
    codes = rng.integers(-1, len(CITIES), N_ROWS).astype(np.int32)
    return Table(
        (
            Column("c0", Kind.NUMERIC, numbers),
            Column("c1", Kind.CATEGORICAL, codes, CITIES),
        ),
        N_ROWS,
    )


@pytest.fixture(scope="session")
def make_run(table: Table) -> MakeRun:
    made: dict[TaskKind, Run] = {}

    def make(kind: TaskKind) -> Run:
        if kind not in made:
            made[kind] = handmade_run(table, kind)
        return made[kind]

    return make


@pytest.fixture(scope="session")
def run(make_run: MakeRun) -> Run:
    return make_run(TaskKind.BINARY)


def handmade_run(table: Table, kind: TaskKind) -> Run:
    task = _task(kind)
    rng = np.random.default_rng(4)
    codes = rng.integers(0, max(len(task.classes), 1), N_ROWS).astype(np.float64)
    y: NDArray[np.float64] = rng.normal(size=N_ROWS) if kind is TaskKind.REGRESSION else codes
    fitted = FittedEnsemble(
        (_member(table, y, task, ("lightgbm", 0.7)), _member(table, y, task, ("linear", 0.3)))
    )
    members = tuple(member.member for member in fitted.members)
    prior = Candidate("baseline", (), Recipe("none"), Origin.BASELINE, label="zero rule")
    late = Candidate("linear", (), Recipe("none"), label="late", hastened=True)
    return Run(
        schema=_schema(),
        task=task,
        findings=(Finding("constant_column", Severity.WARNING, "Column 'x' is constant.", "Drop it.", "x"),),
        scheme="stratified",
        n_folds=2,
        y=y,
        weight=rng.uniform(0.5, 1.5, N_ROWS),
        baselines=(_crossfit(prior, task, 0),),
        crossfits=tuple(_crossfit(member.candidate, task, 2) for member in members),
        failures=(Failure(prior, 3, "killed", 0.25), Failure(late, None, "no time", 0.0, skipped=True)),
        ensemble=Ensemble(members),
        fitted=fitted,
        score=HonestScore(0.81, 0.7, float("nan"), "roc_auc", 0.01, N_ROWS),
        comparisons=(Comparison("zero rule", 0.5, 0.31, 0.2, float("inf")),),
        seconds={"ingest": 0.125, "total": 1 / 3},
        settings={"time_limit": None, "seed": 0, "families": ["lightgbm"]},
        versions={"tabular_automl": "0.1.0", "python": "3.11"},
        forecast=Forecast("roc_auc", "time", 2, 0.81, (Extrapolation(2, -0.1, -1 / 3, 0.0, 0.8, 0.7, 0.9),)),
        utilisation=Utilisation(2, 1 / 3, 0.5, 0.1, 0.05, 0.05, 0.4, {"ingest": 0.1}),
    )


def _schema() -> Schema:
    def column(name: object, number: int, kind: Kind, levels: tuple[str, ...] | None = None) -> ColumnSchema:
        return ColumnSchema(name, f"c{number}", kind, "float64", 1 / 3, 7, "because", "number", levels)  # type: ignore[arg-type]

    return Schema(
        (
            column("größe [m²]", 0, Kind.NUMERIC),
            column(7, 1, Kind.CATEGORICAL, CITIES),
            column(2.0, 2, Kind.CONSTANT),
            column(("a", 1, (None, 2.5)), 3, Kind.IDENTIFIER),
        ),
        roles=("price", 3),
    )


def _task(kind: TaskKind) -> Task:
    if kind is TaskKind.REGRESSION:
        return Task(("price", 1), kind, TargetType("Float32"), "rmse")
    if kind is TaskKind.BINARY:
        return Task(0, kind, TargetType("bool"), "roc_auc", (False, True))
    levels = ("low", "middle", "unused", "high")
    return Task(
        "grade",
        kind,
        TargetType("category", levels, "str", ordered=True),
        "log_loss",
        ("low", "middle", "high"),
    )


def _member(table: Table, y: np.ndarray, task: Task, wanted: tuple[str, float]) -> FittedMember:
    family, weight = wanted
    learner = learner_for(family)
    shape = ProblemShape(task.kind, table.n_rows, 1, 1, task.n_outputs)
    params = freeze_params(dict(learner.defaults(shape)))
    candidate = Candidate(family, params, learner.recipe(params), label="default")
    encoder = fit_encoder(candidate.recipe, table)
    X, parts = encoder.transform(table), np.arange(N_ROWS) % 3
    models = []
    for fold in range(3):
        # The last one is a refit: it holds out nothing, and has rounds of its own.
        train, held_out = parts != fold if fold < 2 else parts >= 0, parts == fold
        context = FitContext(shape, encoder.features, seed=fold, max_rounds=12)
        watched = Rows(X[held_out], y[held_out]) if fold < 2 else None
        model = learner.fit(Rows(X[train], y[train]), watched, params, context).model
        share = 0.25 if fold < 2 else 0.5
        models.append(ServedModel(model, min(5 + fold, model.rounds), share, is_refit=fold == 2))
    return FittedMember(Member(candidate, weight), encoder, tuple(models))


def _crossfit(candidate: Candidate, task: Task, n_folds: int) -> CrossFit:
    rng = np.random.default_rng(5)
    folds = tuple(
        FoldFit(
            f"key{fold}",
            fold,
            Path("/run/store/somewhere"),
            rng.random(3 + fold),
            0.1,
            55.5,
            fold == 0,
            fold == 1,
        )
        for fold in range(n_folds)
    )
    rows = np.arange(0, N_ROWS, 2)
    predictions = rng.random((len(rows), task.n_outputs))
    return CrossFit(candidate, "plan", folds, rows, predictions, 3, 1.25, pruned="fell behind")
