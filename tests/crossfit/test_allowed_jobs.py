"""A fit inside a joblib worker leaves the cores to its siblings, unless the user says a number."""

import pytest
from joblib import Parallel, delayed, parallel_config

from tabular_automl.crossfit.allowed_jobs import allowed_jobs


@pytest.mark.parametrize("n_jobs", [1, 3, -1, -2, 0, "two"])
def test_outside_of_workers_the_user_decides(n_jobs):
    assert allowed_jobs(n_jobs) == n_jobs


@pytest.mark.parametrize(("n_jobs", "allowed"), [(-1, 1), (-2, 1), (3, 3), (None, 1), (0, 0)])
def test_inside_a_worker_all_cores_are_one(n_jobs, allowed):
    with parallel_config(backend="threading", n_jobs=2):
        assert Parallel()(delayed(allowed_jobs)(n_jobs) for _ in range(2)) == [allowed, allowed]


def test_one_worker_is_no_sibling():
    assert Parallel(n_jobs=1)([delayed(allowed_jobs)(-1)]) == [-1]


def test_none_follows_the_surrounding_configuration():
    assert allowed_jobs(None) == 1
    with parallel_config(n_jobs=2):
        assert allowed_jobs(None) == 2
