"""Arrays that another run wrote, and that may have come to harm since."""

import os
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from tabular_automl.core.digest import digest_array
from tabular_automl.core.fitting import FloatArray


def write_sealed(path: Path, array: FloatArray) -> None:
    """Write a ``.npy`` file with the array's hash behind it, which readers of such files don't look at."""
    with path.open("wb") as file:
        npy.write_array(file, array, allow_pickle=False)
        file.write(digest_array(array).encode("ascii"))


def sealed_array(path: Path) -> FloatArray | None:
    """Return what `write_sealed` wrote; None if it is missing, or one number is another than was written."""
    found = stored_array(path)
    if found is None:
        return None
    digest = digest_array(found).encode("ascii")
    try:
        with path.open("rb") as file:
            file.seek(-len(digest), os.SEEK_END)
            return found if file.read() == digest else None
    except OSError:
        return None


def stored_array(path: Path) -> FloatArray | None:
    """Return the finite numbers of a ``.npy`` file; None if it is missing, damaged or holds anything else."""
    try:
        with path.open("rb") as file:
            found = npy.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError):
        return None
    if found.dtype != np.float64 or not np.isfinite(found).all():
        return None
    return np.asarray(found, dtype=np.float64)
