"""What more time would bring, told by what the later candidates have brought so far."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from tabular_automl.core.budget import Budget
from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.ensemble import HonestScore
from tabular_automl.core.fitting import FloatArray, never
from tabular_automl.core.forecast import Extrapolation, Forecast
from tabular_automl.core.metrics import Metric
from tabular_automl.core.seeds import derive_rng
from tabular_automl.ensemble.choose import Chosen
from tabular_automl.ensemble.draws import bootstrap_draws, units_of
from tabular_automl.ensemble.greedy import most_candidates, select
from tabular_automl.ensemble.pool import Pool
from tabular_automl.ensemble.running_mixture import mixture_source
from tabular_automl.ensemble.selection_cost import affordable_rows, selection_seconds
from tabular_automl.learners import learner_for

COVERAGE = 0.8
FACTORS = (2, 4)
# Fewer than so many candidates beyond the first of each family say nothing of the next ones.
FEWEST_LATER = 2
N_DRAWS = 20
N_SELECTIONS = 2 * N_DRAWS
# The noise of a gain is told by leaving out one of so many parts of the rows in turn; of fewer it is not.
MOST_PARTS, FEWEST_PARTS = 20, 5
MOST_ROWS = 20_000
# It takes about so many core-seconds, and this share of a time limit, by the formula of its cost; where many
# candidates and classes make it take this many times more, it is left.
SECONDS, SHARE, OVERRUN = 1.0, 0.01, 2.0
# What twice the time brings beyond the first candidate of each family, as a share of the loss: mean and
# standard deviation over tables (tests/benchmarks/RESULTS.md).
TYPICAL_GAIN, SPREAD = 0.002, 0.006
# What a table's own rows say is never surer than this, and so much of their noise is in any gain that comes.
LEAST_NOISE, NOISE_TO_COME = 0.003, 0.3
# A doubling brings so much of what the one before it did: a guess, for gains are too small to measure it.
DECAY = 0.7

TOO_LATE = "no time was left to look into it"


@dataclass(frozen=True)
class Gain:
    """What a doubling of the time has brought, as a share of the loss, and its standard error.

    ``doublings`` is how many of them, or which part of one, there were to tell it by.
    """

    value: float
    error: float
    doublings: float = 1.0


def forecast(
    chosen: Chosen,
    score: HonestScore,
    budget: Budget,
    *,
    seed: int = 0,
    hurry: Callable[[], bool] = never,
) -> Forecast:
    """Tell what twice and four times the time would bring, with an 80% interval.

    The first candidate of each family is there in any run of some length, and what it brings no later one
    brings again. So the gain is told by the later ones (`gain_of_later`), and mixed with what is usual for
    tables, by their variances: on few rows the noise of a gain is many times the gain. Candidates that the
    search left early (`CrossFit.pruned`) cost what they cost and brought nothing. Those that ended on too few
    folds to be weighed with the others say nothing, nor does their time: with more of it they would have had
    all their folds.

    It rests on what was fitted so far: a search that learns from its results may do better, one whose
    candidates are exhausted brings nothing more.

    Parameters
    ----------
    chosen
        What was weighed and what was tried, in the order in which it was finished.
    score
        What to expect of the ensemble now.
    budget
        In a run bounded by counts candidates are counted instead of the seconds they took, so that the same
        seed gives the same forecast. A time limit decides on how many rows it looks, so that it takes 1% of
        it at most.
    seed
        The user's seed.
    hurry
        Asked while it works; once true, there is no forecast. Never true in a run bounded by counts.
    """
    weighed, pool = _with_features(chosen)
    place_of = {fit.candidate.key: place for place, fit in enumerate(weighed)}
    fitted = [fit for fit in chosen.tried if _needs_features(fit)]
    tries = [fit for fit in fitted if fit.candidate.key in place_of or (fit.pruned and not fit.unjudged)]
    counted, metric = budget.counted, pool.metric
    unit = "candidates" if counted else "time"
    costs = np.ones(len(tries)) if counted else np.array([max(fit.seconds, 1e-9) for fit in tries])
    families = [fit.candidate.family if fit.candidate.key in place_of else None for fit in tries]
    base = first_at_half_time(families, costs)
    told = Forecast(metric.name, unit, len(tries), score.value)
    if base is None or not weighed:
        return replace(told, reason=_too_few(weighed, len(fitted)))
    kept = np.array([place_of[tries[place].candidate.key] for place in base if families[place]])
    doublings = math.log2(costs.sum() / costs[base].sum())
    looked_at = _affordable(pool, budget)
    gain = None if looked_at is None else gain_of_later(looked_at, kept, doublings, seed, hurry=hurry)
    if gain is None:
        late = looked_at is None or hurry()
        return replace(
            told, reason=TOO_LATE if late else "too few independent rows or blocks carry the score"
        )
    loss = metric.score(score.value)
    if not loss > 0:
        return replace(told, reason="nothing is left to gain")
    return replace(told, extrapolations=tuple(extrapolate(gain, factor, loss, metric) for factor in FACTORS))


def first_at_half_time(families: Sequence[str | None], costs: FloatArray) -> NDArray[np.intp] | None:
    """Return the first candidate of each family and whatever else was there at half time.

    Whoever was left early has None for a family: it was not what the ensemble began with. None where fewer
    than two candidates came later.
    """
    firsts = [place for place, family in enumerate(families) if family and family not in families[:place]]
    order = np.array([*firsts, *(place for place in range(len(families)) if place not in firsts)], dtype=int)
    at_half = int(np.searchsorted(np.cumsum(costs[order]), costs.sum() / 2, side="right"))
    n_base = max(len(firsts), at_half)
    return np.sort(order[:n_base]) if len(families) - n_base >= FEWEST_LATER else None


def gain_of_later(
    pool: Pool,
    base: NDArray[np.intp],
    doublings: float,
    seed: int,
    *,
    hurry: Callable[[], bool] = never,
) -> Gain | None:
    """Return what the candidates beyond ``base`` brought for each doubling of the costs; nothing without any.

    Both ensembles, with them and without, are means of greedy selections on bootstrap draws; each row is
    judged by the selections of the draws that it was not in. The noise is that of a jackknife over parts of
    the rows, or of whole blocks. Random subsets of all candidates, in place of the order in which they were
    finished, promise ten times too much: they leave out whole families.

    Parameters
    ----------
    pool
        All candidates on the rows they share.
    base
        Positions of those to start from.
    doublings
        How often the costs of the base doubled, those of candidates that are not in the pool included.
    seed
        The user's seed.
    hurry
        Asked between draws; once true, nothing more is done.

    Returns
    -------
    Gain
        Or None where the rows have fewer than five parts, no draw of them can be judged, or somebody was in a
        hurry.
    """
    rng = derive_rng(seed, "forecast")
    judged, mixtures = _judged_from_outside(pool, base, rng, hurry)
    if judged is None or hurry():
        return None
    units = np.unique(units_of(judged), return_inverse=True)[1]
    n_parts = min(MOST_PARTS, int(units.max()) + 1)
    if n_parts < FEWEST_PARTS:
        return None
    part = (rng.permutation(int(units.max()) + 1) % n_parts)[units]
    value = _relative_gain(judged, mixtures, np.arange(judged.n_rows))
    without = [_relative_gain(judged, mixtures, np.flatnonzero(part != out)) for out in range(n_parts)]
    error = math.sqrt((n_parts - 1) * float(np.mean((np.array(without) - value) ** 2)))
    return Gain(value / doublings, error / doublings, doublings)


def extrapolate(gain: Gain, factor: int, loss: float, metric: Metric) -> Extrapolation:
    """Mix a table's own gain with the usual one, and let it decay with every doubling."""
    # The rows are as noisy however small the part of a doubling that was seen: less of it tells less.
    part = min(1.0, gain.doublings)
    noise = max(gain.error, LEAST_NOISE / part)
    trust = SPREAD**2 / (SPREAD**2 + noise**2)
    expected = TYPICAL_GAIN + trust * (gain.value - TYPICAL_GAIN)
    deviation = math.sqrt(trust * noise**2 + (NOISE_TO_COME * part * noise) ** 2)
    doublings = math.log2(factor)
    reach = (1 - DECAY**doublings) / (1 - DECAY)
    half = float(ndtri((1 + COVERAGE) / 2)) * deviation
    # No loss is below 0.
    change, low, high = (max(-1.0, -reach * share) for share in (expected, expected + half, expected - half))
    scores = [metric.score(loss * (1 + one)) for one in (change, low, high)]
    return Extrapolation(factor, change, low, high, scores[0], min(scores), max(scores))


def _affordable(pool: Pool, budget: Budget) -> Pool | None:
    """Thin a pool to the rows that there is time for; None where there is not enough of it for any."""
    n_candidates, _, n_outputs = pool.predictions.shape
    seconds = SECONDS if budget.limit is None or budget.counted else min(SECONDS, SHARE * budget.limit)
    rows = affordable_rows(pool.metric, n_candidates, n_outputs, seconds / N_SELECTIONS)
    pool = pool.thinned(min(MOST_ROWS, rows))
    if not budget.timed or budget.limit is None:
        return pool
    needed = N_SELECTIONS * selection_seconds(pool.metric, n_candidates, n_outputs, pool.n_rows)
    left = budget.limit - budget.elapsed
    return pool if needed < min(left, OVERRUN * seconds) else None


def _with_features(chosen: Chosen) -> tuple[tuple[CrossFit, ...], Pool]:
    """Leave out the prior: it costs nothing, and no later candidate is like it."""
    able = [place for place, fit in enumerate(chosen.fits) if _needs_features(fit)]
    fits = tuple(chosen.fits[place] for place in able)
    return fits, replace(chosen.pool, predictions=chosen.pool.predictions[able])


def _needs_features(fit: CrossFit) -> bool:
    return learner_for(fit.candidate.family).capabilities.needs_features


def _too_few(weighed: Sequence[CrossFit], n_fitted: int) -> str:
    if not weighed:
        return "no candidate besides the prior could be weighed"
    n_families = len({fit.candidate.family for fit in weighed})
    families = f"{n_families} {'family' if n_families == 1 else 'families'}"
    was = "was" if len(weighed) == 1 else "were"
    if len(weighed) < n_fitted:
        return f"only {len(weighed)} of {n_fitted} candidates, of {families}, {was} fitted on enough folds"
    return f"only {len(weighed)} candidate{'s' * (n_fitted != 1)} of {families} {was} fitted"


def _judged_from_outside(
    pool: Pool, base: NDArray[np.intp], rng: np.random.Generator, hurry: Callable[[], bool]
) -> tuple[Pool | None, FloatArray]:
    """Return the rows that some draw left out, and both ensembles' predictions for them.

    The predictions have shape (2, n_rows, n_outputs), the ensemble of ``base`` first.
    """
    pools = (replace(pool, predictions=pool.predictions[base]), pool)
    sources = [mixture_source(one) for one in pools]
    limit = most_candidates(pool.n_rows)
    total, count = np.zeros((2, *pool.predictions.shape[1:])), np.zeros(pool.n_rows)
    for drawn in bootstrap_draws(pool, rng, N_DRAWS):
        if hurry():
            break
        outside = np.flatnonzero(drawn == 0)
        count[outside] += 1
        for number, (one, source) in enumerate(zip(pools, sources, strict=True)):
            weights = select(source, pool.row_weight * drawn, limit)
            total[number, outside] += one.mixed(weights, outside)
    rows = np.flatnonzero(count)
    return (pool.take(rows) if len(rows) else None), total[:, rows] / count[rows, None]


def _relative_gain(pool: Pool, mixtures: FloatArray, rows: NDArray[np.intp]) -> float:
    """Return by which share of the loss the second mixture is better than the first on some rows."""
    weight = pool.row_weight[rows]
    before, after = (pool.metric.loss(pool.y[rows], mixture[rows], weight) for mixture in mixtures)
    return float((before - after) / after) if after > 0 else 0.0
