"""Ctrl-C: the first one asks, the second one interrupts."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def first_ctrl_c(call: Callable[[], None]) -> Iterator[None]:
    """Have the first Ctrl-C call something instead; the second one interrupts at once.

    The second one goes to the handler that was set before, which is set again in the end, and then raises
    `KeyboardInterrupt` where that handler did not. Outside the main thread, and where Ctrl-C is ignored (as
    in a shell's background job) or handled in native code, everything stays as it is.
    """
    # Only the main thread may set handlers; one that is None is not Python's, and could not be set again.
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before in (None, signal.SIG_IGN):
        yield
        return
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            call()
            return
        if callable(before):
            before(number, frame)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
