"""What is kept of a run beside its results: on what, with which settings, in which environment."""

import platform
from collections.abc import Mapping, Sized
from dataclasses import asdict, dataclass, fields, is_dataclass

import numpy as np

from tabular_automl.core.budget import available_cores
from tabular_automl.core.digest import Json, digest_json
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.versions import installed_version
from tabular_automl.crossfit.fold_key import ProblemIdentity

# Beside those of the learners, which are kept with each family that is used.
LIBRARIES = ("joblib", "numpy", "optuna", "pandas", "pyarrow", "scikit-learn", "scipy")
# A longer list is one value a row.
MOST_ITEMS = 100


@dataclass(frozen=True)
class RunFacts:
    """A run as it starts.

    Attributes
    ----------
    problem
        Hash of all that the problem contributes to the keys of fits (`problem_digest`).
    data, plan
        Hash of features, target and weights; hash of the fold plan.
    loss, metric
        Names of the loss that learners are trained on, and of the metric.
    seed
        All randomness is derived from it.
    settings
        What the caller asked for, as JSON.
    environment
        Python, platform, cores, versions of this package and of libraries, as JSON.
    """

    problem: str
    data: str
    plan: str
    loss: str
    metric: str
    seed: int
    settings: Mapping[str, Json]
    environment: Mapping[str, Json]

    @classmethod
    def of(cls, problem: Problem, options: Options, identity: ProblemIdentity) -> "RunFacts":
        """Collect the facts of a run that is about to start."""
        return cls(
            problem_digest(identity),
            problem.digest,
            problem.folds.digest,
            identity.loss,
            problem.task.metric,
            int(options.seed),
            {part.name: as_json(getattr(options, part.name)) for part in fields(options)},
            _environment(),
        )


def problem_digest(identity: ProblemIdentity) -> str:
    """Hash what the problem contributes to the keys of fits: runs that share it can use each other's."""
    return digest_json(asdict(identity))


def _environment() -> dict[str, Json]:
    versions = {name: installed_version(name) for name in LIBRARIES}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": available_cores(),
        "tabular_automl": installed_version("tabular_automl"),
        "libraries": {name: found for name, found in versions.items() if found is not None},
    }


def as_json(value: object) -> Json:
    """Return a setting as JSON; arrays, splitters and the like by what they are, not by their content.

    Examples
    --------
    >>> as_json({"folds": 3, "weight": np.ones(200)})
    {'folds': 3, 'weight': 'ndarray of 200'}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: as_json(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): as_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and len(value) <= MOST_ITEMS:
        return [as_json(inner) for inner in value]
    if isinstance(value, Sized):
        return f"{type(value).__name__} of {len(value)}"
    return str(getattr(value, "__name__", type(value).__name__)) if callable(value) else str(value)
