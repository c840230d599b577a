"""The learner that looks at the target only."""

import numpy as np

from tabular_automl.core.fitting import Rows
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import learner_for
from tabular_automl.testing import LearnerCase

PRIOR = learner_for("prior")


def test_weighted_mean():
    case = LearnerCase.small(PRIOR, TaskKind.REGRESSION)
    train = Rows(np.zeros((2, 1)), np.array([1.0, 4.0]), np.array([2.0, 1.0]))
    assert PRIOR.fit(train, None, (), case.context).model.predict(np.zeros((1, 1)))[0, 0] == 2.0


def test_frequencies_are_smoothed_by_one_row():
    case = LearnerCase.small(PRIOR, TaskKind.BINARY)
    train = Rows(np.zeros((3, 1)), np.array([0.0, 0.0, 1.0]))
    assert PRIOR.fit(train, None, (), case.context).model.predict(np.zeros((1, 1)))[0, 0] == 1.5 / 4
