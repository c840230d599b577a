from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Candidate, Recipe, freeze_params
from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.ensemble import HonestScore
from tabular_automl.core.forecast import Forecast
from tabular_automl.core.metrics import METRICS
from tabular_automl.core.task import TaskKind
from tabular_automl.ensemble.choose import Chosen
from tabular_automl.ensemble.forecast import (
    Gain,
    extrapolate,
    first_at_half_time,
    forecast,
    gain_of_later,
)
from tabular_automl.ensemble.greedy import weights_of
from tabular_automl.ensemble.pool import Pool
from tabular_automl.testing import FakeClock

Open = Callable[..., AbstractContextManager[Any]]
MakePool = Callable[..., Pool]
FAMILIES = ("lightgbm", "linear", "xgboost")
SHARES = st.floats(-2, 2, allow_nan=False)
COUNTED = Budget(None, 9, 1)


def chosen_of(pool: Pool, families: tuple[str, ...], seconds: float = 1.0) -> Chosen:
    rows = np.arange(pool.n_rows)
    fits = tuple(
        CrossFit(
            Candidate(family, freeze_params({"number": number}), Recipe("ordinal")),
            "plan",
            (),
            rows,
            predictions,
            1,
            seconds * (number + 1),
        )
        for number, (family, predictions) in enumerate(zip(families, pool.predictions, strict=True))
    )
    n = len(fits)
    return Chosen(fits, np.full(n, 1 / n), pool, n, pool.n_rows)


def families_of(n: int) -> tuple[str, ...]:
    return tuple(FAMILIES[min(place, 2)] for place in range(n))


def score_of(pool: Pool) -> HonestScore:
    loss = pool.loss(np.full(len(pool.predictions), 1 / len(pool.predictions)))
    value = pool.metric.score(loss)
    return HonestScore(value, value, value, pool.metric.name, 0.0, pool.n_rows)


def noisy(noise: list[float], n_rows: int = 2_000, seed: int = 0) -> Pool:
    """Candidates that see the target through independent noise of these widths."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n_rows)
    seen = y + rng.normal(size=(len(noise), n_rows)) * np.array(noise)[:, None]
    return Pool.of(seen[..., None], y, None, METRICS["rmse"])


@pytest.mark.parametrize("name", ["rmse", "r2", "mae", "roc_auc", "log_loss", "accuracy", "f1"])
def test_it_is_possible_in_every_metric_and_the_interval_holds_the_expected(
    make_pool: MakePool, name: str
) -> None:
    pool = make_pool(name, n_candidates=8)
    found = forecast(chosen_of(pool, families_of(8)), score_of(pool), COUNTED)
    assert [step.factor for step in found.extrapolations] == [2, 4]
    for step in found.extrapolations:
        assert -1 <= step.low <= step.change <= step.high
        assert step.score_low <= step.score <= step.score_high
        best = step.score_high if pool.metric.greater_is_better else step.score_low
        assert pool.metric.score(best) >= 0


@given(SHARES, st.floats(0, 2), st.floats(1e-3, 10))
def test_no_gain_makes_a_loss_negative_and_more_time_reaches_further(
    value: float, error: float, loss: float
) -> None:
    twice, four = (extrapolate(Gain(value, error), factor, loss, METRICS["rmse"]) for factor in (2, 4))
    assert min(twice.score_low, four.score_low) >= 0
    assert abs(four.change) >= abs(twice.change)
    assert four.high - four.low >= twice.high - twice.low or four.low == -1


def test_the_noisier_a_gain_the_nearer_to_the_usual_and_the_wider() -> None:
    steps = [extrapolate(Gain(0.05, error), 2, 1.0, METRICS["rmse"]) for error in (0.0, 0.01, 0.1)]
    changes = [step.change for step in steps]
    assert changes == sorted(changes)
    assert -0.05 < changes[0] < -0.03
    widths = [step.high - step.low for step in steps]
    assert widths == sorted(widths)


def test_later_candidates_that_helped_promise_more_than_copies() -> None:
    base, costs = np.array([0, 1, 2]), np.ones(6)
    helping = gain_of_later(noisy([1.0] * 6), base, costs, 0)
    firsts = noisy([1.0] * 3)
    copies = gain_of_later(
        replace(firsts, predictions=np.tile(firsts.predictions, (2, 1, 1))), base, costs, 0
    )
    assert helping is not None
    assert copies is not None
    # The mean of six has a noise of 1 / sqrt(6) where that of three has 1 / sqrt(3).
    assert helping.value == pytest.approx(np.sqrt(2) - 1, abs=0.1)
    assert helping.value > 5 * helping.error
    assert copies.value == pytest.approx(0, abs=1e-3)


def test_candidates_that_are_lucky_on_the_rows_promise_nothing() -> None:
    base, seeming, told = np.arange(1), [], []
    for seed in range(8):
        pool = noisy([1.0], 200, seed)
        # What they add to the first candidate has nothing to do with the target.
        later = pool.predictions[0] + 0.3 * np.random.default_rng(100 + seed).normal(size=(20, 200, 1))
        both = replace(pool, predictions=np.concatenate([pool.predictions, later]))
        gain = gain_of_later(both, base, np.ones(21), 0)
        assert gain is not None
        told.append(gain.value)
        seeming.append(1 - both.loss(weights_of(both)) / pool.loss(weights_of(pool)))
    assert np.mean(seeming) > 0.005
    assert np.mean(told) <= 0


def test_a_gain_is_told_per_doubling() -> None:
    pool, base = noisy([1.0] * 6), np.array([0, 1, 2])
    one, two = (gain_of_later(pool, base, costs, 0) for costs in (np.ones(6), np.array([1, 1, 1, 3, 3, 3.0])))
    assert one is not None
    assert two is not None
    assert one.value == pytest.approx(2 * two.value)
    assert one.error == pytest.approx(2 * two.error)


@given(
    st.lists(st.tuples(st.sampled_from(FAMILIES), st.floats(0.1, 100)), min_size=1, max_size=20),
)
def test_the_first_of_each_family_and_half_of_the_time_are_the_base(fits: list[tuple[str, float]]) -> None:
    families, costs = [family for family, _ in fits], np.array([cost for _, cost in fits])
    base = first_at_half_time(families, costs)
    if base is not None:
        assert {families[place] for place in base} == set(families)
        assert len(families) - len(base) >= 2
        # What would come next would go beyond half of the time.
        after = next(place for place in range(len(fits)) if place not in base)
        assert costs[base].sum() + costs[after] > costs.sum() / 2


@pytest.mark.parametrize("families", [("lightgbm", "linear", "xgboost"), ("lightgbm", "linear", "linear")])
def test_it_says_when_there_are_too_few(families: tuple[str, ...]) -> None:
    pool = noisy([1.0] * 3, 100)
    found = forecast(chosen_of(pool, families), score_of(pool), COUNTED)
    assert found.extrapolations == ()
    assert "cannot be told: only 3 candidates of" in str(found)


def test_the_prior_does_not_count() -> None:
    pool = noisy([1.0] * 4, 200)
    assert forecast(chosen_of(pool, ("lightgbm",) * 4), score_of(pool), COUNTED).n_candidates == 4
    with_prior = forecast(chosen_of(pool, ("prior", *("lightgbm",) * 3)), score_of(pool), COUNTED)
    assert with_prior.n_candidates == 3


def test_it_says_when_blocks_are_too_few() -> None:
    pool = replace(noisy([1.0] * 6, 100), blocks=np.arange(100) % 3)
    found = forecast(chosen_of(pool, families_of(6)), score_of(pool), COUNTED)
    assert "too few independent rows or blocks" in str(found)


def test_it_says_when_nothing_is_left_to_gain() -> None:
    pool = noisy([0.0] * 6, 100)
    perfect = HonestScore(0.0, 0.0, 0.0, "rmse", 0.0, 100)
    found = forecast(chosen_of(pool, families_of(6)), perfect, COUNTED)
    assert "nothing is left to gain" in str(found)


def test_counted_runs_look_at_no_clock_and_timed_ones_at_seconds() -> None:
    pool = noisy([1.0, 0.8, 0.9, 0.7, 1.0, 0.6, 0.8, 0.9], 300)
    quick, slow = (chosen_of(pool, families_of(8), seconds) for seconds in (0.0, 9.0))
    score = score_of(pool)
    assert forecast(quick, score, COUNTED) == forecast(slow, score, COUNTED)
    assert forecast(quick, score, COUNTED).unit == "candidates"
    clock = FakeClock()
    limited = Budget(60.0, None, 2, clock=clock)
    timed = forecast(slow, score, limited)
    assert timed.unit == "time"
    assert timed.extrapolations != forecast(slow, score, COUNTED).extrapolations
    clock.advance(60.0)
    assert "no time was left" in str(forecast(slow, score, limited))


def test_a_short_limit_looks_at_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = Pool.take

    def take(self: Pool, rows: Any) -> Pool:
        seen.append(len(rows))
        return original(self, rows)

    monkeypatch.setattr(Pool, "take", take)
    pool = noisy([1.0] * 12, 20_000)
    chosen, score = chosen_of(pool, families_of(12)), score_of(pool)
    for limit in (5.0, 100.0):
        forecast(chosen, score, Budget(limit, None, 2, clock=FakeClock()))
    assert max(seen[: len(seen) // 2]) < max(seen)


def test_a_fit_ends_with_a_forecast(opened: Open) -> None:
    with opened(TaskKind.REGRESSION) as setting:
        weighed = setting.weigh(setting.fit("linear"), setting.fit("lightgbm"))
    assert isinstance(weighed.forecast, Forecast)
    assert weighed.forecast.reason == "only 2 candidates of 2 families were fitted"


def test_who_is_in_a_hurry_gets_none() -> None:
    pool = noisy([1.0] * 6, 100)
    found = forecast(chosen_of(pool, families_of(6)), score_of(pool), COUNTED, hurry=lambda: True)
    assert "no time was left" in str(found)
