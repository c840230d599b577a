"""Runs Python code in a terminal of its own: a pseudo-terminal, as an emulator or ssh would give it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"
COLUMNS, ROWS = 120, 40


class InTerminal:
    """A Python process in a terminal; ``written`` is what it has written there so far."""

    def __init__(self, code: str, **environment: str) -> None:
        self.written = ""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        inherited = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
        self.process = subprocess.Popen(  # noqa: S603 - this interpreter, on code of our own
            [sys.executable, "-c", code],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**inherited, "TERM": "xterm-256color", **environment},
            start_new_session=True,
        )
        os.close(slave)

    def __enter__(self) -> "InTerminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    def read_until(self, told: Callable[[str], Any], seconds: float = 120.0) -> str:
        """Read until something was written, or the process has ended; return all that was written."""
        end = time.monotonic() + seconds
        while not told(self.written) and time.monotonic() < end:
            if select.select([self._master], [], [], 0.2)[0]:
                try:
                    found = os.read(self._master, 65_536)
                except OSError:  # how Linux says that nobody holds the other end any more
                    break
                if not found:
                    break
                self.written += found.decode()
        return self.written

    def read_all(self) -> str:
        """Read until the process has ended; return all that was written."""
        self.read_until(lambda _: False)
        self.process.wait(60)
        return self.written

    def press_ctrl_c(self) -> None:
        """Interrupt the process and all of its group, as a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)


def screen(written: str) -> list[str]:
    """Return the lines that a terminal shows after all that was written: rich moves up and erases lines."""
    lines, row, column, position = [""], 0, 0, 0
    while position < len(written):
        sign = written[position]
        position += 1
        if sign == "\x1b":
            end = next(i for i in range(position + 1, len(written)) if written[i].isalpha())
            order, number = written[end], written[position + 1 : end]
            position = end + 1
            if order == "A":
                row = max(0, row - int(number or 1))
            elif order == "K":
                lines[row] = ""
        elif sign == "\r":
            column = 0
        elif sign == "\n":
            row += 1
            lines.extend([""] * (row + 1 - len(lines)))
        else:
            lines[row] = lines[row][:column].ljust(column) + sign + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines if line.strip()]
