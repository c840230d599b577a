"""The static portfolio: order, the user's own candidates, what it refuses."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from tabular_automl.core.candidate import Origin
from tabular_automl.core.errors import InputError
from tabular_automl.core.folds import FoldPlan
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.schema import Kind, Schema
from tabular_automl.core.table import Column, Table
from tabular_automl.core.task import TargetType, Task, TaskKind
from tabular_automl.learners import FAMILIES, learner_for
from tabular_automl.search import check_families, static_portfolio


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


def test_prior_comes_first_then_every_default_then_variants() -> None:
    starts = static_portfolio(problem(), Options("y"))
    n_families = len(FAMILIES)
    assert starts[0].family == "prior"
    assert {c.family for c in starts[:n_families]} == set(FAMILIES)
    assert all(c.origin is Origin.DEFAULT for c in starts[:n_families])
    assert all(c.origin is Origin.PORTFOLIO for c in starts[n_families:])


@pytest.mark.parametrize("categories", [False, True])
def test_candidates_are_distinct_and_name_only_known_hyperparameters(*, categories: bool) -> None:
    given = problem(categories=categories)
    starts = static_portfolio(given, Options("y"))
    assert len({c.key for c in starts}) == len(starts)
    for candidate in starts:
        learner = learner_for(candidate.family)
        known = {parameter.name for parameter in learner.space(given.shape).parameters}
        assert {name for name, _ in candidate.params} <= known | set(dict(learner.defaults(given.shape)))
        assert candidate.recipe == learner.recipe(candidate.params)


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
