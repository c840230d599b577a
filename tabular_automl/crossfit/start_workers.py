"""Starts what runs the jobs of a run."""

from collections.abc import Sequence
from multiprocessing import current_process

from tabular_automl.core.budget import Budget
from tabular_automl.core.errors import TabularAutoMLError
from tabular_automl.crossfit.in_process_workers import InProcessWorkers
from tabular_automl.crossfit.occupancy import Occupancy
from tabular_automl.crossfit.process_workers import ProcessWorkers
from tabular_automl.crossfit.workers import Workers
from tabular_automl.learners import FAMILIES


def start_workers(budget: Budget, families: Sequence[str] | None = None) -> Workers:
    """Start processes, or for one job of a run that counts alone bound take this process.

    What runs in this process cannot be killed, so a time limit takes a process for one job, too. Returns at
    once; while the caller goes on, processes import what the families (None: all of them) need.

    Raises
    ------
    TabularAutoMLError
        If processes are needed and this one may not start any, as in joblib's multiprocessing backend.
    """
    if budget.n_jobs == 1 and not budget.timed:
        return InProcessWorkers(Occupancy(budget.clock))
    if current_process().daemon:
        raise TabularAutoMLError(
            "This process is a daemon, which may not start worker processes. Use joblib's loky backend, or "
            "n_jobs=1 with max_candidates and without time_limit to fit in this process."
        )
    named = FAMILIES if families is None else families
    return ProcessWorkers(budget.n_jobs, named, Occupancy(budget.clock))
