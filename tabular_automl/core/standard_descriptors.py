"""Keeps the numbers of stdin, stdout and stderr from files that have nothing to do with them."""

import os


def fill_standard_descriptors() -> None:
    """Open the null device as descriptors 0, 1 and 2 where they are closed, as services and ``>&-`` do.

    The next file to be opened would get such a number, and with it what native code prints.
    """
    if all(map(_is_open, range(3))):
        return
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        os.set_inheritable(descriptor, True)
        descriptor = os.dup(descriptor)
    os.close(descriptor)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
