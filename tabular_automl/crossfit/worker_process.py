"""What a worker process does: it runs jobs as they come, until its driver is gone."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from tabular_automl.core.standard_descriptors import fill_standard_descriptors
from tabular_automl.learners import import_ahead

# What the driver sends to have the job of now end early.
STOP = None
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Answer:
    """What a worker sends: its job's result with the wall seconds (none at first), all its CPU seconds."""

    result: object
    seconds: float
    cpu: float


def serve_jobs(connection: Connection, driver: int, families: tuple[str, ...]) -> None:
    """Import what the families need, then run jobs as they come, until the driver is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with(driver)
    fill_standard_descriptors()
    # What a learner prints, in native code too, must not get among the results that the caller prints.
    os.dup2(2, 1)
    # All before the first job: an import in its place would count against the limit of a short probe.
    for family in families:
        import_ahead(family)
    with contextlib.suppress(EOFError, OSError):
        connection.send(Answer(None, 0.0, time.process_time()))
        while True:
            job = connection.recv()
            # A request to stop may arrive when its job has just ended.
            if job is not STOP:
                started = time.monotonic()
                result = job.run(connection.poll)
                connection.send(Answer(result, time.monotonic() - started, time.process_time()))


def _end_with(driver: int) -> None:
    """See to it that this process ends as soon as the driver did, also in the middle of a job."""
    # The kernel's signal also ends a job in native code, where none of our threads gets its turn. It comes
    # when the driver's thread that started the worker ends: the one that waits for the worker's results.
    told_by_kernel = sys.platform == "linux" and not ctypes.CDLL(None).prctl(
        _PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL)
    )
    if os.getppid() != driver:
        os._exit(1)
    if not told_by_kernel:
        threading.Thread(target=_watch, args=(driver,), daemon=True).start()


def _watch(driver: int) -> None:
    while os.getppid() == driver:
        time.sleep(1.0)
    os._exit(1)
