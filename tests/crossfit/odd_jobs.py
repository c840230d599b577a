"""Jobs that show what workers do with them."""

import ctypes
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessId:
    """Return the worker's process id after a while."""

    seconds: float = 0.0

    def run(self, should_stop: Callable[[], bool]) -> int:
        time.sleep(self.seconds)
        return os.getpid()


@dataclass(frozen=True)
class UntilStopped:
    """Return the process id once asked to stop."""

    def run(self, should_stop: Callable[[], bool]) -> int:
        while not should_stop():
            time.sleep(0.01)
        return os.getpid()


@dataclass(frozen=True)
class Environment:
    """Return environment variables."""

    names: tuple[str, ...]

    def run(self, should_stop: Callable[[], bool]) -> list[str | None]:
        return [os.environ.get(name) for name in self.names]


@dataclass(frozen=True)
class Printing:
    """Print, and write where native code prints."""

    def run(self, should_stop: Callable[[], bool]) -> None:
        sys.stdout.write("printed\n")
        sys.stdout.flush()
        os.write(1, b"written\n")


@dataclass(frozen=True)
class Descriptors:
    """Return what the descriptors of stdin, stdout and stderr are."""

    def run(self, should_stop: Callable[[], bool]) -> list[str]:
        return [str(Path(f"/proc/self/fd/{number}").readlink()) for number in range(3)]


@dataclass(frozen=True)
class Spinning:
    """Use up some seconds of CPU time."""

    seconds: float

    def run(self, should_stop: Callable[[], bool]) -> None:
        end = time.process_time() + self.seconds
        while time.process_time() < end:
            pass


@dataclass(frozen=True)
class Imported:
    """Return which of these modules this process has imported."""

    names: tuple[str, ...]

    def run(self, should_stop: Callable[[], bool]) -> list[str]:
        return [name for name in self.names if name in sys.modules]


@dataclass(frozen=True)
class Deaf:
    """Make a file, then stay in native code that keeps Python's lock: no thread and no handler has a turn."""

    started: Path

    def run(self, should_stop: Callable[[], bool]) -> None:
        self.started.touch()
        ctypes.PyDLL(None).sleep(600)


@dataclass(frozen=True)
class Holding:
    """Hold some bytes."""

    n_bytes: int

    def run(self, should_stop: Callable[[], bool]) -> None:
        held = bytearray(b"x") * self.n_bytes
        time.sleep(600)
        del held


@dataclass(frozen=True)
class LastWords:
    """Close all files, the pipe to the driver too, and end some time later with exit code 7."""

    seconds: float

    def run(self, should_stop: Callable[[], bool]) -> None:
        os.closerange(3, 256)
        time.sleep(self.seconds)
        os._exit(7)
