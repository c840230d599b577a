"""The last stage: choose members and weights, load them, and say what to expect."""

from collections.abc import Sequence
from dataclasses import dataclass

from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.ensemble import (
    Comparison,
    Ensemble,
    FittedEnsemble,
    HonestScore,
    Member,
)
from tabular_automl.core.errors import TabularAutoMLError
from tabular_automl.core.forecast import Forecast
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit.runtime import Runtime
from tabular_automl.ensemble.bootstrap import Resamples, resample
from tabular_automl.ensemble.choose import Chosen, choose
from tabular_automl.ensemble.compare import HUMAN_LEVEL, compare, compare_number
from tabular_automl.ensemble.forecast import forecast
from tabular_automl.ensemble.honest_score import honest_score
from tabular_automl.ensemble.serve import serve
from tabular_automl.learners.prior import Prior

# When so much of the time that is kept for weighing is gone, choosing ends, so does resampling, and so does
# the forecast.
CHOOSING_SHARE = 0.4
RESAMPLING_SHARE = 0.8
LOOKING_AHEAD_SHARE = 0.95


@dataclass(frozen=True, eq=False)
class Weighed:
    """What `weigh` found: the ensemble, ready to predict, with what to expect of it, and of more time."""

    ensemble: Ensemble
    fitted: FittedEnsemble
    score: HonestScore
    comparisons: tuple[Comparison, ...]
    forecast: Forecast
    failures: tuple[Failure, ...] = ()


def weigh(
    problem: Problem,
    baselines: Sequence[CrossFit],
    results: Sequence[CrossFit | Failure],
    runtime: Runtime,
    *,
    human_level: float | None = None,
) -> Weighed:
    """Choose the ensemble, refit and load its models, estimate its score, look back and ahead.

    The score is compared with the baselines, and a forecast tells what more time would bring.

    Candidates are weighed on the rows that all of them cover. Those that ran on fewer folds than others cost
    rows, and are let in only where they pay for it (`choose`). What members predict with is said in `serve`;
    their scores come from the fold models alone. If the models of a member cannot be loaded, the others are
    weighed again.

    Parameters
    ----------
    problem
        What is being solved.
    baselines
        The bar; never members.
    results
        The candidates; failures are passed over.
    runtime
        Fits and loads the refits as far as time allows; gives encoders, the seed and the event sink.
    human_level
        The score people reach, in the metric's own direction, to compare with.

    Raises
    ------
    TabularAutoMLError
        If not one candidate was fitted.
    """
    budget = runtime.budget
    chosen, fitted, failures = _served(problem, results, runtime)
    resamples = resample(
        chosen.pool, chosen.weights, runtime.seed, hurry=lambda: budget.used_up(RESAMPLING_SHARE)
    )
    score = honest_score(resamples)
    runtime.tracker.expect(score)
    runtime.emit("weigh", f"Expected on new rows: {score}.")
    outlook = forecast(
        chosen, score, budget, seed=runtime.seed, hurry=lambda: budget.used_up(LOOKING_AHEAD_SHARE)
    )
    runtime.emit("weigh", str(outlook))
    return Weighed(
        ensemble=Ensemble(chosen.members),
        fitted=fitted,
        score=score,
        comparisons=_comparisons(problem, baselines, resamples, human_level),
        forecast=outlook,
        failures=failures,
    )


def _served(
    problem: Problem, results: Sequence[CrossFit | Failure], runtime: Runtime
) -> tuple[Chosen, FittedEnsemble, tuple[Failure, ...]]:
    """Choose members and make them ready; where some cannot be loaded, choose again without them."""
    budget = runtime.budget
    failures: dict[tuple[str, str], Failure] = {}
    while True:
        chosen = choose(problem, results, seed=runtime.seed, hurry=lambda: budget.used_up(CHOOSING_SHARE))
        if chosen is None:
            raise TabularAutoMLError(_nothing_fitted(results))
        runtime.emit("weigh", f"Chose {_in_words(chosen.members, results)} on {chosen.n_rows:,} rows.")
        fitted, failed, lost = serve(chosen.weighted, problem, runtime)
        # A refit that failed is tried again, and told of once.
        failures |= {(one.candidate.key, one.reason): one for one in (*failed, *lost)}
        if not lost:
            return chosen, fitted, tuple(failures.values())
        lost_keys = {one.candidate.key for one in lost}
        results = [*(one for one in results if one.candidate.key not in lost_keys), *lost]


def _in_words(members: Sequence[Member], results: Sequence[CrossFit | Failure]) -> str:
    """Return how many candidates were chosen; the prior is none that anybody asked for."""
    keys = {one.candidate.key for one in results if isinstance(one, CrossFit)}
    prior = {one.candidate.key for one in results if one.candidate.family == Prior.family}
    n_chosen, number = sum(m.candidate.key not in prior for m in members), len(keys - prior)
    besides = " and the prior" if n_chosen and n_chosen < len(members) else ""
    return f"{n_chosen or 'none'} of {number} candidate{'s' * (number != 1)}{besides}"


def _comparisons(
    problem: Problem, baselines: Sequence[CrossFit], resamples: Resamples, human_level: float | None
) -> tuple[Comparison, ...]:
    found = [compare(baseline, problem, resamples) for baseline in baselines]
    comparisons = [comparison for comparison in found if comparison is not None]
    if human_level is not None:
        comparisons.append(compare_number(HUMAN_LEVEL, human_level, resamples))
    return tuple(comparisons)


def _nothing_fitted(results: Sequence[CrossFit | Failure]) -> str:
    failures = [result for result in results if isinstance(result, Failure)]
    if not failures:
        return "No model was fitted before time ran out. Raise time_limit."
    shown = "; ".join(f"{failure.candidate.name}: {failure.reason}" for failure in failures[:3])
    return f"Every candidate failed ({len(failures)}), so there is no model. First reasons: {shown}."
