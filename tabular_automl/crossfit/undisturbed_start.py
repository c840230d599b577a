"""Starts worker processes whatever the driver's signals and streams are."""

import contextlib
import io
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker

from joblib.externals.loky.backend import resource_tracker as loky_tracker

_streams = threading.Lock()


@contextlib.contextmanager
def undisturbed_start() -> Iterator[None]:
    """Let a process start in the body that Ctrl-C does not reach, also where standard streams are gone."""
    with _sigint_blocked(), _flushable_streams():
        yield


@contextlib.contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Block Ctrl-C while a worker starts: it inherits the mask, and must not die of a person's Ctrl-C."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    for tracker in (resource_tracker, loky_tracker):
        tracker.ensure_running()  # one that started with the worker would unblock Ctrl-C
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _flushable_streams() -> Iterator[None]:
    """Have stand-ins for standard streams that are None, closed or full: a start flushes them."""
    with _streams:  # shared by all threads
        lost = {name: getattr(sys, name) for name in ("stdout", "stderr") if not _flushes(name)}
        for name in lost:
            setattr(sys, name, io.StringIO())
        try:
            yield
        finally:
            for name, stream in lost.items():
                setattr(sys, name, stream)


def _flushes(name: str) -> bool:
    try:
        getattr(sys, name).flush()
    except (AttributeError, ValueError, OSError):
        return False
    return True
