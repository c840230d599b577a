"""Small tables are the same every time and hold what they promise."""

import numpy as np
import pandas as pd
import pytest

from tabular_automl.core.task import TaskKind
from tabular_automl.testing import FakeClock, small_frame, small_frames, small_problem


@pytest.mark.parametrize("name", small_frames())
def test_frames_are_made_alike(name):
    make = small_frames()[name]
    pd.testing.assert_frame_equal(make(), make())
    assert "target" in make().columns


@pytest.mark.parametrize("task", TaskKind)
def test_problem_matches_its_frame(task):
    frame, problem = small_frame(task), small_problem(task)
    assert problem.table.n_rows == len(frame) == len(problem.y)
    np.testing.assert_array_equal(problem.table.columns[1].values, frame["income"])
    assert np.isnan(problem.table.columns[1].values).any()
    assert (problem.table.columns[2].values == -1).any()


def test_clock_moves_when_told():
    clock = FakeClock(10.0)
    clock.advance(1.5)
    assert clock() == 11.5
