import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tabular_automl.core.candidate import freeze_params
from tabular_automl.core.errors import InputError
from tabular_automl.core.options import Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"families": "lightgbm"}, r"families is 'lightgbm'; give a list, such as families=\['lightgbm'\]"),
        ({"families": []}, "families is empty"),
        ({"families": [3]}, "families holds 3"),
        ({"families": 3}, "families is 3"),
        ({"candidates": ("lightgbm", {})}, "Candidate 1 is 'lightgbm'. Give pairs"),
        ({"candidates": {"lightgbm": {}}}, "candidates is .* Give pairs"),
        ({"candidates": [("lightgbm",)]}, "Candidate 1 is"),
        ({"candidates": [("lightgbm", {}), ("lightgbm", {"num_leaves": [7, 9]})]}, "Candidate 2 sets 'num_l"),
        ({"candidates": [("lightgbm", {7: 7})]}, "Candidate 1 names a hyperparameter 7"),
        ({"search": {"sampler": "tpe"}}, r"search is {'sampler': 'tpe'}; give a record, such as ta.Search\("),
        ({"metric": "roc_ouc"}, "There is no metric 'roc_ouc'. Did you mean 'roc_auc'"),
        ({"metric": 3}, "metric is 3; give the name of one, such as 'log_loss'"),
        ({"metric": ["rmse"]}, r"metric is \['rmse'\]; give the name"),
        ({"task": ["binary"]}, "There is no task"),
        ({"schema": ["zip"]}, r"schema is a list. Give kinds of columns by name, such as schema=\{'zip'"),
        ({"schema": "numeric"}, "schema is a str"),
        ({"schema": []}, "schema is a list"),
        ({"schema": {"zip": int}}, "schema sets column 'zip' to <class 'int'>, which is no text. Give"),
        ({"schema": {"zip": ["categorical"]}}, "schema sets column 'zip' to"),
        ({"metric": "rmse", "task": "binary"}, "Metric 'rmse' is not defined for binary tasks"),
        ({"metric": "rmse", "task": "classification"}, "not defined for binary or multiclass tasks"),
        ({"task": "clasification"}, "There is no task 'clasification'. Did you mean 'classification'"),
        ({"time_limit": "5m"}, "time_limit is '5m'; give seconds"),
        ({"time_limit": float("nan")}, "time_limit is nan"),
        ({"time_limit": 0}, "time_limit is 0"),
        ({"max_candidates": 2.5}, "max_candidates is 2.5; give a whole number"),
        ({"max_candidates": True}, "max_candidates is True"),
        ({"max_candidates": 0}, "max_candidates is 0"),
        ({"n_jobs": 0}, "n_jobs is 0"),
        ({"n_jobs": "all"}, "n_jobs is 'all'"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"time_limit": 10**400}, "time_limit is 1000.*; give seconds"),
        ({"time_limit": np.array([1.0, 2.0])}, r"time_limit is array\(\[1\., 2\.\]\); give seconds"),
        ({"human_level": "high"}, "human_level is 'high'"),
        ({"human_level": float("inf")}, "human_level is inf; give a score"),
        ({"strict": "no"}, "strict is 'no'; say True or False"),
        ({"missing_target": np.array(["drop", "error"])}, "missing_target is array"),
        (
            {"candidates": [("linear", {}), ("linear", {"knots": 3})], "max_candidates": 1},
            "There are 2 candidates of your own, and all are fitted, but max_candidates is 1. Raise it",
        ),
        ({"existing": "score"}, r"existing='score' is a text, not predictions.*df\['score'\]"),
        ({"run_dir": 3}, "run_dir is 3"),
        ({"run_dir": ""}, "run_dir is ''"),
        ({"run_dir": "~nosuchuser/run"}, "run_dir is '~nosuchuser/run', which is no path"),
        ({"run_dir": "a\0b"}, "which is no path: embedded null byte"),
        ({"progress": "no"}, "progress is 'no'; give True, False, None, or a function"),
        ({"progress": 1}, "progress is 1; give True"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_arguments_are_refused_at_once_with_the_way_out(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Options("y", **options)


def test_a_task_of_several_classes_may_turn_out_binary() -> None:
    assert Options("y", task="multiclass", metric="roc_auc").metric == "roc_auc"


def test_as_many_candidates_of_ones_own_as_are_allowed_are_taken() -> None:
    own: list[tuple[str, dict[str, Any]]] = [("linear", {}), ("linear", {"knots": 3})]
    assert len(Options("y", candidates=own, max_candidates=2).candidates) == 2


def test_families_of_a_set_come_in_one_order_and_others_in_their_own() -> None:
    assert Options("y", families={"linear", "catboost", "own:B", "own:A"}).families == (  # type: ignore[arg-type]
        "catboost",
        "linear",
        "own:A",
        "own:B",
    )
    assert Options("y", families=["linear", "catboost"]).families == ["linear", "catboost"]


def test_numbers_of_any_kind_are_kept_as_python_s_own() -> None:
    options = Options("y", time_limit=Fraction(15, 2), human_level=Fraction(1, 2), strict=np.bool_(True))  # type: ignore[arg-type]
    kept = (options.time_limit, options.human_level, options.strict)
    assert json.dumps(kept) == "[7.5, 0.5, true]"
    for seed in (-1, 10**30, np.uint64(2**64 - 1)):
        assert type(Options("y", seed=seed).seed) is int  # type: ignore[arg-type]


def test_scalars_of_numpy_are_plain_values() -> None:
    options = Options("y", seed=np.int64(3), n_jobs=np.int32(1), time_limit=np.float64(9))  # type: ignore[arg-type]
    assert Options("y", progress=np.bool_(False)).progress is False  # type: ignore[arg-type]
    assert [type(value) for value in (options.seed, options.n_jobs, options.time_limit)] == [int, int, float]
    params = freeze_params(
        {"num_leaves": np.int64(7), "extra_trees": np.bool_(True), "lambda_l2": np.float32(0.5)}
    )
    assert params == (("extra_trees", True), ("lambda_l2", 0.5), ("num_leaves", 7))
    assert [type(value) for _, value in params] == [bool, float, int]
