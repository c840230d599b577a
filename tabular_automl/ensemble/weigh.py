"""The last stage: choose members and weights, load them, and say what to expect."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.ensemble import (
    Comparison,
    Ensemble,
    FittedEnsemble,
    FittedMember,
    HonestScore,
    Member,
)
from tabular_automl.core.errors import FoldPlanMismatchError, TabularAutoMLError
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.folds import TIME_ORDERED
from tabular_automl.core.metrics import Metric, metric_named
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit.load_models import load_models
from tabular_automl.crossfit.runtime import Runtime
from tabular_automl.ensemble.bootstrap import Resamples, resample
from tabular_automl.ensemble.compare import HUMAN_LEVEL, compare, compare_number
from tabular_automl.ensemble.greedy import weights_of
from tabular_automl.ensemble.honest_score import honest_score
from tabular_automl.ensemble.pool import MAX_ROWS, Pool, class_codes, scored_part, thinned_rows
from tabular_automl.ensemble.selection_cost import affordable_rows
from tabular_automl.learners import learner_for

SECONDS_OF_COMPARABLE = 0.4


@dataclass(frozen=True, eq=False)
class Weighed:
    """What `weigh` found: the ensemble, ready to predict, with what to expect of it."""

    ensemble: Ensemble
    fitted: FittedEnsemble
    score: HonestScore
    comparisons: tuple[Comparison, ...]


def weigh(
    problem: Problem,
    baselines: Sequence[CrossFit],
    results: Sequence[CrossFit | Failure],
    runtime: Runtime,
    *,
    human_level: float | None = None,
) -> Weighed:
    """Choose the ensemble, load its models, estimate its score, and compare it with the baselines.

    Candidates are weighed on the rows that all of them cover. Those that ran on fewer folds than others cost
    rows, and are let in only where they pay for it (`_comparable`). On a time-ordered plan a member predicts
    with the model of fold 0 alone: those of the other folds have not seen the most recent rows.

    Parameters
    ----------
    problem
        What is being solved.
    baselines
        The bar; never members.
    results
        The candidates; failures are passed over.
    runtime
        Gives encoders, the seed and the event sink.
    human_level
        The score people reach, in the metric's own direction, to compare with.

    Raises
    ------
    TabularAutoMLError
        If not one candidate was fitted.
    """
    crossfits = longest_of_each(result for result in results if isinstance(result, CrossFit))
    if not crossfits:
        raise TabularAutoMLError(_nothing_fitted(results))
    metric = metric_named(problem.task.metric, problem.task.kind)
    eligible = _eligible(crossfits, metric)
    compared = _comparable(tuple(_seen_by(metric, fit, problem) for fit in eligible), problem, metric)
    rows = _shared_rows(compared)
    pool = _pool(compared, rows, problem, metric)
    weights = weights_of(pool)
    members = _members(compared, weights)
    runtime.emit("weigh", f"Chose {len(members)} of {len(crossfits)} candidates on {len(rows):,} rows.")
    resamples = resample(pool, weights, runtime.seed)
    score = honest_score(resamples)
    runtime.emit("weigh", f"Expected on new rows: {score}.")
    return Weighed(
        ensemble=Ensemble(members),
        fitted=_fitted(members, crossfits, problem, runtime),
        score=score,
        comparisons=_comparisons(problem, baselines, resamples, human_level),
    )


def longest_of_each(crossfits: Iterable[CrossFit]) -> tuple[CrossFit, ...]:
    """Return one cross fit a candidate: that on most rows, where a candidate was taken up again."""
    found: dict[str, CrossFit] = {}
    for fit in crossfits:
        known = found.get(fit.candidate.key)
        if known is None or len(known.rows) <= len(fit.rows):
            found[fit.candidate.key] = fit
    return tuple(found.values())


def _eligible(crossfits: tuple[CrossFit, ...], metric: Metric) -> tuple[CrossFit, ...]:
    """Leave out candidates without features where order alone counts: they move whole folds, not rows."""
    if metric.name != "roc_auc":
        return crossfits
    ranking = [fit for fit in crossfits if learner_for(fit.candidate.family).capabilities.needs_features]
    return tuple(ranking) or crossfits


def _seen_by(metric: Metric, fit: CrossFit, problem: Problem) -> CrossFit:
    """Keep the outputs the metric looks at, before predictions of many classes are stacked."""
    return replace(fit, predictions=scored_part(fit.predictions, problem.y[fit.rows], metric)[0])


def _comparable(fits: tuple[CrossFit, ...], problem: Problem, metric: Metric) -> tuple[CrossFit, ...]:
    """Return the candidates to weigh together: more candidates, or more rows to judge them on.

    For each number of rows that some candidate covers, the candidates that cover at least as many are
    weighed. The resulting ensembles are compared on the rows that all candidates share, each loss raised by
    1 / sqrt(rows): about what is lost by judging on fewer rows. The lowest wins. The honest score does not
    repeat this choice.
    """
    sizes = sorted({len(fit.rows) for fit in fits}, reverse=True)
    if len(sizes) == 1:
        return fits
    seconds = SECONDS_OF_COMPARABLE / len(sizes)
    max_rows = affordable_rows(metric, len(fits), fits[0].predictions.shape[1], seconds)
    judge = _pool(fits, _shared_rows(fits), problem, metric)
    best, best_loss = fits, np.inf
    for size in sizes:
        positions = [position for position, fit in enumerate(fits) if len(fit.rows) >= size]
        admitted = tuple(fits[position] for position in positions)
        rows = _shared_rows(admitted)
        weights = np.zeros(len(fits))
        weights[positions] = weights_of(
            _pool(admitted, rows, problem, metric, max_rows=max_rows), seconds=seconds
        )
        loss = judge.loss(weights) * (1 + len(rows) ** -0.5)
        if loss < best_loss:
            best, best_loss = admitted, loss
    return best


def _shared_rows(fits: tuple[CrossFit, ...]) -> NDArray[np.intp]:
    """Return the rows that all candidates cover."""
    plans = {fit.plan for fit in fits}
    if len(plans) != 1:
        raise FoldPlanMismatchError(
            f"Cannot weigh results of {len(plans)} fold plans together; fit them on the same one."
        )
    distinct = {fit.rows.tobytes(): fit.rows for fit in fits}
    return reduce(partial(np.intersect1d, assume_unique=True), distinct.values())


def _pool(
    fits: tuple[CrossFit, ...],
    rows: NDArray[np.intp],
    problem: Problem,
    metric: Metric,
    *,
    max_rows: int = MAX_ROWS,
) -> Pool:
    """Stack candidates on at most ``max_rows`` of the given rows, thinned before any of them is copied."""
    if problem.weight is not None:
        rows = rows[problem.weight[rows] > 0]  # a resample of rows that all weigh 0 could not be judged
    classes = class_codes(problem.y[rows], metric)
    weight = None if problem.weight is None else problem.weight[rows]
    if len(rows) > max_rows:
        kept, factor = thinned_rows(len(rows), max_rows, classes)
        rows, classes = rows[kept], None if classes is None else classes[kept]
        weight = factor if weight is None else weight[kept] * factor
    # After `_seen_by`, one column is left of a multiclass log-loss: the true class's, with a target of ones.
    reduced = fits[0].predictions.shape[1] < problem.task.n_outputs
    return Pool(
        predictions=np.stack([fit.predictions[np.searchsorted(fit.rows, rows)] for fit in fits]),
        y=np.ones(len(rows)) if reduced else problem.y[rows],
        weight=weight,
        metric=metric,
        rows=rows,
        blocks=None if problem.folds.blocks is None else problem.folds.blocks[rows],
        classes=classes,
    )


def _members(fits: tuple[CrossFit, ...], weights: FloatArray) -> tuple[Member, ...]:
    """Return the members, the heaviest first."""
    order = np.argsort(-weights, kind="stable")
    return tuple(Member(fits[i].candidate, float(weights[i])) for i in order if weights[i] > 0)


def _fitted(
    members: tuple[Member, ...], crossfits: tuple[CrossFit, ...], problem: Problem, runtime: Runtime
) -> FittedEnsemble:
    by_candidate = {fit.candidate.key: fit for fit in crossfits}
    fitted = []
    for member in members:
        fit = by_candidate[member.candidate.key]
        if problem.folds.scheme == TIME_ORDERED:
            fit = replace(fit, folds=fit.folds[:1])
        encoder = runtime.encoder(member.candidate.recipe)
        fitted.append(FittedMember(member, encoder, load_models(fit), fit.joint_round))
    return FittedEnsemble(tuple(fitted))


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
