"""What the user may say about the search: read once, refused at once."""

import copy
import dataclasses
import json
import pickle
from typing import Any

import numpy as np
import pytest

import tabular_automl as ta
from tabular_automl.core.errors import InputError
from tabular_automl.core.search import Search


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"sampler": "tpo"},
            r"There is no sampler 'tpo'\. Did you mean 'tpe'\? Use one of: tpe, random, grid",
        ),
        ({"sampler": None}, "There is no sampler None"),
        ({"pruner": "wilcoxn"}, "no pruner 'wilcoxn'. Did you mean 'wilcoxon'"),
        ({"pruner": ["none"]}, "There is no pruner"),
        ({"pruner": np.array(["none", "tpe"])}, "There is no pruner"),
        ({"portfolio": "no"}, "portfolio is 'no'; say True or False"),
        ({"spaces": [("lightgbm", {})]}, "spaces is .* Give hyperparameters by family"),
        ({"spaces": {3: {}}}, "spaces names a family 3"),
        ({"spaces": {"lightgbm": (8, 64)}}, r"spaces sets 'lightgbm' to \(8, 64\)"),
        ({"spaces": {"lightgbm": {3: 4}}}, "spaces names a hyperparameter 3 of lightgbm"),
        ({"spaces": {"lightgbm": {"num_leaves": (64, 8)}}}, r"'num_leaves' is \(64, 8\), from high to low"),
        ({"spaces": {"lightgbm": {"num_leaves": (1, 2, 3)}}}, "give two numbers, such as"),
        ({"spaces": {"lightgbm": {"num_leaves": (1, "many")}}}, "give two numbers"),
        ({"spaces": {"lightgbm": {"num_leaves": (1, np.inf)}}}, "give a finite number"),
        ({"spaces": {"lightgbm": {"num_leaves": []}}}, "options of 'num_leaves' are empty"),
        ({"spaces": {"lightgbm": {"num_leaves": [4, 4]}}}, "hold 4 twice"),
        ({"spaces": {"lightgbm": {"num_leaves": {4, 8}}}}, "a set; give a tuple"),
        ({"spaces": {"lightgbm": {"num_leaves": np.nan}}}, "give a finite number"),
        ({"spaces": {"lightgbm": {"num_leaves": [4, 10**400]}}}, "give a finite number"),
        ({"without": "catboost"}, r"without is 'catboost'; give a list, such as without=\['catboost'\]"),
        ({"without": 3}, "without is 3"),
        ({"without": [3]}, "without holds 3"),
        ({"spaces": {"lightgbm": {}}}, "spaces says nothing of 'lightgbm'"),
        (
            {"spaces": {"catboost": {"depth": 4}}, "without": ["catboost"]},
            "spaces speaks of 'catboost', which without forbids",
        ),
        (
            {"most_candidates": {"catboost": 4}, "without": ["catboost"]},
            "most_candidates speaks of 'catboost', which without forbids",
        ),
        ({"most_candidates": 3}, "most_candidates is 3. Give whole numbers"),
        ({"most_candidates": {"catboost": 1.5}}, "sets 'catboost' to 1.5"),
        ({"most_candidates": {"catboost": True}}, "sets 'catboost' to True"),
        ({"most_candidates": {"catboost": 0}}, r"allows 'catboost' none. Say without=\['catboost'\]"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_has_no_meaning_is_refused_at_once(said: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Search(**said)


def test_a_record_does_not_change_with_what_it_was_made_of() -> None:
    options = [4, 8]
    spaces: Any = {"lightgbm": {"num_leaves": options}}
    search = Search(spaces=spaces)
    spaces["lightgbm"]["depth"] = 3
    options.append(16)
    assert search.spaces == {"lightgbm": {"num_leaves": [4, 8]}}


def test_a_record_cannot_be_changed_and_serves_as_a_key() -> None:
    spaces: Any = {"lightgbm": {"num_leaves": (4, 8)}}
    search = Search(spaces=spaces, most_candidates={"linear": 2})
    for mapping in (search.spaces, search.spaces["lightgbm"], search.most_candidates):
        with pytest.raises(TypeError, match="does not support item assignment"):
            mapping["x"] = 3  # type: ignore[index]
    copies = (Search(spaces=spaces, most_candidates={"linear": 2}), pickle.loads(pickle.dumps(search)))  # noqa: S301
    assert {search, *copies} == {search}
    assert dataclasses.replace(search, sampler="grid").spaces == search.spaces


def test_scalars_of_numpy_are_plain_values() -> None:
    spaces: Any = {"lightgbm": {"a": (np.int64(4), np.int64(8)), "b": [np.float32(0.5)], "c": np.bool_(True)}}
    changes = Search(spaces=spaces, most_candidates={"lightgbm": np.int64(3)}).spaces["lightgbm"]  # type: ignore[dict-item]
    assert changes == {"a": (4, 8), "b": [0.5], "c": True}
    assert [type(value) for value in (*changes["a"], *changes["b"], changes["c"])] == [int, int, float, bool]  # type: ignore[misc]


def test_it_can_be_told_as_json_and_copied() -> None:
    """The settings of a run are kept as JSON; scikit-learn copies parameters when it clones."""
    search = ta.Search(
        "grid", "none", {"lightgbm": {"a": (1, 2), "b": [1, 2], "c": None}}, {"linear", "catboost"}, {"x": 1}
    )
    assert json.loads(json.dumps(search.describe())) == {
        "sampler": "grid",
        "pruner": "none",
        "spaces": {"lightgbm": {"a": {"low": 1, "high": 2}, "b": [1, 2], "c": None}},
        "without": ["catboost", "linear"],
        "most_candidates": {"x": 1},
        "portfolio": True,
    }
    assert copy.deepcopy(search) == search
    assert Search() == Search()
