"""Which candidates make up the ensemble, and with which weights."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.crossfit import CrossFit, Failure, shared_rows
from tabular_automl.core.ensemble import Member
from tabular_automl.core.fitting import FloatArray, never
from tabular_automl.core.metrics import Metric, metric_named
from tabular_automl.core.problem import Problem
from tabular_automl.ensemble.bagged_selection import bagged_weights
from tabular_automl.ensemble.greedy import SECONDS_A_SELECTION, weights_of
from tabular_automl.ensemble.pool import MAX_ROWS, Pool, class_codes, scored_part, thinned_rows
from tabular_automl.ensemble.selection_cost import affordable_rows
from tabular_automl.learners import learner_for


@dataclass(frozen=True, eq=False)
class Chosen:
    """Candidates weighed together.

    Attributes
    ----------
    fits, weights
        What was weighed, and its weights, shape (len(fits),); none negative, they sum to 1.
    pool
        Their predictions on the rows they share.
    tried
        All candidates in the order in which they were finished, those left out included.
    n_rows
        How many rows all that were weighed cover.
    """

    fits: tuple[CrossFit, ...]
    weights: FloatArray
    pool: Pool
    tried: tuple[CrossFit, ...]
    n_rows: int

    @property
    def of(self) -> int:
        """How many candidates there were, those left out included."""
        return len(self.tried)

    @property
    def weighted(self) -> tuple[tuple[CrossFit, float], ...]:
        """The cross fits that carry weight, the heaviest first."""
        order = np.argsort(-self.weights, kind="stable")
        return tuple((self.fits[i], float(self.weights[i])) for i in order if self.weights[i] > 0)

    @property
    def members(self) -> tuple[Member, ...]:
        """The members of the ensemble, the heaviest first."""
        return tuple(Member(fit.candidate, weight) for fit, weight in self.weighted)


def choose(
    problem: Problem,
    results: Sequence[CrossFit | Failure],
    *,
    seed: int = 0,
    look: float | None = None,
    hurry: Callable[[], bool] = never,
) -> Chosen | None:
    """Weigh candidates on the rows that all of them cover; None if there is none.

    In earnest weights are means over selections on bootstrap draws (`bagged_weights`), at a look those of a
    single selection.

    Parameters
    ----------
    problem
        What is being solved.
    results
        The candidates; failures are passed over, and what the search left early (`CrossFit.pruned`).
    seed
        The user's seed.
    look
        For a look at how things stand, about how many core-seconds it may take: by a formula, it looks at so
        many rows. None: choose in earnest.
    hurry
        As in `bagged_weights`.
    """
    crossfits = longest_of_each(result for result in results if isinstance(result, CrossFit))
    whole = tuple(fit for fit in crossfits if not fit.pruned)
    if not whole:
        return None
    metric = metric_named(problem.task.metric, problem.task.kind)
    seen = {fit.candidate.key: _seen_by(metric, fit, problem) for fit in _eligible(whole, metric)}
    seconds = SECONDS_A_SELECTION if look is None else look
    most = MAX_ROWS if look is None else _affordable_rows(tuple(seen.values()), metric, look)
    compared = _comparable(tuple(seen.values()), problem, metric, seconds=seconds, max_rows=most)
    rows = shared_rows(compared)
    pool = _pool(compared, rows, problem, metric, max_rows=most)
    weights = bagged_weights(pool, seed, hurry) if look is None else weights_of(pool, seconds=seconds)
    by_key = {fit.candidate.key: fit for fit in crossfits}
    fits = tuple(by_key[fit.candidate.key] for fit in compared)
    return Chosen(fits, weights, pool, crossfits, len(rows))


def longest_of_each(crossfits: Iterable[CrossFit]) -> tuple[CrossFit, ...]:
    """Return one cross fit a candidate: that on most rows and folds, where one was taken up again."""
    found: dict[str, CrossFit] = {}
    for fit in crossfits:
        known = found.get(fit.candidate.key)
        if known is None or (len(known.rows), len(known.folds)) <= (len(fit.rows), len(fit.folds)):
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


def _comparable(
    fits: tuple[CrossFit, ...], problem: Problem, metric: Metric, *, seconds: float, max_rows: int
) -> tuple[CrossFit, ...]:
    """Return the candidates to weigh together: more candidates, or more rows to judge them on.

    For each number of rows that some candidate covers, the candidates that cover at least as many are
    weighed. The resulting ensembles are compared on the rows that all candidates share, each loss raised by
    1 / sqrt(rows): about what is lost by judging on fewer rows. The lowest wins. The honest score does not
    repeat this choice.
    """
    sizes = sorted({len(fit.rows) for fit in fits}, reverse=True)
    if len(sizes) == 1:
        return fits
    seconds /= len(sizes)
    weighed_rows = _affordable_rows(fits, metric, seconds)
    judge = _pool(fits, shared_rows(fits), problem, metric, max_rows=max_rows)
    best, best_loss = fits, np.inf
    for size in sizes:
        positions = [position for position, fit in enumerate(fits) if len(fit.rows) >= size]
        admitted = tuple(fits[position] for position in positions)
        rows = shared_rows(admitted)
        weights = np.zeros(len(fits))
        weights[positions] = weights_of(
            _pool(admitted, rows, problem, metric, max_rows=weighed_rows), seconds=seconds
        )
        loss = judge.loss(weights) * (1 + len(rows) ** -0.5)
        if loss < best_loss:
            best, best_loss = admitted, loss
    return best


def _affordable_rows(fits: tuple[CrossFit, ...], metric: Metric, seconds: float) -> int:
    return min(MAX_ROWS, affordable_rows(metric, len(fits), fits[0].predictions.shape[1], seconds))


def _pool(
    fits: tuple[CrossFit, ...],
    rows: NDArray[np.intp],
    problem: Problem,
    metric: Metric,
    *,
    max_rows: int,
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
