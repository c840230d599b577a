"""Everything a caller of `fit` may say, as one frozen record."""

import math
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from tabular_automl.core.candidate import Value
from tabular_automl.core.did_you_mean import did_you_mean
from tabular_automl.core.errors import InputError
from tabular_automl.core.given_path import given_path
from tabular_automl.core.metrics import check_metric
from tabular_automl.core.progress import Event
from tabular_automl.core.search import Search
from tabular_automl.core.task import TaskKind

DEFAULT_SECONDS = 300.0

ANY_CLASSIFICATION = "classification"
MISSING_TARGET = ("error", "drop")
TASK_NAMES = (ANY_CLASSIFICATION, *(str(kind) for kind in TaskKind))


@dataclass(frozen=True, eq=False)
class Options:
    """The arguments of `fit` directly behind the door; see `tabular_automl.fit` for their meaning."""

    target: Any
    task: str | None = None
    metric: str | None = None
    time_limit: float | Literal["auto"] | None = "auto"
    max_candidates: int | None = None
    n_jobs: int = -1
    seed: int = 0
    weight: Any = None
    groups: Any = None
    time_column: Any = None
    splitter: Any = None
    schema: Mapping[Any, str] | None = None
    candidates: Sequence[tuple[str, Mapping[str, Value]]] = ()
    families: Sequence[str] | None = None
    search: Search = field(default_factory=Search)
    existing: Any = None
    human_level: float | None = None
    run_dir: str | os.PathLike[str] | None = None
    progress: bool | Callable[[Event], None] | None = None
    strict: bool = False
    missing_target: str = "error"

    @property
    def kinds(self) -> Mapping[Any, str]:
        """Kinds of columns that the user has set, by name."""
        return {} if self.schema is None else self.schema

    @property
    def seconds(self) -> float | None:
        """Seconds the fit may take, None for no limit; ``auto`` leaves a run bounded by counts alone."""
        if isinstance(self.time_limit, str):
            return DEFAULT_SECONDS if self.max_candidates is None else None
        return None if self.time_limit == math.inf else self.time_limit

    def __post_init__(self) -> None:
        _check_task_and_metric(self.task, self.metric)
        _check_bounds(self.time_limit, self.max_candidates, self.n_jobs)
        if not _is_whole(self.seed):
            raise InputError(f"seed is {self.seed!r}; give a whole number.")
        if self.human_level is not None and not _is_finite(self.human_level):
            raise InputError(f"human_level is {self.human_level!r}; give a score of the metric, such as 0.9.")
        if isinstance(self.existing, str):
            raise InputError(
                f"existing={self.existing!r} is a text, not predictions. Pass one prediction a row, such as "
                f"df[{self.existing!r}]."
            )
        _check_strictness(self.strict, self.missing_target)
        _check_schema(self.schema)
        _check_families(self.families)
        _check_candidates(self.candidates, self.max_candidates)
        _check_search(self.search)
        if self.run_dir is not None:
            given_path(self.run_dir, "run_dir")
        _check_progress(self.progress)
        for name in ("time_limit", "max_candidates", "n_jobs", "seed", "human_level", "progress", "strict"):
            object.__setattr__(self, name, _plain(getattr(self, name)))
        if isinstance(self.families, set | frozenset):
            # A set has no order of its own, and one seed must give one model.
            object.__setattr__(self, "families", tuple(sorted(self.families)))


def _check_task_and_metric(task: Any, metric: Any) -> None:
    if task is not None and (not isinstance(task, str) or task not in TASK_NAMES):
        hint = did_you_mean(task, TASK_NAMES)
        raise InputError(f"There is no task {task!r}.{hint} Use one of: {', '.join(TASK_NAMES)}.")
    if metric is not None:
        if not isinstance(metric, str):
            raise InputError(f"metric is {metric!r}; give the name of one, such as 'log_loss'.")
        # Whether it fits the target is seen once that is read; two classes are binary whatever is asked.
        asked = set(TaskKind) if task is None else {TaskKind.BINARY, TaskKind.MULTICLASS}
        check_metric(metric, {TaskKind(task)} if task in {TaskKind.BINARY, TaskKind.REGRESSION} else asked)


def _check_bounds(time_limit: Any, max_candidates: Any, n_jobs: Any) -> None:
    if not _is_time_limit(time_limit):
        raise InputError(f"time_limit is {time_limit!r}; give seconds above 0, or None for no limit.")
    if max_candidates is not None and not (_is_whole(max_candidates) and max_candidates > 0):
        raise InputError(
            f"max_candidates is {max_candidates!r}; give a whole number from 1 up, or None for no bound."
        )
    if not _is_whole(n_jobs) or n_jobs == 0:
        raise InputError(f"n_jobs is {n_jobs!r}; give the number of workers, or -1 for all cores.")


def _is_time_limit(value: Any) -> bool:
    if value is None or isinstance(value, str):
        return value in {None, "auto"}
    return _is_number(value) and (value == math.inf or (_is_finite(value) and value > 0))


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    """Return whether it is a number that a float can hold."""
    return _is_number(value) and bool(abs(value) <= sys.float_info.max)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """Return numbers as Python's own: the settings of a run are kept as JSON."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def _check_strictness(strict: Any, missing_target: Any) -> None:
    if not isinstance(strict, bool | np.bool_):
        raise InputError(f"strict is {strict!r}; say True or False.")
    if not isinstance(missing_target, str) or missing_target not in MISSING_TARGET:
        raise InputError(
            f"missing_target is {missing_target!r}; say 'drop' to leave out rows without a target, or "
            "'error' to stop at them."
        )


def _check_schema(schema: Any) -> None:
    way_out = "Give kinds of columns by name, such as schema={'zip': 'categorical'}."
    if schema is None:
        return
    if not isinstance(schema, Mapping):
        raise InputError(f"schema is a {type(schema).__name__}. {way_out}")
    for name, kind in schema.items():
        if not isinstance(kind, str):
            raise InputError(f"schema sets column {str(name)!r} to {kind!r}, which is no text. {way_out}")


def _check_families(families: Any) -> None:
    if families is None:
        return
    if isinstance(families, str) or not isinstance(families, Collection):
        raise InputError(f"families is {families!r}; give a list, such as families=['lightgbm'].")
    strangers = [family for family in families if not isinstance(family, str)]
    if strangers:
        raise InputError(f"families holds {strangers[0]!r}; give names, such as families=['lightgbm'].")
    if not len(families):
        raise InputError("families is empty, so that nothing could be fitted. Leave it out for all families.")


def _check_candidates(candidates: Any, most: int | None) -> None:
    way_out = "Give pairs of a family and hyperparameters, such as [('lightgbm', {'num_leaves': 7})]."
    if isinstance(candidates, str | Mapping) or not isinstance(candidates, Collection):
        raise InputError(f"candidates is {candidates!r}. {way_out}")
    for number, candidate in enumerate(candidates, start=1):
        is_pair = isinstance(candidate, tuple | list) and len(candidate) == 2
        if not is_pair or not isinstance(candidate[0], str) or not isinstance(candidate[1], Mapping):
            raise InputError(f"Candidate {number} is {candidate!r}. {way_out}")
        for name, value in candidate[1].items():
            if not isinstance(name, str):
                raise InputError(f"Candidate {number} names a hyperparameter {name!r}. {way_out}")
            if not isinstance(value, str | int | float | bool | np.generic | None):
                raise InputError(
                    f"Candidate {number} sets {name!r} to {value!r}, a {type(value).__name__}; give a "
                    "number, a text, a truth value or None."
                )
    if most is not None and len(candidates) > most:
        raise InputError(
            f"There are {len(candidates)} candidates of your own, and all are fitted, but max_candidates is "
            f"{most}. Raise it, or leave some of them out."
        )


def _check_search(search: object) -> None:
    if not isinstance(search, Search):
        raise InputError(f"search is {search!r}; give a record, such as ta.Search(sampler='random').")


def _check_progress(progress: object) -> None:
    if not (progress is None or isinstance(progress, bool | np.bool_) or callable(progress)):
        raise InputError(
            f"progress is {progress!r}; give True, False, None, or a function that takes each event, such as "
            "print."
        )
