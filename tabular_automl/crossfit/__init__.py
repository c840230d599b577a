"""Fits candidates on folds: fold jobs, workers, the run store. Processes and joblib live only here."""

from tabular_automl.crossfit.cross_fit import cross_fit
from tabular_automl.crossfit.fold_key import FitSettings, ProblemIdentity, fold_key
from tabular_automl.crossfit.given_up_key import given_up_key
from tabular_automl.crossfit.history import RunHistory
from tabular_automl.crossfit.interrupt import first_ctrl_c
from tabular_automl.crossfit.joint_round import joint_round, rounds_without_each
from tabular_automl.crossfit.load_models import load_models
from tabular_automl.crossfit.pace import Pace
from tabular_automl.crossfit.probe import probe
from tabular_automl.crossfit.refit import Refit, refit
from tabular_automl.crossfit.request import Request
from tabular_automl.crossfit.request_outcome import RequestOutcome
from tabular_automl.crossfit.run_facts import RunFacts
from tabular_automl.crossfit.run_folder import is_removed_by_runs, is_run_folder
from tabular_automl.crossfit.runtime import EncodedMatrix, Runtime
from tabular_automl.crossfit.start_workers import start_workers
from tabular_automl.crossfit.store import RunStore
from tabular_automl.crossfit.workers import Workers

__all__ = [
    "EncodedMatrix",
    "FitSettings",
    "Pace",
    "ProblemIdentity",
    "Refit",
    "Request",
    "RequestOutcome",
    "RunFacts",
    "RunHistory",
    "RunStore",
    "Runtime",
    "Workers",
    "cross_fit",
    "first_ctrl_c",
    "fold_key",
    "given_up_key",
    "is_removed_by_runs",
    "is_run_folder",
    "joint_round",
    "load_models",
    "probe",
    "refit",
    "rounds_without_each",
    "start_workers",
]
