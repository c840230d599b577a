"""The bar: what anyone gets without a model, on the same folds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabular_automl.core.candidate import Candidate, Origin, Recipe, freeze_params
from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.errors import InputError
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.folds import Fold
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.seeds import derive_rng
from tabular_automl.core.task import Task, TaskKind
from tabular_automl.crossfit.runtime import Runtime
from tabular_automl.ingest.roles import check_existing
from tabular_automl.ingest.usable_rows import take_rows
from tabular_automl.search.one_rule import one_rule

UNIFORM = "uniform random"
BY_DISTRIBUTION = "random by distribution"
ZERO_RULE = "zero rule"
ONE_RULE = "one rule"
EXISTING = "existing system"

FoldRule = Callable[[Problem, Fold, np.random.Generator], FloatArray]


def fit_baselines(problem: Problem, options: Options, runtime: Runtime) -> tuple[CrossFit, ...]:
    """Predict the held-out rows of every fold of the first repeat without a model.

    The baselines: *uniform random* (probabilities or values drawn evenly), *random by distribution* (the
    target of a random training row), *zero rule* (class frequencies; the mean, or the median where the
    metric is the mean absolute error), *one rule* (`one_rule`) and, where given, the *existing system*.

    Raises
    ------
    InputError
        If the existing predictions do not fit the rows or the target.
    """
    baselines = [] if options.existing is None else [_existing(problem, options.existing)]
    for name, rule in ((ZERO_RULE, _zero_rule), (BY_DISTRIBUTION, _random_row), (UNIFORM, _uniform)):
        parts = [
            rule(problem, fold, derive_rng(runtime.seed, name, number))
            for number, fold in enumerate(problem.folds.first_repeat)
        ]
        baselines.append(_baseline(problem, name, name, parts))
    best_column = one_rule(problem)
    if best_column is not None:
        label = f"{ONE_RULE} ({best_column.column})"
        baselines.append(_baseline(problem, ONE_RULE, label, list(best_column.predictions)))
    runtime.tracker.compare_with(baselines)
    runtime.emit("baselines", f"{len(baselines)} baselines predicted.")
    return tuple(baselines)


def _baseline(problem: Problem, rule: str, label: str, parts: list[FloatArray]) -> CrossFit:
    rows = np.concatenate([fold.held_out for fold in problem.folds.first_repeat])
    return _crossfit(problem, _candidate(rule, label), rows, np.concatenate(parts))


def _candidate(rule: str, label: str) -> Candidate:
    return Candidate("baseline", freeze_params({"rule": rule}), Recipe("none"), Origin.BASELINE, label=label)


def _crossfit(
    problem: Problem, candidate: Candidate, rows: NDArray[np.intp], predictions: FloatArray
) -> CrossFit:
    order = np.argsort(rows, kind="stable")
    return CrossFit(
        candidate, problem.folds.digest, (), rows[order], predictions[order], joint_round=1, seconds=0.0
    )


def _zero_rule(problem: Problem, fold: Fold, rng: np.random.Generator) -> FloatArray:
    y = problem.y[fold.train]
    weight = np.ones(len(y)) if problem.weight is None else problem.weight[fold.train]
    constant: FloatArray
    if problem.task.kind.is_classification:
        shares = (
            np.bincount(y.astype(np.intp), weights=weight, minlength=len(problem.task.classes)) / weight.sum()
        )
        constant = shares if problem.task.n_outputs > 1 else shares[1:]
    elif problem.task.metric == "mae":
        order = np.argsort(y)
        middle = np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)
        constant = y[order[[middle]]]
    else:
        constant = np.array([np.average(y, weights=weight)])
    return np.tile(constant, (len(fold.held_out), 1))


def _random_row(problem: Problem, fold: Fold, rng: np.random.Generator) -> FloatArray:
    share = None if problem.weight is None else problem.weight[fold.train] / problem.weight[fold.train].sum()
    drawn = problem.y[rng.choice(fold.train, size=len(fold.held_out), p=share)]
    return _as_outputs(problem, drawn)


def _uniform(problem: Problem, fold: Fold, rng: np.random.Generator) -> FloatArray:
    n_rows = len(fold.held_out)
    if problem.task.kind is TaskKind.REGRESSION:
        y = problem.y[fold.train]
        return rng.uniform(y.min(), y.max(), size=(n_rows, 1))
    if problem.task.kind is TaskKind.BINARY:
        return rng.uniform(size=(n_rows, 1))
    return rng.dirichlet(np.ones(problem.task.n_outputs), size=n_rows)


def _as_outputs(problem: Problem, target: FloatArray) -> FloatArray:
    """Return target values as predictions that are sure of themselves."""
    if problem.task.n_outputs == 1:
        return target[:, None]
    return np.eye(problem.task.n_outputs)[target.astype(np.intp)]


def _existing(problem: Problem, existing: Any) -> CrossFit:
    """Read an existing system's labels, values or probabilities; rows without one are left out."""
    # As a pandas frame, any other kind keeps its names, which say whose probabilities its columns hold.
    existing = existing.to_pandas() if hasattr(existing, "to_pandas") else existing
    existing = take_rows(existing, problem.kept)
    check_existing(existing, problem.n_rows)
    values = existing if isinstance(existing, pd.DataFrame) else pd.DataFrame(np.asarray(existing))
    if isinstance(existing, pd.Series):
        values.columns = pd.Index([existing.name])
    rows = np.flatnonzero(values.notna().all(axis=1).to_numpy())
    if not len(rows):
        raise InputError(
            "existing has no row without a missing value. Pass predictions of the training rows."
        )
    covered = values.iloc[rows]
    predictions = (
        _one_column(problem, covered.iloc[:, 0].infer_objects())
        if covered.shape[1] == 1
        else _probabilities(problem, covered)
    )
    return _crossfit(problem, _candidate(EXISTING, EXISTING), rows, predictions)


def _one_column(problem: Problem, values: "pd.Series[Any]") -> FloatArray:
    task = problem.task
    if task.kind is TaskKind.REGRESSION:
        return _numbers(values)[:, None]
    classes = pd.Index(list(task.classes), dtype=object)
    codes = classes.get_indexer(pd.Index(values.tolist(), dtype=object))
    if (codes >= 0).all():
        return _as_outputs(problem, codes.astype(np.float64))
    if task.kind is TaskKind.BINARY and pd.api.types.is_numeric_dtype(values):
        if isinstance(values.name, str) and values.name == str(task.classes[0]):
            raise InputError(
                f"existing is one column called {values.name!r}, the other class. Pass the probability of "
                f"{task.classes[1]!r}."
            )
        return _within_0_1(_numbers(values)[:, None])
    stranger = values.iloc[int(np.argmax(codes < 0))]
    raise InputError(
        f"existing holds {stranger!r}, which is not a class of {task.target!r}. The classes are "
        f"{', '.join(map(repr, task.classes[:10]))}. Pass labels, or probabilities with a column a class."
    )


def _probabilities(problem: Problem, values: pd.DataFrame) -> FloatArray:
    classes = list(problem.task.classes)
    if values.shape[1] != len(classes) or not classes:
        wanted = f"1 or {len(classes)} columns" if classes else "1 column"
        raise InputError(
            f"existing has {values.shape[1]} columns; a {problem.task.kind} target takes {wanted}."
        )
    values = values.iloc[:, _places_of_classes(problem.task, list(values.columns))]
    shares = _within_0_1(np.stack([_numbers(values.iloc[:, i]) for i in range(len(classes))], axis=1))
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    return shares if problem.task.n_outputs > 1 else shares[:, 1:]


def _places_of_classes(task: Task, names: list[Any]) -> list[int]:
    """Return in which column each class is: by name, also as text; by position where nothing was named."""
    labels = task.labels(np.arange(len(names)), pd.RangeIndex(len(names))).tolist()
    for known, given in ((labels, names), (list(map(str, labels)), list(map(str, names)))):
        if set(known) == set(given):
            return [given.index(label) for label in known]
    if names == list(range(len(names))):
        return names
    raise InputError(
        f"existing has the columns {', '.join(map(repr, names[:10]))}; the classes of {task.target!r} are "
        f"{', '.join(map(repr, labels[:10]))}. Name each column by its class, or pass an array with the "
        "columns in this order."
    )


def _numbers(values: "pd.Series[Any]") -> FloatArray:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(numbers).all():
        stranger = values.iloc[int(np.argmin(np.isfinite(numbers)))]
        raise InputError(
            f"existing holds {stranger!r}, which is not a finite number. Pass numbers, or leave it empty."
        )
    return numbers


def _within_0_1(shares: FloatArray) -> FloatArray:
    outside = (shares < 0) | (shares > 1)
    if outside.any():
        raise InputError(
            f"existing holds {shares[outside][0]:g}, which is not a probability. Pass values from 0 to 1."
        )
    return shares
