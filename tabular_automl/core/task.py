"""What is to be predicted, and how labels travel to codes and back."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Label = str | int | float | bool


class TaskKind(StrEnum):
    """The three supervised tasks."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"

    @property
    def is_classification(self) -> bool:
        """Whether predictions are probabilities of classes."""
        return self is not TaskKind.REGRESSION


@dataclass(frozen=True)
class TargetType:
    """The pandas type of the target, precise enough to give labels back in it.

    ``dtype`` is the dtype's text as `dtype_text` gives it (``int64``, ``str``, ``boolean``, ``category``…).
    For ``category`` the whole category list, its own dtype and its order are kept as well.
    """

    dtype: str
    categories: tuple[Label, ...] | None = None
    categories_dtype: str | None = None
    ordered: bool = False

    def series(self, values: list[Label], index: pd.Index) -> "pd.Series[Any]":
        """Return the labels as a Series of exactly this type."""
        if self.categories is None:
            labels: pd.Series[Any] = pd.Series(values, index=index, dtype=dtype_named(self.dtype))
            return labels
        levels = pd.Index(list(self.categories), dtype=dtype_named(self.categories_dtype or "object"))
        return pd.Series(pd.Categorical(values, categories=levels, ordered=self.ordered), index=index)


@dataclass(frozen=True)
class Task:
    """Target, kind, classes and metric.

    Attributes
    ----------
    target
        The target's column name.
    kind
        Binary, multiclass or regression.
    target_type
        The pandas type in which predictions are given back: the target's own for classes, a
        floating-point type (`value_type`) for regression.
    metric
        Name of a metric of `core.metrics`.
    classes
        The labels in code order (empty for regression); in binary tasks the positive class is the last.
    """

    target: str | int | float | tuple[object, ...]
    kind: TaskKind
    target_type: TargetType
    metric: str
    classes: tuple[Label, ...] = ()

    @property
    def n_outputs(self) -> int:
        """Columns of a prediction array: one a class for multiclass, one for binary and regression."""
        return len(self.classes) if self.kind is TaskKind.MULTICLASS else 1

    def labels(self, codes: NDArray[np.intp], index: pd.Index) -> "pd.Series[Any]":
        """Return class codes as labels in the target's exact type."""
        return self.target_type.series([self.classes[code] for code in codes], index)

    def values(self, numbers: NDArray[np.float64], index: pd.Index) -> "pd.Series[Any]":
        """Return predicted values of a regression in the floating-point type of the task."""
        return pd.Series(numbers, index=index).astype(dtype_named(self.target_type.dtype))


def value_type(dtype: Any) -> TargetType:
    """Return the type in which a target of numbers is predicted: floating point, of the target's family.

    Floating-point types stay as they are. Predictions of whole numbers are fractions, so these become
    float64, ``Float64`` or ``double[pyarrow]``; so does everything else that was read as numbers.

    >>> [value_type(pd.api.types.pandas_dtype(name)).dtype for name in ("float32", "int8", "Int64")]
    ['float32', 'float64', 'Float64']
    """
    if pd.api.types.is_float_dtype(dtype) and not isinstance(dtype, pd.SparseDtype):
        return TargetType(dtype_text(dtype))
    if isinstance(dtype, pd.ArrowDtype):
        return TargetType("double[pyarrow]")
    is_nullable = pd.api.types.is_extension_array_dtype(dtype) and pd.api.types.is_integer_dtype(dtype)
    return TargetType("Float64" if is_nullable and not isinstance(dtype, pd.SparseDtype) else "float64")


_ARROW_STRING, _ARROW_DICTIONARY = "arrow:string", "arrow:dictionary:"


def dtype_text(dtype: Any) -> str:
    """Return a text from which `dtype_named` makes the very same pandas dtype.

    pandas' own texts are ambiguous for strings: ``string`` may be kept by Python or by Arrow.
    """
    if isinstance(dtype, pd.StringDtype):
        name = "string" if dtype.na_value is pd.NA else "str"
        return f"{name}[{dtype.storage}]"
    if isinstance(dtype, pd.ArrowDtype):
        import pyarrow as pa

        arrow = dtype.pyarrow_dtype
        if pa.types.is_dictionary(arrow):
            return f"{_ARROW_DICTIONARY}{arrow.index_type}:{arrow.value_type}:{int(arrow.ordered)}"
        return _ARROW_STRING if pa.types.is_string(arrow) else str(dtype)
    return str(dtype)


def dtype_named(text: str) -> Any:
    """Return the pandas dtype of a `dtype_text` (or of any text pandas knows)."""
    if text.startswith("arrow:"):
        import pyarrow as pa

        if text == _ARROW_STRING:
            return pd.ArrowDtype(pa.string())
        index, value, ordered = text.removeprefix(_ARROW_DICTIONARY).split(":")
        aliases = (pa.type_for_alias(index), pa.type_for_alias(value))
        return pd.ArrowDtype(pa.dictionary(*aliases, ordered=ordered == "1"))
    if text.startswith(("str[", "string[")):
        name, _, storage = text.rstrip("]").partition("[")
        if name == "string":
            return pd.StringDtype(storage)
        try:
            return pd.StringDtype(storage, na_value=np.nan)
        except TypeError:  # pandas 2 has no NaN-backed strings yet
            return np.dtype(object)
    return pd.api.types.pandas_dtype(text)
