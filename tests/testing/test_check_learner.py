"""The shipped checks catch learners that break the contract."""

from dataclasses import replace

import numpy as np
import pytest

from tabular_automl.core.candidate import Recipe, freeze_params
from tabular_automl.core.fitting import FitOutcome, Rows
from tabular_automl.learners.prior import Prior
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


class IgnoresHeldOutWeights(FakeLearner):
    def fit(self, train, held_out, params, context):
        held_out = held_out and replace(held_out, weight=None)
        return super().fit(train, held_out, params, context)


class LearnsFromHeldOutRows(FakeLearner):
    def fit(self, train, held_out, params, context):
        if held_out is not None and train.weight is None:
            train = Rows(np.vstack([train.X, held_out.X]), np.append(train.y, held_out.y))
        return super().fit(train, held_out, params, context)


class SilentOnMissingCells(FakeLearner):
    capabilities = replace(FakeLearner.capabilities, handles_missing=False)


class SilentOnCategories(FakeLearner):
    capabilities = replace(FakeLearner.capabilities, handles_categories=False)


class IgnoresWeights(FakeLearner):
    def fit(self, train, held_out, params, context):
        return super().fit(replace(train, weight=None), held_out, params, context)


class IgnoresItsBar(FakeLearner):
    def fit(self, train, held_out, params, context):
        return super().fit(train, held_out, params, replace(context, bar=None))


class BarInOtherUnits(FakeLearner):
    def fit(self, train, held_out, params, context):
        bar = context.bar if context.bar is None else context.bar / 4
        return super().fit(train, held_out, params, replace(context, bar=bar))


class GivenUpIsCutShort(FakeLearner):
    def fit(self, train, held_out, params, context):
        outcome = super().fit(train, held_out, params, context)
        return replace(outcome, complete=outcome.complete and not outcome.given_up)


class GoesBackwards(FakeLearner):
    def progress(self, params):
        return -float(dict(params).get("shift", 0.0)) - 1.0


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


class MemoryOfRowsLeft(FakeLearner):
    def memory(self, shape, params):
        return 1e9 / shape.n_rows


class SeedMovesIt(FakeLearner):
    capabilities = replace(FakeLearner.capabilities, uses_seed=False)

    def fit(self, train, held_out, params, context):
        shift = dict(params)["shift"] + 0.1 * context.seed
        return super().fit(train, held_out, freeze_params({**dict(params), "shift": shift}), context)


class SeedMovesRefits(SeedMovesIt):
    def fit(self, train, held_out, params, context):
        context = context if held_out is None else replace(context, seed=0)
        return super().fit(train, held_out, params, context)


class FewerRoundsForMoreRows(FakeLearner):
    def refit_rounds(self, joint_round, growth):
        return max(1, round(joint_round / growth))


class HalfRounds(FakeLearner):
    def refit_rounds(self, joint_round, growth):
        return joint_round * growth


class HastensByDefault(FakeLearner):
    def hasten(self, params, factor):
        return freeze_params({**dict(params), "shift": 0.5})


class HastensTheWrongWay(FakeLearner):
    def expected_rounds(self, shape, params):
        return dict(params)["n_rounds"]

    def hasten(self, params, factor):
        return freeze_params({**dict(params), "n_rounds": round(dict(params)["n_rounds"] * factor)})


class HastensSometimes(HastensTheWrongWay):
    """Fewer rounds than at first, but more with a greater factor."""

    def hasten(self, params, factor):
        rounds = dict(params)["n_rounds"]
        return freeze_params({**dict(params), "n_rounds": rounds if factor in {1.0, 100.0} else 1})


class HastensByAnotherName(FakeLearner):
    def hasten(self, params, factor):
        return params if factor == 1.0 else freeze_params({**dict(params), "speed": factor})


class HastensByAnotherRecipe(FakeLearner):
    def recipe(self, params):
        return Recipe("ordinal", freeze_params({"moments": dict(params)["shift"] < 1.0}))

    def hasten(self, params, factor):
        return params if factor == 1.0 else freeze_params({**dict(params), "shift": 1.0})


class HastensIntoRuin(FakeLearner):
    def hasten(self, params, factor):
        return params if factor < 100.0 else freeze_params({**dict(params), "behaviour": "nan"})


@pytest.mark.parametrize(
    ("learner", "error", "message"),
    [
        (ForgetsToSayItStopped, AssertionError, "complete=False"),
        (CurveTooShort, AssertionError, "losses for"),
        (IgnoresHeldOutWeights, AssertionError, "predictions of weighted rows say"),
        (LearnsFromHeldOutRows, AssertionError, "held-out rows moved"),
        (SilentOnMissingCells, AssertionError, "leaves NaN: handles_missing=True"),
        (SilentOnCategories, AssertionError, "codes levels: handles_categories=True"),
        (IgnoresWeights, AssertionError, "weights did not move"),
        (IgnoresItsBar, AssertionError, "given_up=True"),
        (BarInOtherUnits, AssertionError, "reaches its bar is not given up"),
        (GivenUpIsCutShort, AssertionError, "given up is complete"),
        (GoesBackwards, AssertionError, "progress"),
        (ChangesItsInput, ValueError, "read-only"),
        (DefaultsOutsideItsSpace, AssertionError, "outside the space"),
        (ConstantCost, AssertionError, "must grow with rows"),
        (MemoryOfRowsLeft, AssertionError, "memory must not shrink"),
        (SeedMovesIt, AssertionError, "another seed moved"),
        (SeedMovesRefits, AssertionError, "another seed moved"),
        (FewerRoundsForMoreRows, AssertionError, "fewer rounds for more rows"),
        (HalfRounds, AssertionError, "not a whole number"),
        (HastensByDefault, AssertionError, "factor 1 must change nothing"),
        (HastensTheWrongWay, AssertionError, "rounds, not"),
        (HastensSometimes, AssertionError, "rounds, not"),
        (HastensByAnotherName, AssertionError, "must keep the names"),
        (HastensByAnotherRecipe, AssertionError, "must keep the recipe"),
        (HastensIntoRuin, AssertionError, "predictions are not finite"),
    ],
)
def test_a_broken_contract_is_named(learner, error, message):
    with pytest.raises(error, match=message):
        check_learner(learner())


def test_a_learner_that_says_its_seed_counts_may_be_moved_by_it():
    class Seeded(SeedMovesIt):
        capabilities = FakeLearner.capabilities

    check_learner(Seeded())


def test_a_learner_without_rounds_is_refitted_with_one():
    class WithoutRounds(Prior):
        def refit_rounds(self, joint_round, growth):
            return 2

    assert Prior().refit_rounds(1, 10.0) == 1
    with pytest.raises(AssertionError, match="without rounds"):
        check_learner(WithoutRounds())
