"""A number of folds becomes a splitter that shuffles and keeps groups together; all else stays."""

import numpy as np
import pytest
from sklearn.model_selection import KFold

from tabular_automl.core.errors import InputError
from tabular_automl.estimators.fold_splitter import fold_splitter


@pytest.mark.parametrize("is_classification", [True, False])
@pytest.mark.parametrize("is_grouped", [True, False])
@pytest.mark.parametrize("cv", [2, np.int64(4)])
def test_folds_are_as_many_as_asked_shuffled_and_whole_in_groups(cv, is_grouped, is_classification):
    splitter = fold_splitter(
        cv,
        is_classification=is_classification,
        is_grouped=is_grouped,
        is_in_time=False,
        random_state=0,
    )
    rows, y, groups = np.zeros((120, 1)), np.repeat([0, 1], 60), np.arange(120) // 3
    held_out = [rows for _, rows in splitter.split(rows, y, *([groups] if is_grouped else []))]
    assert len(held_out) == cv
    assert sorted(np.concatenate(held_out).tolist()) == list(range(120))
    assert all(np.ptp(rows) > 60 for rows in held_out)
    if is_grouped:
        in_fold = [set(groups[rows]) for rows in held_out]
        assert sum(map(len, in_fold)) == len(set(groups))
    if is_classification:
        assert all(abs(y[rows].mean() - 0.5) < 0.1 for rows in held_out)


@pytest.mark.parametrize("cv", [None, KFold(3), [([0], [1])]])
def test_what_is_no_number_stays_what_it_is(cv):
    same = fold_splitter(cv, is_classification=True, is_grouped=False, is_in_time=True, random_state=0)
    assert same is cv


@pytest.mark.parametrize(
    ("cv", "is_in_time", "words"),
    [(1, False, "cv is 1; give at least 2 folds"), (5, True, "cv=5 shuffles rows.*TimeSeriesSplit")],
)
def test_numbers_that_mean_nothing_are_refused(cv, is_in_time, words):
    with pytest.raises(InputError, match=words):
        fold_splitter(cv, is_classification=False, is_grouped=False, is_in_time=is_in_time, random_state=0)
