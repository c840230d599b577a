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
    SPREAD,
    TYPICAL_GAIN,
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
    return Chosen(fits, np.full(n, 1 / n), pool, fits, pool.n_rows)


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
    base = np.array([0, 1, 2])
    helping = gain_of_later(noisy([1.0] * 6), base, 1.0, 0)
    firsts = noisy([1.0] * 3)
    copies = gain_of_later(replace(firsts, predictions=np.tile(firsts.predictions, (2, 1, 1))), base, 1.0, 0)
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
        gain = gain_of_later(both, base, np.log2(21), 0)
        assert gain is not None
        told.append(gain.value)
        seeming.append(1 - both.loss(weights_of(both)) / pool.loss(weights_of(pool)))
    assert np.mean(seeming) > 0.005
    assert np.mean(told) <= 0


def test_a_gain_is_told_per_doubling() -> None:
    pool, base = noisy([1.0] * 6), np.array([0, 1, 2])
    one, two = (gain_of_later(pool, base, doublings, 0) for doublings in (1.0, 2.0))
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


def with_pruned(chosen: Chosen, n_pruned: int, *, first: bool = False, unjudged: bool = False) -> Chosen:
    """Add candidates of the last family that the search left on their first fold, after or before others."""
    last = chosen.fits[-1]
    left = tuple(
        replace(
            last,
            candidate=replace(last.candidate, params=freeze_params({"number": 100 + number})),
            rows=last.rows[:9],
            predictions=last.predictions[:9],
            pruned="it cannot improve the ensemble",
            unjudged=unjudged,
        )
        for number in range(n_pruned)
    )
    return replace(chosen, tried=(*left, *chosen.tried) if first else (*chosen.tried, *left))


def test_pruned_candidates_are_tries_that_brought_nothing() -> None:
    pool = noisy([1.0] * 3, 1_000)
    chosen, score = chosen_of(pool, FAMILIES), score_of(pool)
    assert "only 3 of 4 candidates, of 3 families, were fitted on enough folds" in str(
        forecast(with_pruned(chosen, 1), score, COUNTED)
    )
    found = forecast(with_pruned(chosen, 3), score, COUNTED)
    assert found.n_candidates == 6
    nothing = extrapolate(Gain(0.0, 0.0), 2, 1.0, pool.metric)
    assert found.extrapolations[0].change == pytest.approx(nothing.change)
    assert -0.002 < nothing.change <= 0


def test_pruned_candidates_take_their_share_of_what_the_others_brought() -> None:
    pool = noisy([1.0] * 6, 1_000)
    chosen, score = chosen_of(pool, families_of(6)), score_of(pool)
    alone, more = (forecast(with_pruned(chosen, n), score, COUNTED) for n in (0, 4))
    assert more.extrapolations[0].change > alone.extrapolations[0].change


def test_who_was_not_judged_for_want_of_time_is_no_try() -> None:
    chosen, score = chosen_of(pool := noisy([1.0] * 6, 1_000), families_of(6)), score_of(pool)
    alone, more = (forecast(with_pruned(chosen, n, unjudged=True), score, COUNTED) for n in (0, 4))
    assert more == alone


def test_the_ensemble_begins_with_the_first_of_a_family_that_was_not_pruned() -> None:
    chosen = chosen_of(pool := noisy([1.0, 1.0], 1_000), FAMILIES[:1] * 2)
    found = forecast(with_pruned(chosen, 4, first=True), score_of(pool), COUNTED)
    # Three of the six are the base, the first that was weighed among them: a doubling, and one more member.
    seen = gain_of_later(pool, np.arange(1), 1.0, 0)
    assert seen is not None
    assert found.extrapolations[0].change == extrapolate(seen, 2, found.score, pool.metric).change


@pytest.mark.parametrize("families", [(), ("prior",)])
def test_pruned_candidates_alone_tell_nothing(families: tuple[str, ...]) -> None:
    pool = noisy([1.0] * (len(families) + 1), 100)
    chosen = with_pruned(chosen_of(pool, (*families, "linear")), 6)
    without = replace(chosen, fits=chosen.fits[:-1], pool=replace(pool, predictions=pool.predictions[:-1]))
    found = forecast(
        replace(without, tried=(*chosen.tried[:-7], *chosen.tried[-6:])), score_of(pool), COUNTED
    )
    assert found.reason == "no candidate besides the prior could be weighed"


def test_what_a_small_part_of_a_doubling_tells_is_next_to_nothing() -> None:
    pool = noisy([1.0] * 3, 1_000)
    part = gain_of_later(pool, np.arange(3), 0.01, 0)
    assert part is not None
    assert (part.value, part.error) == (0.0, 0.0)
    told = extrapolate(part, 2, 1.0, pool.metric)
    assert told.change == pytest.approx(-TYPICAL_GAIN, rel=0.01)
    usual = 1.28 * SPREAD
    assert (told.low, told.high) == pytest.approx((-TYPICAL_GAIN - usual, -TYPICAL_GAIN + usual), rel=0.05)


def test_what_ran_on_too_few_folds_is_not_said_to_be_missing() -> None:
    chosen = with_pruned(chosen_of(noisy([1.0] * 3, 100), FAMILIES), 2)
    unjudged = replace(chosen, tried=tuple(replace(fit, pruned="") for fit in chosen.tried))
    told = str(forecast(unjudged, score_of(chosen.pool), COUNTED))
    assert "only 3 of 5 candidates, of 3 families, were fitted on enough folds" in told


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
