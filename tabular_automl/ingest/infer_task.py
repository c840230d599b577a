"""Decide what is to be predicted: the kind of task, the classes, and the target as numbers."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabular_automl.core.errors import InputError
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.metrics import METRICS, default_metric, metric_named
from tabular_automl.core.options import ANY_CLASSIFICATION, Options
from tabular_automl.core.schema import AMBIGUOUS_TASK, Finding, Severity
from tabular_automl.core.task import Label, TargetType, Task, TaskKind, dtype_text, value_type
from tabular_automl.ingest.cells import Cells, Form, read_cells, text_of
from tabular_automl.preprocessing.parsing import guess_rule

MAX_INTEGER_CLASSES = 10
"""Integers with more distinct values than this are taken for quantities."""

LARGEST, SMALLEST = 1e100, 1e-100
"""Values of a target beyond the first, or differences below the second, are refused."""

_OF_ONE_TYPE = frozenset({"string", "boolean", "integer"})

AMBIGUOUS_CLASSES = 50
"""Up to this many distinct integers a target could well be either, and the notice says so."""


@dataclass(frozen=True, eq=False)
class _Target:
    """The target read once: its cells and, where they are (or parse as) numbers, their values.

    ``stranger`` is a text that is no number where nearly all others are.
    """

    name: Any
    series: "pd.Series[Any]"
    cells: Cells
    numbers: FloatArray | None
    n_distinct: int
    stranger: str | None = None

    @property
    def whole(self) -> bool:
        return self.numbers is not None and bool((self.numbers % 1 == 0).all())


def infer_task(target: "pd.Series[Any]", options: Options) -> tuple[Task, FloatArray, tuple[Finding, ...]]:
    """Infer the task from the target; ``options.task`` and ``options.metric`` decide where given.

    Parameters
    ----------
    target
        The target column, without missing or infinite values.
    options
        ``task``, ``metric`` and ``target`` are read.

    Returns
    -------
    task, y, findings
        ``y`` is float64: values, or class codes in the order of ``task.classes``. A notice says so where
        an integer target could be either.

    Raises
    ------
    InputError
        If the task or metric named does not fit the target, or its labels are of a type that could not be
        given back.
    """
    seen = _read_target(target, options)
    kind, findings = _decide_kind(seen, options)
    metric = metric_named(options.metric, kind) if options.metric else default_metric(kind)
    if kind is TaskKind.REGRESSION:
        assert seen.numbers is not None  # noqa: S101 (_decide_kind has refused anything else)
        _check_scale(seen.name, seen.numbers)
        return Task(seen.name, kind, value_type(target.dtype), metric.name), seen.numbers, findings
    classes, codes = _classes(seen)
    task = Task(seen.name, kind, _label_type(seen), metric.name, classes)
    _check_labels(seen, task, codes)
    return task, codes.astype(np.float64), findings


def _read_target(target: "pd.Series[Any]", options: Options) -> _Target:
    cells = read_cells(target, options.target)
    if cells.form is Form.DATETIME:
        raise InputError(
            f"Target {str(options.target)!r} holds points in time, which cannot be predicted. Turn it into "
            "a number, such as days since a date."
        )
    if cells.codes is None or cells.levels is None:
        numbers = cells.numbers()
        return _Target(options.target, target, cells, numbers, len(pd.unique(numbers)))
    counts = np.bincount(cells.codes, minlength=len(cells.levels))
    rule = None if cells.is_category else guess_rule(cells.levels, counts)
    n_distinct = int((counts > 0).sum())
    if rule is None or not rule.startswith("number"):
        return _Target(options.target, target, cells, None, n_distinct)
    parsed = cells.parsed_levels(rule)
    strangers = cells.levels[(counts > 0) & ~np.isfinite(parsed)]
    if len(strangers):
        return _Target(options.target, target, cells, None, n_distinct, str(strangers[0]))
    return _Target(options.target, target, cells, parsed[cells.codes], n_distinct)


def _decide_kind(seen: _Target, options: Options) -> tuple[TaskKind, tuple[Finding, ...]]:
    n_distinct = seen.n_distinct
    classification = TaskKind.BINARY if n_distinct == 2 else TaskKind.MULTICLASS
    if options.task is not None:
        asked = classification if options.task == ANY_CLASSIFICATION else TaskKind(options.task)
        return _check_asked(seen, asked), ()
    by_metric = _kind_by_metric(options.metric, classification)
    if n_distinct <= 2 or seen.numbers is None or seen.cells.is_category:
        return _check_asked(seen, classification), ()
    if not seen.whole or seen.cells.form is Form.TIMEDELTA:
        return TaskKind.REGRESSION, _parsed_notice(seen)
    kind = classification if _looks_like_classes(seen) else TaskKind.REGRESSION
    if by_metric is not None:
        return by_metric, ()
    if n_distinct > AMBIGUOUS_CLASSES:
        return kind, _parsed_notice(seen)
    return kind, (_ambiguous(seen, kind),)


def _check_asked(seen: _Target, kind: TaskKind) -> TaskKind:
    where = f"Target {str(seen.name)!r}"
    if kind is TaskKind.REGRESSION:
        if seen.numbers is None:
            example = seen.stranger or str(seen.series.iloc[0])
            raise InputError(
                f"{where} is text such as {example!r}; regression needs numbers. Turn it into numbers, or, "
                "if these are labels, say task='classification'."
            )
        return kind
    if kind is TaskKind.BINARY and seen.n_distinct != 2:
        raise InputError(
            f"{where} has {seen.n_distinct} distinct values; a binary task needs 2. Say task='multiclass'."
        )
    if kind is TaskKind.MULTICLASS and seen.n_distinct == 2:
        return TaskKind.BINARY
    if seen.n_distinct > len(seen.series) / 2:
        way_out = "Say task='regression', or merge rare classes."
        if seen.numbers is None:
            way_out = "Merge rare classes, or turn it into numbers."
        if seen.stranger is not None:
            way_out = f"It would be numbers, but for texts such as {seen.stranger!r}: correct these."
        raise InputError(
            f"{where} has {seen.n_distinct} distinct values in {len(seen.series)} rows: too many to be "
            f"classes. {way_out}"
        )
    return kind


def _kind_by_metric(name: str | None, classification: TaskKind) -> TaskKind | None:
    """Return the kind that a metric for one kind of task alone asks for."""
    tasks = METRICS[name].tasks if name is not None and name in METRICS else frozenset()
    if tasks == {TaskKind.REGRESSION}:
        return TaskKind.REGRESSION
    return classification if tasks and TaskKind.REGRESSION not in tasks else None


def _looks_like_classes(seen: _Target) -> bool:
    """Say whether whole numbers look like labels: few of them, without large gaps, each in several rows."""
    assert seen.numbers is not None  # noqa: S101 (whole numbers only)
    spread = seen.numbers.max() - seen.numbers.min() + 1
    rows_a_level = len(seen.numbers) / seen.n_distinct
    return bool(
        seen.n_distinct <= MAX_INTEGER_CLASSES and spread <= 2 * seen.n_distinct and rows_a_level >= 5
    )


def _ambiguous(seen: _Target, kind: TaskKind) -> Finding:
    assert seen.numbers is not None  # noqa: S101 (whole numbers only)
    low, high = seen.numbers.min(), seen.numbers.max()
    taken, other = (
        ("a quantity (regression)", "'multiclass'")
        if kind is TaskKind.REGRESSION
        else ("class labels (multiclass)", "'regression'")
    )
    message = (
        f"Target {str(seen.name)!r} holds {seen.n_distinct} distinct whole numbers from {low:g} to "
        f"{high:g}, which could be a quantity or class labels. It is taken for {taken}."
    )
    way_out = f"If that is wrong, say task={other}; to silence this, say task='{kind}'."
    return Finding(AMBIGUOUS_TASK, Severity.NOTICE, message, way_out, str(seen.name))


def _parsed_notice(seen: _Target) -> tuple[Finding, ...]:
    if seen.cells.form is Form.TIMEDELTA:
        message, way_out = f"Target {str(seen.name)!r} is a duration; it is predicted in seconds.", ""
    elif isinstance(seen.series.iloc[0], Decimal):
        message, way_out = f"Target {str(seen.name)!r} holds Decimals; it is predicted in floats.", ""
    elif seen.cells.form is Form.TEXT:
        message = (
            f"Target {str(seen.name)!r} is text that reads as numbers; it is taken for a quantity "
            "(regression)."
        )
        way_out = "If these are labels, say task='classification'."
    else:
        return ()
    return (Finding("parsed_target", Severity.NOTICE, message, way_out, str(seen.name)),)


def _check_scale(name: object, values: FloatArray) -> None:
    """Refuse values whose squares, or those of their differences, leave double precision."""
    largest, spread = float(np.abs(values).max()), float(np.ptp(values))
    if largest <= LARGEST and spread >= SMALLEST:
        return
    what = f"reaches {largest:g}" if largest > LARGEST else f"differs by {spread:g} at most"
    raise InputError(
        f"Target {str(name)!r} {what}, so that floating-point numbers cannot hold squared errors of it. "
        "Subtract a constant, or change the unit."
    )


def _classes(seen: _Target) -> tuple[tuple[Label, ...], NDArray[np.intp]]:
    """Return labels in code order (sorted, or as an ordered category declares) and the rows' codes."""
    series = seen.series
    _check_lookalikes(seen)
    if isinstance(series.dtype, pd.CategoricalDtype):
        raw, levels = series.cat.codes.to_numpy().astype(np.intp), list(series.cat.categories)
    else:
        raw, uniques = pd.factorize(series)
        levels = list(uniques)
    used = np.unique(raw)
    if isinstance(series.dtype, pd.CategoricalDtype) and series.cat.ordered:
        order = used
    else:
        order = np.array(sorted(used, key=lambda code: _sort_key(levels[code])), dtype=np.intp)
    place = np.zeros(len(levels), dtype=np.intp)
    place[order] = np.arange(len(order))
    return tuple(_label(levels[code]) for code in order), place[raw]


def _check_lookalikes(seen: _Target) -> None:
    """Refuse labels that are equal or read alike, and yet are of different types, such as 1, True and "1"."""
    if seen.series.dtype != object or pd.api.types.infer_dtype(seen.series) in _OF_ONE_TYPE:
        return
    labels = list({(type(label), label): label for label in seen.series}.values())
    alike: dict[object, object] = {}
    for label in labels:
        is_number = isinstance(label, int | float | np.number) and not isinstance(label, bool)
        for face in (text_of(label), label):
            other = alike.setdefault(face, label)
            both = is_number and isinstance(other, int | float | np.number) and not isinstance(other, bool)
            if type(other) is not type(label) and not both:
                raise InputError(
                    f"Target {str(seen.name)!r} has labels that look alike but are of different types: "
                    f"{other!r} and {label!r}. Make them one type, as by astype(str)."
                )


def _sort_key(level: object) -> tuple[int, float, str]:
    if isinstance(level, int | float | np.number | np.bool_):
        return 0, float(level), ""
    return 1, 0.0, str(level)


def _label(level: object) -> Label:
    plain = level.item() if isinstance(level, np.generic) else level
    if isinstance(plain, bool | int | float | str):
        return str(plain) if isinstance(plain, str) else plain
    return str(plain)


def _label_type(seen: _Target) -> TargetType:
    dtype = seen.series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        categories = tuple(_label(level) for level in dtype.categories)
        return TargetType("category", categories, dtype_text(dtype.categories.dtype), bool(dtype.ordered))
    return TargetType(dtype_text(dtype))


def _check_labels(seen: _Target, task: Task, codes: NDArray[np.intp]) -> None:
    """Refuse labels that would not come back as they are, such as intervals, before any time is spent."""
    rows = np.unique(codes, return_index=True)[1]
    given = seen.series.iloc[rows]
    try:
        back = task.labels(codes[rows], given.index).tolist()
    except (TypeError, ValueError, NotImplementedError):
        back = []
    if back != given.tolist():
        example = given.iloc[0]
        way_out = (
            "floats, as by astype(float), or text, as by astype(str)"
            if isinstance(example, Decimal)
            else "text, as by astype(str)"
        )
        raise InputError(
            f"Target {str(seen.name)!r} has labels of type {type(example).__name__} such as "
            f"{str(example)!r}, which predictions cannot give back. Turn them into {way_out}."
        )
