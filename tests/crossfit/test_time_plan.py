import os

import pytest
from odd_learners import candidate  # type: ignore[import-not-found]

from tabular_automl.core.budget import Budget
from tabular_automl.core.crossfit import FoldFit
from tabular_automl.crossfit import Request
from tabular_automl.crossfit.bag import Bag, FoldSetup
from tabular_automl.crossfit.observations import Observations
from tabular_automl.crossfit.time_plan import OVERRUN_SECONDS, TimePlan
from tabular_automl.learners import Limits
from tabular_automl.testing import FakeClock


def bag_of(n_folds=4, fitted=(), seconds=None):
    fits = {fold: FoldFit("k", fold, None, None, took, 1.0) for fold, took in enumerate(fitted)}  # type: ignore[arg-type]
    setups = tuple(FoldSetup("k", 0) for _ in range(n_folds))
    return Bag(0, Request(candidate(), n_folds, seconds), Limits(1, None), setups, fits)


def plan_with(left, *, count=None):
    return TimePlan(Budget(left, count, 2, clock=FakeClock()), n_slots=2)


def test_a_fit_leaves_time_for_held_out_predictions():
    plan, bag = plan_with(100.0), bag_of(fitted=(10.0, 10.0))
    plan.measured(bag.request.candidate.family, fit_seconds=10.0, prediction_seconds=5.0)
    allowance = plan.fit_allowance(bag, [bag])
    assert allowance is not None
    assert allowance.seconds is not None
    # What it leaves suffices for the predictions of two finished fits, on two workers, and its own.
    assert 100.0 - allowance.seconds >= 0.5 * (20.0 / 2 + allowance.seconds)
    assert allowance.by_budget
    assert allowance.hard == pytest.approx(allowance.seconds + plan.overrun)


def test_the_requests_own_limit_counts_if_it_is_nearer():
    bag = bag_of(seconds=4.0)
    allowance = plan_with(1000.0).fit_allowance(bag, [bag])
    assert allowance is not None
    assert (allowance.seconds, allowance.hard, allowance.by_budget) == (4.0, 8.0, False)


def test_a_fold_that_would_not_finish_is_not_started():
    bag = bag_of(fitted=(10.0,))
    assert plan_with(5.0).fit_allowance(bag, [bag]) is None
    assert plan_with(0.0).fit_allowance(bag_of(), []) is None
    assert plan_with(5.0).fit_allowance(bag_of(), []) is not None


def test_counted_runs_are_only_aborted():
    bag = bag_of(fitted=(10.0,), seconds=3.0)
    allowance = plan_with(5.0, count=3).fit_allowance(bag, [bag])
    assert allowance is not None
    assert allowance.seconds is None
    assert allowance.hard == 5.0 + OVERRUN_SECONDS
    assert plan_with(None, count=3).fit_allowance(bag, [bag]).hard is None


def test_after_ctrl_c_predictions_have_a_few_seconds_and_fits_none():
    plan = plan_with(None)
    assert plan.prediction_allowance().hard is None
    plan.budget.cancel()
    assert plan.prediction_allowance().hard == 5.0
    assert plan.fit_allowance(bag_of(), []) is None
    assert not plan.may_propose([])


def test_all_predictions_after_ctrl_c_have_those_seconds_together():
    clock = FakeClock()
    plan = TimePlan(Budget(None, None, 2, clock=clock), n_slots=2)
    assert not plan.last_predictions_over
    plan.budget.cancel()
    assert plan.stopped
    clock.advance(3.0)
    allowance = plan.prediction_allowance()
    assert allowance is not None
    assert allowance.hard == 2.0
    assert not plan.last_predictions_over
    clock.advance(1.5)
    assert plan.last_predictions_over, "so that they are killed at 5 s at the latest"
    clock.advance(1.0)
    assert plan.prediction_allowance() is None


def test_long_after_the_deadline_nothing_is_predicted():
    assert plan_with(-OVERRUN_SECONDS).prediction_allowance() is None


def plan_that_kept(n_bytes, tmp_path, limit=10.0):
    (tmp_path / "model.txt").write_bytes(b"")
    os.truncate(tmp_path / "model.txt", n_bytes)
    observations = Observations()
    observations.kept(tmp_path)
    observations.kept(tmp_path)  # found in the store again: still one model to load
    return TimePlan(Budget(limit, None, 2, reserve=0.8, clock=FakeClock()), 2, observations)


def test_time_for_loading_grows_with_the_models_up_to_a_tenth_of_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("tabular_automl.crossfit.observations.loading_threads", lambda: 2)
    assert plan_that_kept(10**6, tmp_path).left == pytest.approx(9.2)
    # 200 MB take 0.8 s on two threads; half of the budget's reserve serves for that already.
    assert plan_that_kept(200 * 10**6, tmp_path).left == pytest.approx(8.8)
    assert plan_that_kept(10**9, tmp_path).left == pytest.approx(8.2)
    assert plan_that_kept(10**9, tmp_path, limit=None).left == float("inf")


def test_what_comes_before_a_fit_takes_of_its_time():
    plan, bag = plan_with(5.0), bag_of()
    assert plan.fit_allowance(bag, [bag], first=3.0) is not None
    assert plan.fit_allowance(bag, [bag], first=5.0) is None
    assert plan.prediction_allowance(first=5.0) is not None
    assert plan.prediction_allowance(first=5.0 + OVERRUN_SECONDS) is None
