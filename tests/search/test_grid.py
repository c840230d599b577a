"""The points of a grid."""

import math
from itertools import islice

import numpy as np

from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import Choice, Float, Integer, Space, When, learner_for
from tabular_automl.search.grid import MOST_POINTS, grid

SPACE = Space(
    (
        Choice("kind", ("tree", "linear")),
        Integer("depth", 1, 9, when=When("kind", ("tree",))),
        Float("rate", 0.01, 1.0, log=True),
    )
)


def test_each_point_comes_once_and_what_is_not_active_makes_no_difference():
    points = list(grid(SPACE, 0, "f"))
    assert len(points) == len(set(points)) == 3 * 3 + 3
    assert all(SPACE.contains(point) for point in points)
    assert {dict(point)["rate"] for point in points} == {0.01, 0.1, 1.0}


def test_the_order_is_shuffled_by_the_seed():
    first, again, other = list(grid(SPACE, 0, "f")), list(grid(SPACE, 0, "f")), list(grid(SPACE, 1, "f"))
    assert first == again
    assert first != other
    assert set(first) == set(other)


def test_a_vast_grid_is_drawn_from_all_over():
    space = learner_for("lightgbm").space(ProblemShape(TaskKind.BINARY, 5_000, 4, 4, 1))
    n_points = math.prod(len(parameter.points(3)) for parameter in space.parameters)
    assert n_points > 50 * MOST_POINTS
    points = list(islice(grid(space, 0, "lightgbm"), 300))
    assert len(set(points)) == 300
    leaves = np.array([dict(point)["num_leaves"] for point in points])
    assert min(np.unique(leaves, return_counts=True)[1]) > 50


def test_more_points_than_a_machine_can_count_are_no_obstacle():
    space = Space(tuple(Float(f"x{i}", 0.0, 1.0) for i in range(60)))
    assert space.contains(next(iter(grid(space, 0, "f"))))
