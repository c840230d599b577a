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
from tabular_automl.core.search import Search
from tabular_automl.core.table import Column, Table
from tabular_automl.core.task import TargetType, Task, TaskKind
from tabular_automl.learners import FAMILIES, Integer, learner_for
from tabular_automl.search import PRIOR, allowed_families, check_families, static_portfolio
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_leaves": 1}, "'num_leaves' cannot be 1; give values from 2 to 131,072"),
        ({"num_leaves": 5.5}, "'num_leaves' cannot be 5.5; give a whole number"),
        ({"num_leaves": True}, "'num_leaves' cannot be True; give a number"),
        ({"learning_rate": float("nan")}, "'learning_rate' is set to nan; give a finite number"),
        ({"learning_rate": 0.0}, "'learning_rate' cannot be 0.0"),
        ({"learning_rate": "0.1"}, "'learning_rate' cannot be '0.1'; give a number"),
        ({"extra_trees": "no"}, "'extra_trees' cannot be 'no'; give one of False, True"),
    ],
    ids=str,
)
def test_values_of_own_candidates_that_cannot_be_fitted_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    options = Options("y", candidates=[("lightgbm", {}), ("lightgbm", changes)])
    with pytest.raises(InputError, match=rf"Candidate 2 \(lightgbm\): .*{message}"):
        static_portfolio(problem(), options)


def test_whole_numbers_of_own_candidates_become_whole_as_in_spaces() -> None:
    options = Options("y", candidates=[("lightgbm", {"num_leaves": 500.0, "learning_rate": 1})])
    own = dict(static_portfolio(problem(), options)[1].params)
    assert (own["num_leaves"], own["learning_rate"]) == (500, 1.0), "outside the ranges, too"
    assert [type(own[name]) for name in ("num_leaves", "learning_rate")] == [int, float]


def test_spaces_of_families_that_are_not_fitted_are_checked_too() -> None:
    for changes, message in (
        ({"bogus": 1}, "no hyperparameter 'bogus'"),
        ({"depth": 99}, "'depth' cannot be 99"),
    ):
        options = Options("y", families=["lightgbm"], search=Search(spaces={"catboost": changes}))
        with pytest.raises(InputError, match=rf"search\.spaces of catboost: .*{message}"):
            static_portfolio(problem(), options)


def test_hyperparameters_may_be_scalars_of_numpy() -> None:
    given = [("lightgbm", {"num_leaves": 7}), ("lightgbm", {"num_leaves": np.int64(7)})]
    starts = static_portfolio(problem(), Options("y", candidates=given))  # type: ignore[arg-type]
    assert len([c for c in starts if c.origin is Origin.USER]) == 1, "the same candidate"


def test_only_allowed_families_are_tried() -> None:
    starts = static_portfolio(problem(), Options("y", families=["linear"]))
    assert {c.family for c in starts} == {"prior", "linear"}


def test_a_table_without_usable_columns_gets_the_prior_alone() -> None:
    assert [c.family for c in static_portfolio(problem(0), Options("y"))] == ["prior"]


def said(**search: Any) -> Options:
    return Options("y", search=Search(**search))


NARROW = {
    "lightgbm": {"num_leaves": (4, 6), "extra_trees": False, "learning_rate": 0.2},
    "extra_trees": {"max_features": ["sqrt", 0.5]},
    "linear": {"knots": [3]},
}


@on_every_shape
def test_defaults_and_variants_lie_within_what_the_user_allows(
    kind: TaskKind, n_rows: int, *, categories: bool
) -> None:
    given = problem_of(kind, n_rows, categories=categories)
    starts = static_portfolio(given, said(spaces=NARROW))
    for family, changes in NARROW.items():
        space = learner_for(family).space(given.shape).changed(changes)  # type: ignore[arg-type]
        of_family = [candidate for candidate in starts if candidate.family == family]
        assert of_family
        assert all(space.contains(candidate.params) for candidate in of_family)
    assert len({candidate.key for candidate in starts}) == len(starts)
    assert len([c for c in starts if c.family == "extra_trees"]) < 6, "what became equal is dropped"


def test_a_fixed_toggle_of_preprocessing_changes_the_recipe() -> None:
    given = problem_of(TaskKind.BINARY, 400)
    starts = static_portfolio(given, said(spaces={"lightgbm": {"moments": False}, "linear": {"knots": 3}}))
    recipes = {c.family: dict(c.recipe.params) for c in starts}
    assert recipes["lightgbm"] == {"moments": False}
    assert recipes["linear"] == {"knots": 3}


def test_own_candidates_stay_as_given_but_for_what_they_do_not_say() -> None:
    options = dataclasses.replace(said(spaces=NARROW), candidates=[("lightgbm", {"num_leaves": 50})])
    own = dict(static_portfolio(problem_of(TaskKind.BINARY, 400), options)[1].params)
    assert own["num_leaves"] == 50, "what is said of the space is for those that we propose"
    assert own["learning_rate"] == 0.2


def test_forbidden_families_are_not_fitted_nor_loaded() -> None:
    options = said(without=["catboost", "my.package:Own"])
    starts = static_portfolio(problem_of(TaskKind.BINARY, 400), options)
    assert {c.family for c in starts} == set(FAMILIES) - {"catboost"}
    assert allowed_families(options) == tuple(f for f in FAMILIES if f not in ("catboost", PRIOR))


def test_families_of_own_candidates_may_be_fitted_beside_the_named_ones() -> None:
    options = Options("y", families=["linear"], candidates=[("catboost", {}), ("linear", {})])
    assert allowed_families(options) == ("linear", "catboost")


def test_a_family_has_no_more_than_it_may_and_own_ones_count_but_stay() -> None:
    given = problem_of(TaskKind.BINARY, 400)
    own = [("lightgbm", {"num_leaves": leaves}) for leaves in (4, 5, 6)]
    options = dataclasses.replace(said(most_candidates={"catboost": 2, "lightgbm": 2}), candidates=own)
    starts = static_portfolio(given, options)
    assert [c.origin for c in starts if c.family == "catboost"] == [Origin.DEFAULT, Origin.PORTFOLIO]
    assert [c.origin for c in starts if c.family == "lightgbm"] == [Origin.USER] * 3


def test_without_the_portfolio_each_family_has_its_default() -> None:
    starts = static_portfolio(problem_of(TaskKind.BINARY, 400), said(portfolio=False))
    assert {c.origin for c in starts} == {Origin.DEFAULT}
    assert sorted(c.family for c in starts) == sorted(FAMILIES)


@pytest.mark.parametrize(
    ("search", "others", "message"),
    [
        ({"without": ["lightgbn"]}, {}, "no learner family 'lightgbn'. Did you mean 'lightgbm'"),
        ({"spaces": {"lightgbn": {"num_leaves": 7}}}, {}, "no learner family 'lightgbn'"),
        ({"most_candidates": {"lightgbn": 1}}, {}, "no learner family 'lightgbn'"),
        ({"without": ["linear"]}, {"families": ["linear"]}, "forbids linear, so that no family is left"),
        ({"without": ["linear"]}, {"candidates": [("linear", {})]}, "Candidate 1 .* search.without forbids"),
    ],
    ids=str,
)
def test_what_leaves_nothing_or_is_unknown_is_refused_before_there_is_data(
    search: dict[str, Any], others: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_families(Options("y", search=Search(**search), **others))


def test_changes_of_what_a_family_does_not_have_name_the_family() -> None:
    options = said(spaces={"lightgbm": {"num_leafs": (8, 64)}})
    with pytest.raises(
        InputError, match=r"search.spaces of lightgbm: .* 'num_leafs' .* mean 'num_leaves'\? There"
    ):
        static_portfolio(problem(), options)
