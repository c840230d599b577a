"""The front door on small tables; `front_door` and `bad_input_rows` are made importable for the tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from front_door import Door, small_table  # type: ignore[import-not-found]


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory):
    """Fit, predict and score; every call compares the caller's frame before and after."""
    return Door(tmp_path_factory.mktemp("front door"))


@pytest.fixture(scope="session")
def plain(door):
    """A model of `small_table` as it is."""
    return door.fit(small_table())


@pytest.fixture
def table():
    """80 rows of a number, a whole number, a city and a label."""
    return small_table()
