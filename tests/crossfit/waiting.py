"""Waiting for workers, and for what comes of them, never without an end."""

import time
from collections.abc import Callable

from tabular_automl.crossfit.workers import Finished, Ticket, Workers

PATIENCE_SECONDS = 120


def eventually(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < end, f"not so within {PATIENCE_SECONDS} s"
        time.sleep(0.01)


def wait_for_free(workers: Workers, count: int) -> None:
    """Wait until so many workers are free; no job ends meanwhile."""
    end = time.monotonic() + PATIENCE_SECONDS
    while workers.free < count:
        assert time.monotonic() < end, f"{workers.free} of {count} workers free within {PATIENCE_SECONDS} s"
        assert workers.wait(0.1) == []


def finished_by(workers: Workers, count: int) -> list[Finished]:
    """Wait for so many jobs to end."""
    end = time.monotonic() + PATIENCE_SECONDS
    finished: list[Finished] = []
    while len(finished) < count:
        assert time.monotonic() < end, f"{len(finished)} of {count} jobs ended within {PATIENCE_SECONDS} s"
        finished += workers.wait(0.1)
    return finished


def results_of(workers: Workers, count: int) -> dict[Ticket, object]:
    """Wait for so many jobs to end, and return what became of each."""
    return {done.ticket: done.result for done in finished_by(workers, count)}
