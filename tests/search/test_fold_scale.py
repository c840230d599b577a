"""Losses of different folds, and of prefixes of different lengths, on one scale."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular_automl.search.fold_scale import FoldScale

LOSS = st.floats(0.01, 100.0)


@given(st.lists(LOSS, min_size=3, max_size=8), st.floats(0.1, 10.0), st.integers(1, 8))
def test_who_is_as_much_better_on_every_fold_has_that_value_on_any_of_them(reference, better, n_folds):
    scale = FoldScale(dict(enumerate(reference)))
    losses = {fold: better * loss for fold, loss in list(enumerate(reference))[:n_folds]}
    assert scale.values(losses) == pytest.approx(dict.fromkeys(losses, better))


@pytest.mark.parametrize("reference", [{0: 0.0, 1: 2.0}, {0: 0.0, 1: 0.0}])
def test_where_the_reference_has_no_loss_differences_count(reference):
    scale = FoldScale(reference)
    assert scale.values(reference) == {0: 1.0, 1: 1.0}
    worse = scale.values({0: 0.5, 1: reference[1] + 0.5})
    assert worse == {0: 1.5, 1: 1.5}, "in units of the reference's mean loss, or of 1 if that is none, too"


@pytest.mark.parametrize("reference", [{0: 1.0, 1: 2.0, 2: 3.0}, {0: 0.0, 1: 2.0, 2: 4.0}])
def test_folds_that_the_reference_lacks_leave_a_candidate_where_it_is(reference):
    short = FoldScale({0: reference[0], 1: reference[1]})
    losses = {0: 0.5, 1: 3.0, 2: 7.0}
    before = short.values(losses)
    short.extend(losses)
    after = short.values(losses)
    assert {fold: after[fold] for fold in before} == before
    assert after[2] == pytest.approx(sum(before.values()) / 2)
    assert short.n_folds == 3


def test_a_candidate_without_a_common_fold_says_nothing():
    scale = FoldScale({0: 1.0})
    scale.extend({1: 2.0})
    assert scale.n_folds == 1
    assert scale.values({1: 2.0}) == {}


def test_no_loss_is_no_reference_to_divide_by():
    scale = FoldScale({0: 1.0})
    scale.extend({0: 1.0, 1: 0.0})
    assert scale.values({0: 1.0, 1: 5.0}) == {0: 1.0}
