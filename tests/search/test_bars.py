"""Bars: whom they leave, whom they never leave."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import SECOND, SHAPE, priced  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Candidate, Recipe, freeze_params
from tabular_automl.core.crossfit import CrossFit, FoldFit
from tabular_automl.core.fitting import FloatArray
from tabular_automl.learners.patience import fell_behind
from tabular_automl.search.bars import FEWEST_FINISHED, bar_for


def result(
    curve: FloatArray, candidate: Candidate, *, complete: bool = True, given_up: bool = False
) -> CrossFit:
    fold = FoldFit("k", 0, Path(), curve, 1.0, 1.0, complete, given_up)
    pruned = "fell behind" if given_up else ""
    return CrossFit(candidate, "plan", (fold,), np.arange(1), np.zeros((1, 1)), 1, 1.0, pruned=pruned)


def descent(to: float, n_rounds: int = 200) -> FloatArray:
    """A loss that falls from 1 to about ``to``."""
    return to + (1 - to) * np.exp(-np.arange(n_rounds) / (n_rounds / 8))


def finished(levels: tuple[float, ...] = (0.2, 0.25, 0.3, 0.5)) -> list[CrossFit]:
    return [result(descent(to), priced(f"known {n}")) for n, to in enumerate(levels)]


def given_up_after(curve: FloatArray, bar: FloatArray | None) -> int | None:
    best = np.minimum.accumulate(curve)
    return next((n for n, loss in enumerate(best, start=1) if fell_behind(float(loss), n, bar)), None)


def test_too_little_is_known_below_so_many_finished_candidates_of_the_family() -> None:
    known, new = finished(), priced("new")
    assert len(known) == FEWEST_FINISHED
    assert bar_for(new, known, SHAPE) is not None
    strangers = [result(descent(0.3), priced(f"other {n}", family=SECOND)) for n in range(9)]
    cut = [result(descent(0.3), priced(f"cut {n}"), complete=False) for n in range(9)]
    left = [result(descent(0.9, 60), priced(f"left {n}"), given_up=True) for n in range(9)]
    capped = [replace(result(descent(0.3, 60), priced(f"capped {n}")), max_rounds=60) for n in range(9)]
    assert bar_for(new, [*known[1:], known[1], *strangers, *cut, *left, *capped], SHAPE) is None


def test_the_hopeless_is_left_early_but_not_at_the_start_and_the_promising_never() -> None:
    bar = bar_for(priced("new"), finished(), SHAPE)
    assert bar is not None
    rounds = given_up_after(descent(0.9), bar)
    assert rounds is not None
    assert 20 < rounds < 100
    assert np.isinf(bar[:20]).all()
    for to in (0.1, 0.2, 0.25):
        assert given_up_after(descent(to), bar) is None
    # Late, but on its way.
    late = np.concatenate([np.ones(15), descent(0.2, 185)])
    assert given_up_after(late, bar) is None


CURVES = st.lists(st.integers(0, 2**32 - 1), min_size=FEWEST_FINISHED, max_size=12, unique=True)


@given(CURVES)
def test_nobody_of_the_better_half_would_have_been_left(seeds: list[int]) -> None:
    rngs = [np.random.default_rng(seed) for seed in seeds]
    curves = [np.cumsum(rng.normal(-0.1, 0.5, rng.integers(5, 60))) for rng in rngs]
    known = [result(curve, priced(f"known {n}")) for n, curve in enumerate(curves)]
    bar = bar_for(priced("new"), known, SHAPE)
    assert bar is not None
    assert len(bar) == max(map(len, curves))
    in_order = sorted(curve.min() for curve in curves)
    for curve in curves:
        if curve.min() <= in_order[(len(curves) - 1) // 2]:
            assert given_up_after(curve, bar) is None
    backwards = bar_for(priced("new"), known[::-1], SHAPE)
    np.testing.assert_array_equal(bar, backwards)


def boosted(rate: float, mark: int = 0) -> Candidate:
    params = {"learning_rate": rate, "num_leaves": 31, "extra_trees": False, "mark": mark}
    return Candidate("lightgbm", freeze_params(params), Recipe("ordinal"))


@pytest.mark.parametrize("factor", [2, 4])
def test_slow_learners_are_compared_at_equal_progress(factor: int) -> None:
    known = [result(descent(to), boosted(0.08, n)) for n, to in enumerate((0.2, 0.25, 0.3, 0.5))]
    usual, slow = (bar_for(boosted(rate, 99), known, SHAPE) for rate in (0.08, 0.08 / factor))
    assert usual is not None
    assert slow is not None
    assert len(slow) == factor * len(usual)
    np.testing.assert_allclose(slow[factor - 1 :: factor], usual)
    assert given_up_after(descent(0.25, factor * 200), slow) is None
    assert given_up_after(descent(0.25, factor * 200), usual) is not None


def test_those_that_were_left_do_not_make_the_bar_stricter() -> None:
    known = finished()
    left = [result(descent(0.9, 80), priced(f"left {n}"), given_up=True) for n in range(3)]
    before, after = bar_for(priced("new"), known, SHAPE), bar_for(priced("new"), [*known, *left], SHAPE)
    assert before is not None
    assert after is not None
    assert (after >= before).all()
    # The better half of seven candidates are four of them, also the one of 0.5.
    assert given_up_after(descent(0.5), before) is not None
    assert given_up_after(descent(0.5), after) is None


def test_only_the_first_fold_counts_and_a_candidate_once() -> None:
    known = finished()
    first = known[0].folds[0]
    longer = replace(known[0], folds=(first, replace(first, fold=1, curve=first.curve / 9)))
    bars = [bar_for(priced("new"), results, SHAPE) for results in (known, [*known, longer])]
    np.testing.assert_array_equal(bars[0], bars[1])


def test_a_bar_is_no_longer_than_a_fit_may_be() -> None:
    known = [result(descent(to, 9_000), priced(f"known {n}")) for n, to in enumerate((0.2, 0.25, 0.3, 0.5))]
    slow = [result(one.folds[0].curve, boosted(0.1, n)) for n, one in enumerate(known)]
    bar = bar_for(boosted(0.01), slow, SHAPE)
    assert bar is not None
    assert len(bar) == 10_000
