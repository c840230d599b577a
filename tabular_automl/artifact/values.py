"""Plain values as JSON and back, with their exact types: column names, labels, hyperparameters."""

import datetime as dt
import math
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pandas as pd

from tabular_automl.core.digest import Json
from tabular_automl.core.errors import ArtifactError, InputError


def encode_value(value: Hashable) -> Json:
    """Return a value as JSON from which `decode_value` gives it back equal and of the same Python type.

    Strings, whole numbers, booleans, None and finite floats are JSON already; everything else is an object of
    one key that names its type. numpy scalars become Python's.

    Raises
    ------
    InputError
        If the type has no JSON form.

    >>> encode_value(("a", 1, 2.5))
    {'tuple': ['a', 1, 2.5]}
    """
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        value = value.item()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, tuple):
        return {"tuple": [encode_value(part) for part in value]}
    return _encode_time(value)


def decode_value(facts: Any) -> Any:
    """Return the value that `encode_value` was given."""
    if not isinstance(facts, dict):
        return facts
    (tag, content), *more = facts.items()
    if more or tag not in _DECODERS:
        raise ArtifactError(
            f"The saved model holds a value of unknown type {tag!r}. Load it with a newer version."
        )
    return _DECODERS[tag](content)


def _encode_time(value: Hashable) -> Json:
    # Pandas' classes inherit from datetime's, so they are asked first; NaT is an instance of neither here.
    if isinstance(value, pd.Timestamp | np.datetime64) and not pd.isna(value):
        stamp = pd.Timestamp(value)
        return {"timestamp": [stamp.isoformat(), stamp.unit]}
    if isinstance(value, pd.Timedelta | np.timedelta64) and not pd.isna(value):
        delta = pd.Timedelta(value)
        return {"timedelta": [delta.isoformat(), delta.unit]}
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return {"date": value.isoformat()}
    raise InputError(
        f"Cannot save {value!r} of type {type(value).__name__}: column names and labels must be text, "
        "numbers, booleans, dates or tuples of these. Rename it and fit again."
    )


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "tuple": lambda parts: tuple(decode_value(part) for part in parts),
    "timestamp": lambda parts: pd.Timestamp(parts[0]).as_unit(parts[1]),
    "timedelta": lambda parts: pd.Timedelta(parts[0]).as_unit(parts[1]),
    "date": dt.date.fromisoformat,
}
