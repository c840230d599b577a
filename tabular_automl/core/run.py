"""The record of one finished fit: report, artifact and scoring read it, nothing writes to it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.digest import Json
from tabular_automl.core.ensemble import Comparison, Ensemble, FittedEnsemble, HonestScore
from tabular_automl.core.forecast import Forecast
from tabular_automl.core.schema import Finding, Schema
from tabular_automl.core.task import Task
from tabular_automl.core.utilisation import Utilisation


@dataclass(frozen=True, eq=False)
class Run:
    """Everything a fit found out.

    Attributes
    ----------
    schema, task, findings
        What the data is and what was found wrong with it.
    scheme, n_folds
        The fold plan in words; the folds of one repeat.
    y, weight
        Canonical target and weights of the training rows, shape (n_rows,).
    baselines, crossfits, failures
        Every candidate and every baseline on folds of the same plan, and whatever failed or was skipped.
    ensemble, fitted, score, comparisons
        What was chosen, ready to predict, what to expect of it, and how far it is above the baselines.
    seconds
        Wall seconds by stage, ``total`` among them.
    settings
        The options that shaped the run, as JSON.
    versions
        Versions of this package, Python and the libraries used.
    forecast
        What more time would bring; None where nobody asked.
    utilisation
        How well the cores were used; None where it was not measured.
    """

    schema: Schema
    task: Task
    findings: tuple[Finding, ...]
    scheme: str
    n_folds: int
    y: NDArray[np.float64]
    weight: NDArray[np.float64] | None
    baselines: tuple[CrossFit, ...]
    crossfits: tuple[CrossFit, ...]
    failures: tuple[Failure, ...]
    ensemble: Ensemble
    fitted: FittedEnsemble
    score: HonestScore
    comparisons: tuple[Comparison, ...]
    seconds: Mapping[str, float]
    settings: Mapping[str, Json]
    versions: Mapping[str, str]
    forecast: Forecast | None = None
    utilisation: Utilisation | None = None
