"""Shipped for authors of learners and for our own tests: the contract as checks, small tables, fakes."""

from tabular_automl.testing.check_learner import check_learner, learner_checks
from tabular_automl.testing.fake_clock import FakeClock
from tabular_automl.testing.fake_learner import FAKE_FAMILY, FakeLearner
from tabular_automl.testing.learner_case import LearnerCase
from tabular_automl.testing.small_frames import SmallProblem, small_frame, small_frames, small_problem

__all__ = [
    "FAKE_FAMILY",
    "FakeClock",
    "FakeLearner",
    "LearnerCase",
    "SmallProblem",
    "check_learner",
    "learner_checks",
    "small_frame",
    "small_frames",
    "small_problem",
]
