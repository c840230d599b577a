"""Encoded matrices on disk."""

from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from tabular_automl.core.fitting import Encoder
from tabular_automl.core.table import Table

# So many rows are encoded at a time: memory stays small, and what is written does not depend on the machine.
CHUNK_ROWS = 100_000


def write_matrix(encoder: Encoder, table: Table, path: Path) -> None:
    """Encode a table into a ``.npy`` file of float64 in C order, chunk by chunk.

    Plain writes, not a memory map: a full disk then raises an error instead of ending the process. Nothing
    is left of a matrix that can't be written to its end.
    """
    try:
        _write(encoder, table, path)
    except BaseException:
        path.unlink(missing_ok=True)  # a full disk needs the room
        raise


def _write(encoder: Encoder, table: Table, path: Path) -> None:
    shape = (table.n_rows, len(encoder.features.names))
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
        for start in range(0, table.n_rows, CHUNK_ROWS):
            stop = min(start + CHUNK_ROWS, table.n_rows)
            whole = start == 0 and stop == table.n_rows
            rows = table if whole else table.take(np.arange(start, stop))
            file.write(np.ascontiguousarray(encoder.transform(rows), dtype="<f8").data)
