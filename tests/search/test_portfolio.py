"""The static portfolio: order, the user's own candidates, what it refuses."""

import dataclasses
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from tabular_automl.core.candidate import Origin
from tabular_automl.core.errors import InputError
from tabular_automl.core.folds import FoldPlan
from tabular_automl.core.metrics import default_metric
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.schema import Kind, Schema
from tabular_automl.core.table import Column, Table
from tabular_automl.core.task import TargetType, Task, TaskKind
from tabular_automl.learners import FAMILIES, Integer, learner_for
from tabular_automl.search import PRIOR, check_families, static_portfolio
from tabular_automl.search.portfolio import (
    LARGE_TREE,
    ROWS_FOR_LARGE_TREES,
    ROWS_FOR_SMALL_TREES,
    SMALL_TREE,
)
from tabular_automl.search.portfolio_rows import PORTFOLIO_ROWS, PortfolioRow

KINDS = {TaskKind.REGRESSION: (), TaskKind.BINARY: ("a", "b"), TaskKind.MULTICLASS: ("a", "b", "c")}


def problem(n_columns: int = 2, *, categories: bool = False) -> Problem:
    rng = np.random.default_rng(0)
    columns = [Column(f"c{i}", Kind.NUMERIC, rng.normal(size=40)) for i in range(n_columns)]
    if categories:
        codes = rng.integers(0, 3, size=40).astype(np.int32)
        columns.append(Column("c9", Kind.CATEGORICAL, codes, ("a", "b", "c")))
    task = Task("y", TaskKind.REGRESSION, TargetType("float64"), "rmse")
    return Problem(
        Table(tuple(columns), 40), rng.normal(size=40), None, Schema(()), task, FoldPlan((), "shuffled")
    )


def problem_of(kind: TaskKind, n_rows: int, *, categories: bool = True) -> Problem:
    """A problem that nothing is known of but its shape; its cells are never written."""
    columns = [Column(f"c{i}", Kind.NUMERIC, np.empty(n_rows)) for i in range(12)]
    if categories:
        columns.append(Column("c12", Kind.CATEGORICAL, np.empty(n_rows, dtype=np.int32), ("a", "b")))
    task = Task("y", kind, TargetType("float64"), default_metric(kind).name, KINDS[kind])
    y = np.empty(n_rows)
    return Problem(Table(tuple(columns), n_rows), y, None, Schema(()), task, FoldPlan((), "shuffled"))


every_shape = [
    pytest.mark.parametrize("kind", list(KINDS)),
    pytest.mark.parametrize("n_rows", [30, 400, 1_500, 8_000, 50_000, 1_000_000]),
    pytest.mark.parametrize("categories", [False, True]),
]


def on_every_shape(test: Any) -> Any:
    for mark in every_shape:
        test = mark(test)
    return test


@on_every_shape
def test_all_that_is_tried_lies_within_what_its_family_knows(
    kind: TaskKind, n_rows: int, *, categories: bool
) -> None:
    given = problem_of(kind, n_rows, categories=categories)
    starts = static_portfolio(given, Options("y"))
    for candidate in starts:
        learner = learner_for(candidate.family)
        space = learner.space(given.shape)
        assert space.contains(candidate.params), candidate
        names = {parameter.name for parameter in space.parameters} | set(dict(learner.defaults(given.shape)))
        assert {name for name, _ in candidate.params} <= names
        assert candidate.recipe == learner.recipe(candidate.params)
    assert len({candidate.key for candidate in starts}) == len(starts)
    assert len({candidate.name for candidate in starts}) == len(starts), "names tell them apart"


@on_every_shape
def test_each_family_has_its_default_before_any_variant(
    kind: TaskKind, n_rows: int, *, categories: bool
) -> None:
    starts = static_portfolio(problem_of(kind, n_rows, categories=categories), Options("y"))
    defaults, variants = starts[: len(FAMILIES)], starts[len(FAMILIES) :]
    assert defaults[0].family == PRIOR
    assert sorted(candidate.family for candidate in defaults) == sorted(FAMILIES)
    assert defaults[1].family == "lightgbm", "quick and rarely far behind"
    assert {candidate.origin for candidate in variants} == {Origin.PORTFOLIO}


@on_every_shape
def test_what_suits_so_many_rows_comes_first_then_the_sources_order(
    kind: TaskKind, n_rows: int, *, categories: bool
) -> None:
    starts = static_portfolio(problem_of(kind, n_rows, categories=categories), Options("y"))
    rows = {(row.family, row.label): row for row in PORTFOLIO_ROWS}
    tried = [rows[c.family, c.label] for c in starts if c.origin is Origin.PORTFOLIO]
    late = [row for row in tried if unsuited(row.leaves, n_rows)]
    assert tried[len(tried) - len(late) :] == late
    for part in (tried[: len(tried) - len(late)], late):
        places = [row.place for row in part]
        assert places == sorted(places)


def unsuited(leaves: int, n_rows: int) -> bool:
    too_large = n_rows <= ROWS_FOR_LARGE_TREES and leaves > LARGE_TREE
    return too_large or (n_rows > ROWS_FOR_SMALL_TREES and 0 < leaves < SMALL_TREE)


def test_rows_of_the_portfolio_differ_and_speak_of_their_trees() -> None:
    assert len({(row.family, row.label) for row in PORTFOLIO_ROWS}) == len(PORTFOLIO_ROWS)
    for row in PORTFOLIO_ROWS:
        assert row.leaves == row.changes.get("num_leaves", row.leaves)
        depth = row.changes.get("depth", row.changes.get("max_depth"))
        assert depth is None or row.leaves == 2 ** int(depth)


def test_rows_of_the_portfolio_are_what_families_know() -> None:
    """Where a value was drawn to the end of a range, it is its range on few rows, or named here."""
    shape = problem_of(TaskKind.BINARY, 50_000).shape
    drawn = {
        (row.family, name, row.changes[name])
        for row in PORTFOLIO_ROWS
        if row.family in FAMILIES
        for name, parameter in {p.name: p for p in learner_for(row.family).space(shape).parameters}.items()
        if name in row.changes and not parameter.contains(row.changes[name])
    }
    assert {(family, name) for family, name, _ in drawn} <= {
        ("xgboost", "colsample_bylevel"),
    }
    unknown = {
        (row.family, name)
        for row in PORTFOLIO_ROWS
        if row.family in FAMILIES
        for name in set(row.changes) - {p.name for p in learner_for(row.family).space(shape).parameters}
    }
    assert unknown == set()


def test_values_beyond_a_range_are_drawn_to_its_nearer_end(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = MappingProxyType({"num_leaves": 10_000, "min_data_in_leaf": 0, "feature_fraction": 0.5})
    row = PortfolioRow(1, "lightgbm", "odd", changes, 8)
    monkeypatch.setattr("tabular_automl.search.portfolio.PORTFOLIO_ROWS", (row,))
    given = problem_of(TaskKind.BINARY, 400)
    space = {parameter.name: parameter for parameter in learner_for("lightgbm").space(given.shape).parameters}
    leaves, least = space["num_leaves"], space["min_data_in_leaf"]
    assert isinstance(leaves, Integer)
    assert isinstance(least, Integer)
    found = dict(static_portfolio(given, Options("y", families=["lightgbm"]))[-1].params)
    assert (found["num_leaves"], found["min_data_in_leaf"]) == (leaves.high, least.low)
    assert found["feature_fraction"] == 0.5


def test_a_choice_that_a_family_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = PortfolioRow(1, "catboost", "odd", MappingProxyType({"grow_policy": "Sideways"}), 8)
    monkeypatch.setattr("tabular_automl.search.portfolio.PORTFOLIO_ROWS", (changed,))
    with pytest.raises(ValueError, match="'Sideways' is not a value of hyperparameter 'grow_policy'"):
        static_portfolio(problem_of(TaskKind.BINARY, 400), Options("y"))


def test_own_candidates_are_tried_before_ours_and_keep_the_other_defaults() -> None:
    given = problem()
    starts = static_portfolio(given, Options("y", candidates=[("lightgbm", {"num_leaves": 7})]))
    own, defaults = starts[1], dict(learner_for("lightgbm").defaults(given.shape))
    assert own.origin is Origin.USER
    assert dict(own.params) == {**defaults, "num_leaves": 7}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"families": ["lightgbn"]}, "no learner family 'lightgbn'"),
        ({"candidates": [("lightgbm", {"num_leafs": 7})]}, "Did you mean 'num_leaves'"),
        ({"candidates": [("lightgbn", {})]}, "Did you mean 'lightgbm'"),
    ],
)
def test_unknown_names_are_refused_with_the_way_out(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        static_portfolio(problem(), dataclasses.replace(Options("y"), **options))


def test_unknown_families_are_refused_before_there_is_data() -> None:
    check_families(Options("y", families=["linear"], candidates=[("lightgbm", {})]))
    with pytest.raises(InputError, match="no learner family 'lightgbn'"):
        check_families(Options("y", families=["lightgbn"]))
    with pytest.raises(InputError, match="Did you mean 'lightgbm'"):
        check_families(Options("y", candidates=[("lightgbn", {})]))
    with pytest.raises(InputError, match=r"'nowhere:Learner' cannot be imported"):
        check_families(Options("y", families=["nowhere:Learner"]))


def test_own_candidates_that_cannot_be_fitted_are_refused() -> None:
    with pytest.raises(InputError, match=r"Candidate 1 \(lightgbm\) cannot be fitted: lightgbm needs"):
        static_portfolio(problem(0), Options("y", candidates=[("lightgbm", {})]))


def test_hyperparameters_may_be_scalars_of_numpy() -> None:
    given = [("lightgbm", {"num_leaves": 7}), ("lightgbm", {"num_leaves": np.int64(7)})]
    starts = static_portfolio(problem(), Options("y", candidates=given))  # type: ignore[arg-type]
    assert len([c for c in starts if c.origin is Origin.USER]) == 1, "the same candidate"


def test_only_allowed_families_are_tried() -> None:
    starts = static_portfolio(problem(), Options("y", families=["linear"]))
    assert {c.family for c in starts} == {"prior", "linear"}


def test_a_table_without_usable_columns_gets_the_prior_alone() -> None:
    assert [c.family for c in static_portfolio(problem(0), Options("y"))] == ["prior"]
