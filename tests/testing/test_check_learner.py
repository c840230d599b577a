"""The shipped checks catch learners that break the contract."""

from dataclasses import replace

import pytest

from tabular_automl.core.fitting import FitOutcome
from tabular_automl.testing import FakeLearner, check_learner, learner_checks


def test_a_good_learner_passes():
    check_learner(FakeLearner())


def test_check_names_are_unique():
    names = [check.__name__ for check in learner_checks()]
    assert len(set(names)) == len(names)


class ForgetsToSayItStopped(FakeLearner):
    def fit(self, train, held_out, params, context):
        return replace(super().fit(train, held_out, params, context), complete=True)


class CurveTooShort(FakeLearner):
    def fit(self, train, held_out, params, context):
        outcome = super().fit(train, held_out, params, context)
        return FitOutcome(outcome.model, outcome.curve[:1], outcome.complete)


class IgnoresWeights(FakeLearner):
    def fit(self, train, held_out, params, context):
        return super().fit(replace(train, weight=None), held_out, params, context)


class ChangesItsInput(FakeLearner):
    def fit(self, train, held_out, params, context):
        train.X[0, 0] = 0.0
        return super().fit(train, held_out, params, context)


class DefaultsOutsideItsSpace(FakeLearner):
    def defaults(self, shape):
        return tuple(sorted({**dict(super().defaults(shape)), "n_rounds": 1_000}.items()))


class ConstantCost(FakeLearner):
    def cost(self, shape, params, rounds):
        return 1.0


@pytest.mark.parametrize(
    ("learner", "error", "message"),
    [
        (ForgetsToSayItStopped, AssertionError, "complete=False"),
        (CurveTooShort, AssertionError, "losses for"),
        (IgnoresWeights, AssertionError, "weights did not move"),
        (ChangesItsInput, ValueError, "read-only"),
        (DefaultsOutsideItsSpace, AssertionError, "outside the space"),
        (ConstantCost, AssertionError, "must grow with rows"),
    ],
)
def test_a_broken_contract_is_named(learner, error, message):
    with pytest.raises(error, match=message):
        check_learner(learner())
