"""Conditional search spaces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular_automl.core.candidate import freeze_params
from tabular_automl.learners import Choice, Float, Integer, Space, When

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
