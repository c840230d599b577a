"""Starts what runs the jobs of a run."""

from collections.abc import Sequence
from multiprocessing import current_process

from tabular_automl.core.budget import Budget
from tabular_automl.core.errors import InputError, TabularAutoMLError
from tabular_automl.core.standard_descriptors import fill_standard_descriptors
from tabular_automl.crossfit.in_process_workers import InProcessWorkers
from tabular_automl.crossfit.occupancy import Occupancy
from tabular_automl.crossfit.process_workers import ProcessWorkers
from tabular_automl.crossfit.workers import Workers
from tabular_automl.learners import FAMILIES


def start_workers(budget: Budget, families: Sequence[str] | None = None) -> Workers:
    """Start processes, or for one job of a run without a time limit take this process.

    What runs in this process cannot be killed; so with a time limit even a single job gets a process, also
    where the limit only aborts a run bounded by counts. Returns at once; while the caller goes on, processes
    import what the families (None: all of them) need.

    Raises
    ------
    InputError
        If processes are needed and would not find a family, as it is defined in the script or notebook.
    TabularAutoMLError
        If processes are needed and this one may not start any, as in joblib's multiprocessing backend.
    """
    fill_standard_descriptors()
    if budget.n_jobs == 1 and budget.limit is None:
        return InProcessWorkers(Occupancy(budget.clock))
    if current_process().daemon:
        raise TabularAutoMLError(
            "This process is a daemon, which may not start worker processes. Use joblib's loky backend, or "
            "n_jobs=1 with max_candidates and without time_limit to fit in this process."
        )
    named = FAMILIES if families is None else families
    if homeless := [family for family in named if family.startswith("__main__:")]:
        raise InputError(
            f"Learner family {homeless[0]!r} is defined in the script or notebook itself, where worker "
            "processes do not find it. Put it into a module, or fit in this process: n_jobs=1 with "
            "max_candidates and without time_limit."
        )
    return ProcessWorkers(budget.n_jobs, named, Occupancy(budget.clock))
