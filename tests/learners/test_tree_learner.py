"""What the families of boosted trees have in common."""

from dataclasses import replace

import numpy as np
import pytest

from tabular_automl.core.task import TaskKind
from tabular_automl.learners import learner_for
from tabular_automl.testing import LearnerCase

BOOSTED = ("lightgbm", "catboost", "xgboost")


@pytest.mark.parametrize("family", BOOSTED)
def test_regression_does_not_depend_on_the_targets_scale(family: str) -> None:
    case = LearnerCase.small(learner_for(family), TaskKind.REGRESSION)
    scaled = replace(
        case,
        train=replace(case.train, y=case.train.y * 1e9 + 1e12),
        held_out=replace(case.held_out, y=case.held_out.y * 1e9 + 1e12),
    )
    plain, moved = case.fit(), scaled.fit()
    np.testing.assert_allclose(moved.curve, plain.curve * 1e18, rtol=1e-3)
    X = case.held_out.X
    np.testing.assert_allclose((moved.model.predict(X) - 1e12) / 1e9, plain.model.predict(X), rtol=1e-3)
