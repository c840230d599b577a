"""Conditional search spaces."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular_automl.core.candidate import freeze_params
from tabular_automl.core.errors import InputError
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import Choice, Float, Integer, Space, When, learner_for

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
    ],
)
def test_what_a_learner_cannot_take_is_refused(family: str, changes: dict[str, Any], message: str) -> None:
    shape = ProblemShape(TaskKind.BINARY, 1_000, 3, 1, 1)
    with pytest.raises(InputError, match=message):
        learner_for(family).space(shape).changed(changes)
