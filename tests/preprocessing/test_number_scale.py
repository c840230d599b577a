"""One numeric column for linear learners."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tabular_automl.preprocessing.number_scale import FARTHEST, NumberScale, fit_number_scale


@given(arrays(np.float64, st.integers(1, 50), elements=st.floats(allow_infinity=False)), st.integers(0, 5))
@settings(deadline=None, max_examples=200)
def test_any_numbers_become_finite_and_bounded(raw, n_knots):
    scale = fit_number_scale(raw, n_knots)
    found = scale.values(raw)
    assert found.shape == (len(scale.names("c0")), len(raw))
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 2 * FARTHEST
    assert NumberScale.from_facts(scale.facts()) == scale


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_strong_skew_is_taken_away(power):
    raw = np.exp(power * np.random.default_rng(0).normal(size=2_000))
    z = fit_number_scale(raw).values(raw)[0]
    assert abs(np.mean(((z - z.mean()) / z.std()) ** 3)) < 1.0


def test_even_numbers_are_only_standardised():
    raw = np.linspace(-3, 9, 101)
    z = fit_number_scale(raw).values(raw)[0]
    np.testing.assert_allclose(z, (raw - 3) / raw.std(), atol=1e-12)


def test_knots_spread_over_values_beside_a_dominating_one():
    raw = np.r_[np.zeros(900), np.linspace(1, 2, 100)]
    scale = fit_number_scale(raw, n_knots=4)
    assert len(scale.knots) == 4


def test_order_is_kept():
    raw = np.random.default_rng(1).lognormal(3, 2, 500)
    z = fit_number_scale(raw).values(np.sort(raw))[0]
    assert (np.diff(z) >= 0).all()


def test_new_rows_stay_within_what_training_showed():
    scale = fit_number_scale(np.linspace(0, 1, 11))
    np.testing.assert_array_equal(scale.values(np.array([-5.0, 9.0])), scale.values(np.array([0.0, 1.0])))


@pytest.mark.parametrize("high", [1.0, 1e-12, 1e80])
def test_two_values_are_never_stretched(high, monkeypatch):
    """No curve changes their skew, so that none is tried."""
    monkeypatch.setattr(np, "arcsinh", None)
    scale = fit_number_scale(np.array([0.0] * 99 + [high]))
    assert scale.stretch == 0.0
    assert scale.names("c0") == ("c0",)
