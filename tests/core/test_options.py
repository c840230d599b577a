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
        ({"human_level": "high"}, "human_level is 'high'"),
        ({"existing": "score"}, r"existing='score' is a text, not predictions.*df\['score'\]"),
        ({"run_dir": 3}, "run_dir is 3"),
        ({"run_dir": ""}, "run_dir is ''"),
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


def test_scalars_of_numpy_are_plain_values() -> None:
    options = Options("y", seed=np.int64(3), n_jobs=np.int32(1), time_limit=np.float64(9))  # type: ignore[arg-type]
    assert Options("y", progress=np.bool_(False)).progress is False  # type: ignore[arg-type]
    assert [type(value) for value in (options.seed, options.n_jobs, options.time_limit)] == [int, int, float]
    params = freeze_params(
        {"num_leaves": np.int64(7), "extra_trees": np.bool_(True), "lambda_l2": np.float32(0.5)}
    )
    assert params == (("extra_trees", True), ("lambda_l2", 0.5), ("num_leaves", 7))
    assert [type(value) for _, value in params] == [bool, float, int]
