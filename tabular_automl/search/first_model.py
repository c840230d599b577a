"""A first model even where the time was over before one: reading a table may take all of a short limit."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit import Runtime, cross_fit
from tabular_automl.search.allocate import Allocation
from tabular_automl.search.cost_model import CostModel
from tabular_automl.search.portfolio import PRIOR

# Beyond the limit a fit of the first model may take this share of it, at least so many seconds, and so many
# for each cell of the table, which must be read and binned before the first round.
OVERTIME_SHARE = 0.5
LEAST_OVERTIME = 2.0
OVERTIME_A_CELL = 4e-7
# A round that takes long, held-out predictions.
HARD_FACTOR = 1.5
MARGIN_SECONDS = 4.0
# For so long workers may still be starting; how often to look whether one is free.
START_SECONDS = 30.0
POLL_SECONDS = 0.1


def first_model(
    problem: Problem, wave: Sequence[Candidate], results: Sequence[CrossFit | Failure], runtime: Runtime
) -> tuple[CrossFit | Failure, ...]:
    """Fit the first of a wave beyond the time limit, if that left nothing but the prior.

    Without it, a fit whose limit is shorter than what it takes to read the table would predict the same for
    every row. It gets as little as there can be, and keeps the rounds it has when its overtime is over.
    """
    budget = runtime.budget
    has_model = any(isinstance(one, CrossFit) and one.candidate.family != PRIOR for one in results)
    # By name: with bigger steps a candidate has another key.
    failed = {one.candidate.name for one in results if isinstance(one, Failure) and not one.skipped}
    able = [candidate for candidate in wave if candidate.name not in failed]
    if has_model or not budget.timed or budget.cancelled or not able:
        return ()
    costs = CostModel.of(problem.shape, results, runtime.observations.paces)
    allocation = Allocation(costs, problem.folds.folds_per_repeat, budget.cores)
    offer = allocation.cheapest(able[0])
    n_cells = problem.n_rows * problem.shape.n_columns
    seconds = max(LEAST_OVERTIME, OVERTIME_SHARE * (budget.limit or 0.0), OVERTIME_A_CELL * n_cells)
    request = replace(offer.request, seconds=seconds)
    runtime.emit(
        "fit",
        f"The time limit left none for a model: {request.candidate.name} is fitted all the same, on "
        f"{request.n_folds} folds. Raise time_limit for more.",
        is_warning=True,
    )
    _wait_for_worker(runtime)
    n_rounds = ceil(request.n_folds / budget.cores)
    later = replace(runtime, budget=budget.from_now(n_rounds * HARD_FACTOR * seconds + MARGIN_SECONDS))
    return tuple(cross_fit(iter([request]), problem, later))


def _wait_for_worker(runtime: Runtime) -> None:
    """Wait until a worker is free: the overtime is for the fit, not for the start of its worker."""
    workers, budget = runtime.workers, runtime.budget
    end = budget.elapsed + START_SECONDS
    while not workers.free and not budget.cancelled and budget.elapsed < end:
        workers.wait(POLL_SECONDS)
