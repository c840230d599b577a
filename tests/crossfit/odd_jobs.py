"""Jobs that show what workers do with them."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass


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
