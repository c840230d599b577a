"""Every shipped family, and the fake one, keeps the contract of a learner."""

from dataclasses import replace

import numpy as np
import pytest

from tabular_automl.core.candidate import freeze_params
from tabular_automl.learners import FAMILIES, learner_for
from tabular_automl.testing import FAKE_FAMILY, LearnerCase, learner_checks


@pytest.mark.parametrize("family", [*FAMILIES, FAKE_FAMILY])
@pytest.mark.parametrize("check", learner_checks(), ids=lambda check: check.__name__)
def test_contract(check, family):
    check(learner_for(family))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_hyperparameters_a_model_cut_to_some_rounds_comes_back(family, seed, tmp_path):
    learner = learner_for(family)
    case = LearnerCase.small(learner, sorted(learner.capabilities.tasks)[seed % 3])
    drawn = learner.space(case.context.shape).sample(np.random.default_rng(seed))
    # What changes the recipe changes the matrix: it stays as the case has it.
    kept = {
        name: value for name, value in case.params if name in dict(case.learner.recipe(case.params).params)
    }
    model = replace(case, params=freeze_params({**dict(drawn), **kept})).fit().model
    rounds = max(1, model.rounds // 2)
    model.save(tmp_path, rounds)
    loaded = learner.load(tmp_path)
    assert loaded.rounds == rounds
    np.testing.assert_array_equal(loaded.predict(case.held_out.X), model.predict(case.held_out.X, rounds))
