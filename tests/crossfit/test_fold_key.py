from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
from odd_learners import Odd, candidate  # type: ignore[import-not-found]
from open_runtime import make_problem  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Origin, Recipe
from tabular_automl.core.folds import TIME_ORDERED, Fold, FoldPlan
from tabular_automl.core.schema import Schema
from tabular_automl.core.table import Column, Table
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit import FitSettings, ProblemIdentity, fold_key

SETTINGS = FitSettings(seed=1, threads=1, max_rounds=100, patience=10)


def key_of(problem=None, *, fold=0, what=None, learner=None, settings=SETTINGS):
    identity = ProblemIdentity.of(problem or make_problem())
    return fold_key(identity, fold, what or candidate(), learner or Odd(), settings=settings)


def with_cell(problem, value):
    first = problem.table.columns[0]
    values = first.values.copy()
    values[3] = value
    column = Column(first.id, first.kind, values, first.categories)
    return replace(problem, table=Table((column, *problem.table.columns[1:]), problem.n_rows))


def changed_problems():
    problem = make_problem()
    columns = problem.table.columns
    fold0, *others = problem.folds.folds
    y = problem.y.copy()
    y[0] += 1
    schema = Schema((replace(problem.schema.columns[0], parse="number:comma"), *problem.schema.columns[1:]))
    return {
        "cell": with_cell(problem, 1e6),
        "missing cell": with_cell(problem, np.nan),
        "target": replace(problem, y=y),
        "weight": replace(problem, weight=np.ones(problem.n_rows)),
        "column order": replace(problem, table=Table((columns[1], columns[0], *columns[2:]), problem.n_rows)),
        "schema": replace(problem, schema=schema),
        "training rows": replace(
            problem, folds=FoldPlan((Fold(fold0.train[1:], fold0.held_out), *others), "x")
        ),
        "held-out rows": replace(
            problem, folds=FoldPlan((Fold(fold0.train, fold0.held_out[1:]), *others), "x")
        ),
        "training loss": replace(problem, task=replace(problem.task, kind=TaskKind.BINARY)),
    }


@pytest.mark.parametrize("what", changed_problems())
def test_key_changes_with_the_problem(what):
    assert key_of(changed_problems()[what]) != key_of()


@pytest.mark.parametrize(
    "change",
    [{"seed": 2}, {"threads": 2}, {"max_rounds": 99}, {"patience": None}],
    ids=str,
)
def test_key_changes_with_the_settings(change):
    assert key_of(settings=replace(SETTINGS, **change)) != key_of()


@pytest.mark.parametrize(
    "other",
    [
        candidate(rounds=6),
        replace(candidate(), recipe=Recipe("linear")),
        replace(candidate(), family="odd_learners:Witness"),
        replace(candidate(), level=2),
        replace(candidate(), parents=("p",)),
    ],
    ids=lambda c: c.key[:6],
)
def test_key_changes_with_the_candidate(other):
    assert key_of(what=other) != key_of()


def test_key_changes_with_fold_and_code_version_and_libraries():
    class Newer(Odd):
        code_version = 2

    class Dependent(Odd):
        libraries = ("numpy", "scipy")

    assert len({key_of(), key_of(fold=1), key_of(learner=Newer()), key_of(learner=Dependent())}) == 4


def test_key_changes_with_the_versions_of_what_recipes_compute_with(monkeypatch):
    before = key_of()
    for library in ("numpy", "pandas"):
        with monkeypatch.context() as patch:
            patch.setitem(
                fold_key.__globals__,
                "installed_version",
                lambda name, new=library: name == new or version(name),
            )
            assert key_of() != before
    assert key_of() == before


def test_key_changes_with_the_shape_learners_see():
    problem = make_problem()
    folds = FoldPlan(problem.folds.folds, TIME_ORDERED)
    assert key_of(replace(problem, folds=folds)) != key_of(problem)


def test_key_does_not_depend_on_metric_label_or_origin():
    problem = make_problem()
    other_metric = replace(problem, task=replace(problem.task, metric="mae"))
    renamed = replace(candidate(), label="other", origin=Origin.USER)
    assert key_of(other_metric, what=renamed) == key_of()


def test_key_does_not_depend_on_how_nan_and_zero_are_written():
    problem = make_problem()
    other_nan = np.frombuffer(np.uint64(0x7FF8000000000001).tobytes())[0]
    assert key_of(with_cell(problem, np.nan)) == key_of(with_cell(problem, other_nan))
    assert key_of(with_cell(problem, 0.0)) == key_of(with_cell(problem, -0.0))
