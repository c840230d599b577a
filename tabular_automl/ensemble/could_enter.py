"""Could a candidate lower the loss of the ensemble so far? An optimistic bound, from the folds it has."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.crossfit import CrossFit, shared_rows
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.metrics import (
    SMALLEST_PROBABILITY,
    ConfusionLoss,
    confusion,
    metric_named,
    predicted_codes,
)
from tabular_automl.core.problem import Problem
from tabular_automl.core.seeds import derive_rng
from tabular_automl.ensemble.choose import Chosen
from tabular_automl.ensemble.draws import AVERAGES_CLASSES, COMPARES_CLASSES, bootstrap_draws, units_of
from tabular_automl.ensemble.pool import Pool, class_codes, scored_part, thinned_rows
from tabular_automl.ensemble.running_mixture import SQUARED

# Shares of the candidate in a mix with the ensemble so far; none of it comes first.
SHARES = np.array([0.0, 0.03, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0])
MAX_ROWS = 20_000
N_DRAWS = 100
# The bound is above the gain on so many of the draws, and a gain below this share of the ensemble's loss is
# none. Of 156 candidates on tables of 2,107 to 10,127 rows that refuses 7% after one fold of eight, 17% after
# three; one of the 37 would have got a weight above 3%. With 0.9 and 1e-4 it is 9% and 17%, and four of 41.
COVERAGE = 0.95
LEAST_GAIN = 3e-4
# Fewer units, or rows of a class where the metric looks at each, tell nothing.
FEWEST_UNITS = 30
FEWEST_OF_A_CLASS = 8

# Given weights of the rows, the loss of each mix.
LossesOfMixes = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Entry:
    """What a candidate may bring to the ensemble so far.

    Attributes
    ----------
    gain
        By which share of itself the ensemble's loss falls with the best mix of the two, on the rows that both
        cover; at least 0.
    upper
        An optimistic bound of that, which at least `COVERAGE` of the samples of rows don't exceed; infinite
        where the rows tell nothing.
    """

    gain: float
    upper: float

    @property
    def possible(self) -> bool:
        """Whether the candidate could lower the loss by anything worth its name."""
        return self.upper > LEAST_GAIN


def could_enter(problem: Problem, chosen: Chosen, fit: CrossFit, seed: int) -> Entry:
    """Bound what a candidate could bring to the ensemble so far, judged on the folds it has.

    A mix of the two is the way in: a candidate that is worse alone gains where its errors differ from the
    ensemble's, a copy of what is there gains nothing. The bound is a quantile of the gain over bootstrap
    draws of the rows (of whole blocks where there are some), the mix chosen anew on every draw: on few rows,
    where luck might help any candidate, it is generous.

    Parameters
    ----------
    problem
        What is being solved.
    chosen
        The ensemble so far (`choose`).
    fit
        The candidate on a prefix of the folds.
    seed
        The user's seed.

    Raises
    ------
    FoldPlanMismatchError
        If the candidate was fitted on another fold plan.
    """
    pair = _pair(problem, chosen, fit)
    if pair is None:
        return Entry(0.0, float("inf"))
    losses_of = _losses_of_mixes(pair)
    losses = losses_of(pair.row_weight)
    if losses[0] <= 0:
        return Entry(0.0, 0.0)
    gain = _gain(losses, float(losses[0]))
    if _tell_nothing(pair):
        return Entry(gain, float("inf"))
    rng = derive_rng(seed, "could enter", fit.candidate.key, len(fit.folds))
    drawn = bootstrap_draws(pair, rng, N_DRAWS, judged_inside=True)
    gains = [_gain(losses_of(pair.row_weight * times), float(losses[0])) for times in drawn]
    upper = float(np.quantile(gains, COVERAGE)) if gains else float("inf")
    return Entry(gain, max(gain, upper))


def _pair(problem: Problem, chosen: Chosen, fit: CrossFit) -> Pool | None:
    """Return the ensemble and the candidate on rows that both cover; None where these can't be judged."""
    metric = metric_named(problem.task.metric, problem.task.kind)
    rows = shared_rows([fit, *(member for member, _ in chosen.weighted)])
    if problem.weight is not None:
        rows = rows[problem.weight[rows] > 0]
    if not len(rows) or (metric.name in COMPARES_CLASSES and np.ptp(problem.y[rows]) == 0):
        return None
    classes, factor = class_codes(problem.y[rows], metric), np.ones(len(rows))
    if len(rows) > MAX_ROWS:
        kept, factor = thinned_rows(len(rows), MAX_ROWS, classes)
        rows, classes = rows[kept], None if classes is None else classes[kept]
    mixture = sum(weight * _on(member, rows) for member, weight in chosen.weighted)
    predictions, y = scored_part(np.stack([np.asarray(mixture), _on(fit, rows)]), problem.y[rows], metric)
    return Pool(
        predictions,
        y,
        factor if problem.weight is None else factor * problem.weight[rows],
        metric,
        rows,
        None if problem.folds.blocks is None else problem.folds.blocks[rows],
        classes,
    )


def _on(fit: CrossFit, rows: NDArray[np.intp]) -> FloatArray:
    return fit.predictions[np.searchsorted(fit.rows, rows)]


def _gain(losses: FloatArray, of: float) -> float:
    return float(losses[0] - losses.min()) / of


def _tell_nothing(pair: Pool) -> bool:
    if int(units_of(pair).max()) + 1 < FEWEST_UNITS:
        return True
    if pair.metric.name not in COMPARES_CLASSES | AVERAGES_CLASSES:
        return False
    return int(np.unique(pair.y, return_counts=True)[1].min()) < FEWEST_OF_A_CLASS


def _losses_of_mixes(pair: Pool) -> LossesOfMixes:
    """Return what gives the losses of all mixes on rows of any weights, fast to call many times."""
    ensemble, candidate = pair.predictions
    mixes = np.stack([(1 - share) * ensemble + share * candidate for share in SHARES])
    name = pair.metric.name
    if pair.metric.confusion_loss is not None:
        return _of_labels(pair, mixes, pair.metric.confusion_loss)
    if name == "roc_auc":
        return _of_ranks(pair, mixes[:, :, 0])
    if name == "log_loss":
        p = np.where(pair.y > 0.5, mixes[:, :, 0], 1 - mixes[:, :, 0])
        return _of_rows(-np.log(np.clip(p, SMALLEST_PROBABILITY, 1.0)))
    if name in SQUARED:
        squared = _of_rows((mixes[:, :, 0] - pair.y) ** 2)
        # The loss of r2 is the squared error over something that all mixes share.
        return (lambda weight: np.sqrt(squared(weight))) if name == "rmse" else squared
    if name == "mae":
        return _of_rows(np.abs(mixes[:, :, 0] - pair.y))
    return lambda weight: np.array([pair.metric.loss(pair.y, mix, weight) for mix in mixes])


def _of_rows(losses: FloatArray) -> LossesOfMixes:
    """Losses that are means over rows; ``losses`` has shape (n_mixes, n_rows)."""
    # einsum, not BLAS: its sums don't depend on the number of threads.
    return lambda weight: np.einsum("mn,n->m", losses, weight) / weight.sum()


def _of_ranks(pair: Pool, mixes: FloatArray) -> LossesOfMixes:
    """Return ROC AUC to first order in the weights: a mean over positives and one over negatives.

    Of each row counts its placement among the rows of the other class (DeLong et al., Biometrics 1988).
    """
    positive = pair.y > 0.5
    placements = np.stack([_placements(values, positive, pair.row_weight) for values in mixes])
    of_positives, of_negatives = _of_rows(placements[:, positive]), _of_rows(placements[:, ~positive])
    area = of_positives(pair.row_weight[positive])
    return lambda weight: 1 - (of_positives(weight[positive]) + of_negatives(weight[~positive]) - area)


def _placements(values: FloatArray, positive: NDArray[np.bool_], weight: FloatArray) -> FloatArray:
    """Return for each row the share of the other class that it is on the right side of, ties counted half."""
    _, places = np.unique(values, return_inverse=True)
    of_positives = np.bincount(places, weight * positive)
    of_negatives = np.bincount(places, weight * ~positive)
    below = (np.cumsum(of_negatives) - of_negatives / 2) / of_negatives.sum()
    above = 1 - (np.cumsum(of_positives) - of_positives / 2) / of_positives.sum()
    placements: FloatArray = np.where(positive, below[places], above[places])
    return placements


def _of_labels(pair: Pool, mixes: FloatArray, loss: ConfusionLoss) -> LossesOfMixes:
    n_classes = max(mixes.shape[2], 2)
    codes = [predicted_codes(mix) for mix in mixes]
    return lambda weight: np.array([loss(confusion(pair.y, code, weight, n_classes)) for code in codes])
