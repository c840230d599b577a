"""The last stage: choose members and weights, load them, and say what to expect."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tabular_automl.core.crossfit import CommonRows, CrossFit, Failure
from tabular_automl.core.ensemble import (
    Comparison,
    Ensemble,
    FittedEnsemble,
    FittedMember,
    HonestScore,
    Member,
)
from tabular_automl.core.errors import TabularAutoMLError
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.metrics import Metric, metric_named
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit.load_models import load_models
from tabular_automl.crossfit.runtime import Runtime
from tabular_automl.ensemble.bootstrap import Resamples, resample
from tabular_automl.ensemble.compare import HUMAN_LEVEL, compare, compare_number
from tabular_automl.ensemble.greedy import greedy_selection
from tabular_automl.ensemble.honest_score import honest_score
from tabular_automl.ensemble.pool import Pool, scored_part
from tabular_automl.learners import learner_for


@dataclass(frozen=True, eq=False)
class Weighed:
    """What `weigh` found: the ensemble, ready to predict, with what to expect of it."""

    ensemble: Ensemble
    fitted: FittedEnsemble
    score: HonestScore
    comparisons: tuple[Comparison, ...]


def weigh(  # noqa: PLR0917 - the stages of the story share this order
    problem: Problem,
    options: Options,
    baselines: Sequence[CrossFit],
    results: Sequence[CrossFit | Failure],
    runtime: Runtime,
) -> Weighed:
    """Choose the ensemble, load its models, estimate its score, and compare it with the baselines.

    Candidates are weighed on the rows that all of them cover. Those that ran on fewer folds than others cost
    rows, and are let in only where they pay for it (`_comparable`).

    Parameters
    ----------
    problem
        What is being solved.
    options
        The human level is read.
    baselines
        The bar; never members.
    results
        The candidates; failures are passed over.
    runtime
        Gives encoders, the seed and the event sink.

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
    pool = _pool(compared, problem, metric)
    weights = _weights(pool)
    members = _members(compared, weights)
    runtime.emit("weigh", f"Chose {len(members)} of {len(crossfits)} candidates on {pool.n_rows:,} rows.")
    resamples = resample(pool, weights, runtime.seed)
    score = honest_score(resamples)
    runtime.emit("weigh", f"Expected on new rows: {score}.")
    return Weighed(
        ensemble=Ensemble(members),
        fitted=_fitted(members, crossfits, runtime),
        score=score,
        comparisons=_comparisons(problem, options, baselines, resamples),
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
    1 / sqrt(rows): about what is lost by judging on fewer rows. The lowest wins.
    """
    sizes = sorted({len(fit.rows) for fit in fits}, reverse=True)
    if len(sizes) == 1:
        return fits
    shared = CommonRows.of(fits).rows
    best, best_loss = fits, np.inf
    for size in sizes:
        admitted = tuple(fit for fit in fits if len(fit.rows) >= size)
        pool = _pool(admitted, problem, metric)
        loss = pool.take(np.searchsorted(pool.rows, shared)).loss(_weights(pool)) * (1 + pool.n_rows**-0.5)
        if loss < best_loss:
            best, best_loss = admitted, loss
    return best


def _pool(fits: tuple[CrossFit, ...], problem: Problem, metric: Metric) -> Pool:
    common = CommonRows.of(fits)
    rows = common.rows
    # After `_seen_by`, one column is left of a multiclass log-loss: the true class's, with a target of ones.
    reduced = common.predictions.shape[2] < problem.task.n_outputs
    return Pool(
        predictions=common.predictions,
        y=np.ones(len(rows)) if reduced else problem.y[rows],
        weight=None if problem.weight is None else problem.weight[rows],
        metric=metric,
        rows=rows,
        blocks=None if problem.folds.blocks is None else problem.folds.blocks[rows],
    )


def _weights(pool: Pool) -> FloatArray:
    return greedy_selection(pool.predictions, pool.y, pool.weight, pool.metric)


def _members(fits: tuple[CrossFit, ...], weights: FloatArray) -> tuple[Member, ...]:
    """Return the members, the heaviest first."""
    order = np.argsort(-weights, kind="stable")
    return tuple(Member(fits[i].candidate, float(weights[i])) for i in order if weights[i] > 0)


def _fitted(members: tuple[Member, ...], crossfits: tuple[CrossFit, ...], runtime: Runtime) -> FittedEnsemble:
    by_candidate = {fit.candidate.key: fit for fit in crossfits}
    fitted = []
    for member in members:
        fit = by_candidate[member.candidate.key]
        encoder = runtime.encoder(member.candidate.recipe)
        fitted.append(FittedMember(member, encoder, load_models(fit), fit.joint_round))
    return FittedEnsemble(tuple(fitted))


def _comparisons(
    problem: Problem, options: Options, baselines: Sequence[CrossFit], resamples: Resamples
) -> tuple[Comparison, ...]:
    found = [compare(baseline, problem, resamples) for baseline in baselines]
    comparisons = [comparison for comparison in found if comparison is not None]
    if options.human_level is not None:
        comparisons.append(compare_number(HUMAN_LEVEL, options.human_level, resamples))
    return tuple(comparisons)


def _nothing_fitted(results: Sequence[CrossFit | Failure]) -> str:
    failures = [result for result in results if isinstance(result, Failure)]
    if not failures:
        return "No model was fitted before time ran out. Raise time_limit."
    shown = "; ".join(f"{failure.candidate.name}: {failure.reason}" for failure in failures[:3])
    return f"Every candidate failed ({len(failures)}), so there is no model. First reasons: {shown}."
