"""Identity and arithmetic of the frozen records."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Candidate, Origin, Recipe, freeze_params
from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit, lasting_failures, shared_rows, tried
from tabular_automl.core.digest import digest_array, digest_json
from tabular_automl.core.errors import FoldPlanMismatchError, InputError
from tabular_automl.core.options import Options
from tabular_automl.core.schema import Deviation, Kind, SchemaReport
from tabular_automl.core.seeds import derive_seed
from tabular_automl.core.table import Column, Table
from tabular_automl.core.task import Label, TargetType, Task, TaskKind, dtype_text

CANDIDATE = Candidate("lightgbm", freeze_params({"b": 1, "a": 2.5}), Recipe("ordinal"))


def cross_fit(rows: list[int], plan: str = "plan") -> CrossFit:
    return CrossFit(CANDIDATE, plan, (), np.array(rows), np.array(rows, dtype=float).reshape(-1, 1), 1, 0.0)


def table(values: list[float]) -> Table:
    return Table((Column("c0", Kind.NUMERIC, np.array(values)),), len(values))


def test_every_nan_and_both_zeros_hash_alike() -> None:
    other_nan = np.frombuffer(np.uint64(0x7FF8000000000001).tobytes(), dtype=np.float64)
    assert digest_array(np.array([np.nan, 0.0])) == digest_array(np.array([other_nan[0], -0.0]))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=6))
def test_a_changed_cell_changes_the_table_digest(values: list[float]) -> None:
    changed = [*values[:-1], values[-1] + 1.0]
    assert (table(values).digest == table(changed).digest) == (values[-1] + 1.0 == values[-1])


def test_dtype_and_shape_are_part_of_an_array_digest() -> None:
    zeros = np.zeros(4)
    assert (
        len({digest_array(zeros), digest_array(zeros.reshape(2, 2)), digest_array(zeros.astype(np.float32))})
        == 3
    )


def test_key_order_is_not_part_of_a_json_digest() -> None:
    assert digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1}) != digest_json({"a": 1, "b": 3})


def test_origin_and_label_are_not_part_of_a_candidates_identity() -> None:
    same = Candidate("lightgbm", CANDIDATE.params, CANDIDATE.recipe, Origin.TUNED, label="other")
    assert same.key == CANDIDATE.key
    other_recipe = Candidate("lightgbm", CANDIDATE.params, Recipe("linear"))
    assert other_recipe.key != CANDIDATE.key


@given(st.integers(0, 10**6), st.text(max_size=5), st.text(max_size=5))
def test_seeds_are_31_bit_and_depend_on_every_part(seed: int, left: str, right: str) -> None:
    derived = derive_seed(seed, "purpose", left, right)
    assert 0 <= derived < 2**31
    assert derived != derive_seed(seed, "purpose", left, right, 0)


def test_shared_rows_are_those_that_all_cover() -> None:
    a, b, c = cross_fit([0, 2, 4, 6]), cross_fit([2, 3, 6]), cross_fit([1, 6, 7])
    assert shared_rows((a, b)).tolist() == shared_rows((a, b, a)).tolist() == [2, 6]
    assert shared_rows((a, b, c)).tolist() == [6]
    assert shared_rows((a,)).tolist() == a.rows.tolist()


def test_what_was_skipped_is_forgotten_once_a_later_stage_tried_it() -> None:
    a, b, c = (replace(CANDIDATE, label=label) for label in "abc")
    skipped = [Failure(one, None, "no time", 0.0, skipped=True) for one in (a, b, c)]
    faster = replace(a, params=(), hastened=True)
    fit, failure = replace(cross_fit([0, 1]), candidate=faster), Failure(b, 1, "no memory", 2.0)
    results: list[CrossFit | Failure] = [*skipped, fit, failure]
    assert tried(results) == (fit, failure)
    assert lasting_failures(results) == (skipped[2], failure)


@pytest.mark.parametrize(("n_folds", "n_repeats"), [(3, 2), (2, 0), (1, 2)])
def test_a_cross_fit_of_several_repeats_has_whole_ones(n_folds: int, n_repeats: int) -> None:
    folds = tuple(FoldFit("key", fold, Path(), np.ones(1), 1.0, 1.0) for fold in range(n_folds))
    with pytest.raises(ValueError, match=f"{n_folds} folds of lightgbm.* are not {n_repeats} whole repeats"):
        replace(cross_fit([0, 1]), folds=folds, n_repeats=n_repeats)
    whole = replace(cross_fit([0, 1]), folds=(*folds, *folds), n_repeats=2)
    assert whole.folds_per_repeat == n_folds


def test_results_of_two_fold_plans_do_not_mix() -> None:
    with pytest.raises(FoldPlanMismatchError, match="2 fold plans"):
        shared_rows((cross_fit([0, 1]), cross_fit([0, 1], plan="another")))


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["a", "b"], "str"),
        (["a", "b"], "object"),
        ([False, True], "bool"),
        ([False, True], "boolean"),
        ([-1, 1], "int8"),
        ([1, 2], "Int64"),
        ([0.5, 1.5], "float32"),
        (["a", "b"], "string[pyarrow]"),
    ],
)
def test_labels_come_back_in_the_exact_dtype(values: list[Label], dtype: str) -> None:
    original = pd.Series(values, dtype=dtype)
    task = Task("y", TaskKind.BINARY, TargetType(dtype_text(original.dtype)), "roc_auc", tuple(values))
    pd.testing.assert_series_equal(task.labels(np.array([0, 1]), original.index), original)


def test_category_labels_keep_unused_levels_and_order() -> None:
    original = pd.Series(pd.Categorical(["lo", "hi"], categories=["lo", "mid", "hi"], ordered=True))
    kind = TargetType("category", ("lo", "mid", "hi"), str(original.cat.categories.dtype), ordered=True)
    task = Task("y", TaskKind.BINARY, kind, "roc_auc", ("lo", "hi"))
    pd.testing.assert_series_equal(task.labels(np.array([0, 1]), original.index), original)


def test_schema_reports_add_up() -> None:
    left = SchemaReport(10, (Deviation("city", "unseen_category", 2, ("Rome",)),))
    right = SchemaReport(
        5, (Deviation("city", "unseen_category", 1, ("Oslo",)), Deviation("age", "infinite", 1))
    )
    assert left + right == SchemaReport(
        15, (Deviation("city", "unseen_category", 3, ("Rome",)), Deviation("age", "infinite", 1))
    )


def test_fits_end_before_the_deadline_by_the_reserve() -> None:
    now = [100.0]
    budget = Budget.start(Options("y", time_limit=60, n_jobs=2), clock=lambda: now[0])
    assert 0 < budget.reserve < 6
    assert budget.remaining == pytest.approx(60 - budget.reserve)
    now[0] += 60.001 - budget.reserve
    assert budget.over


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({}, 300.0),
        ({"max_candidates": 4}, None),
        ({"max_candidates": 4, "time_limit": 60}, 60),
        ({"time_limit": None}, None),
    ],
)
def test_without_a_limit_a_fit_takes_five_minutes_or_counts(
    options: dict[str, int], seconds: float | None
) -> None:
    assert Options("y", **options).seconds == seconds  # type: ignore[arg-type]


def test_a_cancelled_budget_is_over() -> None:
    budget = Budget.start(Options("y", time_limit=None))
    assert not budget.over
    budget.cancel()
    assert budget.over
    assert budget.remaining == float("inf")


def test_negative_n_jobs_count_back_from_the_cores() -> None:
    cores = Budget.start(Options("y", n_jobs=-1)).n_jobs
    assert Budget.start(Options("y", n_jobs=-cores)).n_jobs == 1
    assert Budget.start(Options("y", n_jobs=-cores - 5)).n_jobs == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_limit": 0}, "time_limit is 0"),
        ({"max_candidates": 0}, "max_candidates is 0"),
        ({"n_jobs": 0}, "n_jobs is 0"),
    ],
)
def test_impossible_bounds_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Options("y", **options)  # type: ignore[arg-type]
