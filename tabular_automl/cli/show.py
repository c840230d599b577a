"""Prints what a person or a program reads."""

import sys
from contextlib import suppress

from tabular_automl.core.errors import ReaderGoneError, UnprintedError
from tabular_automl.progress import printable


def show(text: str) -> None:
    r"""Print lines to stdout; nothing in them commands a terminal.

    Raises
    ------
    UnprintedError
        If stdout is closed or full; as `ReaderGoneError` if its reader has left.

    Examples
    --------
    >>> show("a\x1b[2Jb")
    a\x1b[2Jb
    """
    show_as_it_is(_safe(text))


def show_as_it_is(text: str) -> None:
    """Print text to stdout for programs, which get names as they are.

    Raises
    ------
    UnprintedError
        If stdout is closed or full, or lacks a character; as `ReaderGoneError` if its reader has left.
    """
    if sys.stdout is None:
        raise UnprintedError("Cannot print to standard output: it is closed.")
    try:
        print(text, flush=True)
    except BrokenPipeError as error:
        raise ReaderGoneError(f"Cannot print to standard output: {error}.") from error
    except (OSError, ValueError) as error:
        raise UnprintedError(f"Cannot print to standard output: {error}.") from error


def warn(text: str) -> None:
    """Print lines to stderr, in the manner of `show`; where there is none, nobody is left to tell."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(_safe(text), file=sys.stderr, flush=True)


def _safe(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))
