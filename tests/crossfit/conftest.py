"""Workers shared by all tests of the room; `odd_learners` is made importable, also in worker processes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tabular_automl.crossfit.in_process_workers import InProcessWorkers
from tabular_automl.crossfit.process_workers import ProcessWorkers
from tabular_automl.crossfit.workers import Workers


@pytest.fixture(scope="session")
def two_workers() -> Iterator[Workers]:
    """Processes for all tests: whatever one test does to them must not be felt by the next."""
    with ProcessWorkers(2, families=("prior",)) as workers:
        yield workers


@pytest.fixture
def one_worker() -> Iterator[Workers]:
    with InProcessWorkers() as workers:
        yield workers
