"""Conditional search spaces."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular_automl.core.candidate import freeze_params
from tabular_automl.core.errors import InputError
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import FAMILIES, Choice, Float, Integer, Space, When, learner_for
from tabular_automl.learners.space import SHARE
from tabular_automl.testing.learner_case import LearnerCase

SPACE = Space(
    (
        Choice("kind", ("tree", "linear", None)),
        Integer("depth", 1, 12, log=True, when=When("kind", ("tree",))),
        Choice("grow", (True, False), when=When("kind", ("tree",))),
        Float("rate", 0.001, 1.0, log=True, when=When("grow", (True,))),
        Float("penalty", 0.0, 2.0, when=When("kind", ("linear", None))),
    )
)


@given(st.integers(0, 10_000))
def test_what_is_drawn_is_inside_and_exactly_what_is_active(seed):
    params = SPACE.sample(np.random.default_rng(seed))
    assert SPACE.contains(params)
    assert {name for name, _ in params} == {parameter.name for parameter in SPACE.active(params)}


def test_conditions_hold_along_the_chain():
    names = [p.name for p in SPACE.active(freeze_params({"kind": "linear", "grow": True}))]
    assert names == ["kind", "penalty"], "rate needs grow to be active, not only to have the value"


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "tree", "depth": 13, "grow": False},
        {"kind": "tree", "depth": 2.0, "grow": False},
        {"kind": "tree", "depth": True, "grow": False},
        {"kind": "tree", "depth": 2, "grow": 1},
        {"kind": "tree", "depth": 2, "grow": True},
        {"kind": "forest"},
    ],
)
def test_values_outside(values):
    assert not SPACE.contains(freeze_params(values))


def test_condition_must_come_first():
    with pytest.raises(ValueError, match=r"'depth' depends on 'kind'"):
        Space((Integer("depth", 1, 3, when=When("kind", ("tree",))),))


def test_names_are_unique():
    with pytest.raises(ValueError, match="'depth' is twice"):
        Space((Integer("depth", 1, 3), Integer("depth", 1, 4)))


CHANGES: dict[str, Any] = {
    "kind": ["tree", "linear"],
    "depth": (2, 40),
    "grow": True,
    "rate": (0.01, 0.1),
    "penalty": [0.5, 1],
}


@given(st.integers(0, 10_000))
def test_of_a_changed_space_only_what_is_allowed_is_drawn_and_conditions_stay(seed):
    params = SPACE.changed(CHANGES).sample(np.random.default_rng(seed))
    values: dict[str, Any] = dict(params)
    assert values["kind"] in ("tree", "linear")
    if values["kind"] == "tree":
        assert set(values) == {"kind", "depth", "grow", "rate"}
        assert 2 <= values["depth"] <= 40
        assert values["grow"] is True
        assert 0.01 <= values["rate"] <= 0.1
    else:
        assert set(values) == {"kind", "penalty"}
        assert values["penalty"] in (0.5, 1.0)
        assert type(values["penalty"]) is float, "in the parameter's own type"


def test_the_scale_is_kept_and_one_value_is_a_choice():
    changed = Space((Float("rate", 0.001, 1.0, log=True),))
    assert changed.changed({"rate": (0.01, 2)}).parameters == (Float("rate", 0.01, 2.0, log=True),)
    fixed: Any
    for fixed in (0.5, [0.5], (0.5, 0.5)):
        assert changed.changed({"rate": fixed}).parameters == (Choice("rate", (0.5,)),)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"deepth": 3},
            r"no hyperparameter 'deepth' .* Did you mean 'depth'\? There are: depth, grow, kind, pen",
        ),
        ({"depth": (12, 1)}, "from high to low"),
        ({"depth": []}, "options of 'depth' are empty"),
        ({"depth": (1.5, 4)}, "'depth' cannot be 1.5; give a whole number"),
        ({"depth": "deep"}, "'depth' cannot be 'deep'; give a number"),
        ({"depth": True}, "'depth' cannot be True; give a number"),
        ({"depth": (0, 4)}, "its scale is logarithmic: begin above 0"),
        ({"rate": None}, "'rate' cannot be None"),
        (
            {"kind": (1, 2)},
            r"'kind' has options, not a range \(1, 2\). Give a list, such as \['tree', 'linear'",
        ),
        ({"kind": 3}, "'kind' cannot be 3; give one like 'tree', 'linear', None"),
        ({"kind": ["tree", "forest"]}, "'kind' cannot be 'forest'; give one of 'tree', 'linear', None"),
        ({"rate": 0}, "'rate' cannot be 0; give a number above 0"),
        ({"rate": [0, 0.1]}, "'rate' cannot be 0; give a number above 0"),
        ({"depth": [-3, 2]}, "'depth' cannot be -3; give a number above 0"),
    ],
    ids=str,
)
def test_changes_that_do_not_suit_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        SPACE.changed(changes)


@given(st.integers(0, 10_000))
def test_what_lies_inside_is_nearest_to_itself(seed):
    params = SPACE.sample(np.random.default_rng(seed))
    assert SPACE.nearest(dict(params)) == params


def test_the_nearest_is_drawn_to_ends_and_next_options():
    space = Space(
        (
            Integer("depth", 4, 8),
            Float("rate", 0.1, 0.2),
            Choice("leaf", (1, 8, 32)),
            Choice("grow", ("b", "c")),
        )
    )
    outside: dict[str, Any] = {"depth": 1, "rate": 3, "leaf": 12, "grow": "a"}
    assert dict(space.nearest(outside)) == {"depth": 4, "rate": 0.2, "leaf": 8, "grow": "b"}
    assert dict(space.nearest({})) == {"depth": 6, "rate": pytest.approx(0.15), "leaf": 1, "grow": "b"}


def test_points_are_spaced_on_the_scale_ends_included():
    assert Integer("n", 1, 100, log=True).points(3) == (1, 10, 100)
    assert Integer("n", 1, 2).points(3) == (1, 2)
    assert Float("x", 0.0, 1.0).points(3) == (0.0, 0.5, 1.0)
    assert Choice("c", ("a", "b", "c", "d")).points(3) == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("family", "changes", "message"),
    [
        (
            "lightgbm",
            {"num_leaves": (10**6, 10**9)},
            r"'num_leaves' cannot be 1000000; give values from 2 to 131,072",
        ),
        ("lightgbm", {"num_leaves": (8, 10**6)}, "'num_leaves' cannot be 1000000"),
        ("lightgbm", {"feature_fraction": [0.0]}, "'feature_fraction' cannot be 0.0"),
        ("catboost", {"depth": 17}, "'depth' cannot be 17; give values from 1 to 16"),
        ("xgboost", {"max_depth": [4, 64]}, "'max_depth' cannot be 64"),
        ("random_forest", {"max_samples": 1.5}, "'max_samples' cannot be 1.5"),
        ("lightgbm", {"learning_rate": -0.1}, "'learning_rate' cannot be -0.1; give values from 1e-06 up"),
        ("lightgbm", {"min_data_in_leaf": [-3, 0]}, "'min_data_in_leaf' cannot be -3; give values from 0 to"),
        ("lightgbm", {"lambda_l1": -1.0}, "'lambda_l1' cannot be -1.0; give values from 0 up"),
        ("catboost", {"border_count": [128, 70_000]}, "'border_count' cannot be 70000"),
        ("extra_trees", {"max_features": ["nonsense"]}, "'max_features' cannot be 'nonsense'; give one of"),
        ("extra_trees", {"max_features": [7.0]}, "'max_features' cannot be 7.0; give values from 1e-06 to 1"),
        ("extra_trees", {"max_leaf_nodes": -4}, "'max_leaf_nodes' cannot be -4"),
        ("linear", {"knots": [-3]}, "'knots' cannot be -3; give values from 0 to 2,000"),
        ("linear", {"knots": [100_000]}, "'knots' cannot be 100000"),
    ],
)
def test_what_a_learner_cannot_take_is_refused(family: str, changes: dict[str, Any], message: str) -> None:
    shape = ProblemShape(TaskKind.BINARY, 1_000, 3, 1, 1)
    with pytest.raises(InputError, match=message):
        learner_for(family).space(shape).changed(changes)


@pytest.mark.parametrize("family", FAMILIES)
def test_of_shipped_families_every_number_has_limits_around_its_range(family: str) -> None:
    for parameter in learner_for(family).space(ProblemShape(TaskKind.BINARY, 1_000, 3, 1, 1)).parameters:
        points = [point for point in parameter.points(2) if type(point) in (int, float)]
        if points:
            assert parameter.limits is not None, parameter
            least, most = parameter.limits
            assert all(least <= point <= most for point in points)  # type: ignore[operator]


def test_a_learner_takes_a_zero_that_a_logarithmic_range_cannot_begin_at() -> None:
    space = learner_for("lightgbm").space(ProblemShape(TaskKind.BINARY, 1_000, 3, 1, 1))
    assert space.changed({"lambda_l1": 0}).nearest({})
    with pytest.raises(InputError, match="its scale is logarithmic: begin above 0"):
        space.changed({"lambda_l1": (0, 1)})


@pytest.mark.parametrize(
    "family", ["lightgbm", "xgboost", "catboost", "extra_trees", "random_forest", "linear"]
)
@pytest.mark.parametrize("end", [0, 1])
def test_a_learner_fits_at_the_limits_it_declares(family: str, end: int) -> None:
    learner = learner_for(family)
    case = LearnerCase.small(learner, TaskKind.BINARY)
    case = replace(case, context=replace(case.context, max_rounds=1))
    for parameter in learner.space(case.context.shape).parameters:
        value = (parameter.limits or (math.inf, math.inf))[end]
        # Beyond 100,000 it is what the machine bears; of a share of next to nothing no row is left.
        if abs(value) <= 100_000 and value != SHARE[0]:
            suited = learner.space(case.context.shape).suited({parameter.name: value})
            params = freeze_params({**dict(case.params), **suited})
            assert np.isfinite(replace(case, params=params).fit().model.predict(case.held_out.X)).all()


def test_values_are_taken_as_changes_are_and_left_where_the_space_has_no_such_parameter() -> None:
    suited = SPACE.suited({"depth": 40.0, "rate": 2, "kind": "linear", "other": np.float32(0.5)})  # type: ignore[dict-item]
    assert suited == {"depth": 40, "rate": 2.0, "kind": "linear", "other": 0.5}
    assert [type(value) for value in suited.values()] == [int, float, str, float]
    with pytest.raises(InputError, match=r"'depth' cannot be 5\.5; give a whole number"):
        SPACE.suited({"depth": 5.5})
    with pytest.raises(InputError, match="'other' is set to nan; give a finite number"):
        SPACE.suited({"other": math.nan})


def test_a_text_that_is_not_drawn_may_be_allowed() -> None:
    space = Space((Choice("grow", ("depth", "level"), others=("loss",)),))
    assert space.suited({"grow": "loss"}) == {"grow": "loss"}
    assert space.changed({"grow": ["loss", "depth"]}).parameters[0].points(9) == ("loss", "depth")
    with pytest.raises(InputError, match="give one of 'depth', 'level', 'loss'"):
        space.suited({"grow": "deep"})
