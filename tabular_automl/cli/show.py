"""Prints text that holds names from data."""

import sys
from typing import TextIO

from tabular_automl.progress import printable


def show(text: str, stream: TextIO | None = None) -> None:
    r"""Print lines, to stdout by default; nothing in them commands a terminal.

    Examples
    --------
    >>> show("a\x1b[2Jb")
    a\x1b[2Jb
    """
    print("\n".join(map(printable, text.split("\n"))), file=stream or sys.stdout, flush=True)
