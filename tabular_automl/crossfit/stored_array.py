"""Arrays that another run wrote, and that may have come to harm since."""

from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from tabular_automl.core.fitting import FloatArray


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
