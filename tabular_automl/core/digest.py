"""Content hashes: the identity of data, candidates and fold fits."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


def digest_json(value: Json) -> str:
    """Hash a JSON value by its canonical text (sorted keys, no spaces), as 64 hex digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def digest_array(array: NDArray[np.generic]) -> str:
    """Hash an array by dtype, shape and content; every NaN counts as the same NaN, -0.0 as 0.0."""
    contiguous = np.ascontiguousarray(array)
    if contiguous.dtype.kind == "f":
        contiguous = np.where(np.isnan(contiguous), np.nan, contiguous + 0.0)
    head = f"{contiguous.dtype.str}{contiguous.shape}".encode("ascii")
    return hashlib.sha256(head + contiguous.tobytes()).hexdigest()
