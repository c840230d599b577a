"""Ctrl-C: the first one asks, the second one interrupts."""

import _thread
import inspect
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# How long an import under way is given before Ctrl-C comes again.
_AGAIN_SECONDS = 0.01


@contextmanager
def first_ctrl_c(call: Callable[[], None]) -> Iterator[None]:
    """Have the first Ctrl-C call something instead; the second one interrupts at once.

    The second one goes to the handler that was set before, which is set again in the end, and then raises
    `KeyboardInterrupt` where that handler did not. An import that began meanwhile is let finish first:
    broken off, it may keep the lock for which every other thread's imports wait.

    Outside the main thread, and where Ctrl-C is ignored (as in a shell's background job) or handled in
    native code, everything stays as it is.
    """
    # Only the main thread may set handlers; one that is None is not Python's, and could not be set again.
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before in (None, signal.SIG_IGN):
        yield
        return
    asked = False
    imports = _imports(inspect.currentframe())

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            call()
            return
        if _imports(frame) > imports:
            _thread.start_new_thread(_press_again, ())  # one of `threading` may need a lock held right now
            return
        if callable(before):
            before(number, frame)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _imports(frame: FrameType | None) -> int:
    """Return how many frames from this one outwards belong to the machinery of imports."""
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename.startswith("<frozen importlib._bootstrap")
        frame = frame.f_back
    return count


def _press_again() -> None:
    time.sleep(_AGAIN_SECONDS)
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:  # ends what the main thread waits for
        signal.pthread_kill(main, signal.SIGINT)
    else:
        _thread.interrupt_main()
