"""The bootstrap behind the honest score: a selection, repeated on rows that do not score it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from tabular_automl.core.fitting import FloatArray, never
from tabular_automl.core.metrics import confusion, predicted_codes
from tabular_automl.core.seeds import derive_rng
from tabular_automl.ensemble.draws import (
    AVERAGES_CLASSES,
    COMPARES_CLASSES,
    FEWEST_IN_BAG_ROWS,
    MOST_DRAWS,
    SelectionOnDraws,
    bootstrap_draws,
    units_of,
)
from tabular_automl.ensemble.pool import Pool, thinned_rows

COVERAGE = 0.95
ROWS_OF_ALL_DRAWS = 4_000_000
FEWEST_DRAWS = 80
# Out-of-bag rows times outputs on which a draw's own selection is judged.
CELLS_JUDGED = 200_000
FEWEST_FOR_AN_INTERVAL = 40
# Selections that tell the optimism, roughly, where there is no time for more.
ENOUGH_IN_A_HURRY = 5
# Degrees of freedom of a class with a single unit, by convention: no interval among few classes (that takes
# 1), a wide one where it is one of ten or more.
FREEDOM_OF_ONE_UNIT = 0.75


@dataclass(frozen=True, eq=False)
class Resamples:
    """Selections repeated on bootstrap draws, scored on the rows outside each draw.

    Attributes
    ----------
    pool
        The candidates, thinned to the rows that were resampled.
    mixture
        Predictions of the ensemble that was really chosen, shape (n_rows, n_outputs).
    out_of_bag
        Shape (n_draws, n_rows): which rows are outside a draw.
    excess
        Shape (n_selections,): for the first draws, how much worse on out-of-bag rows the ensemble is that the
        draw selected than the chosen one. The chosen ensemble has seen those rows, the draw's selection has
        not: the mean, where positive, is the optimism. Taken as a paired difference it has far less variance
        than the two losses have, and is exactly zero where there is nothing to choose from.
    widening
        What turns deviations between draws into deviations between data sets; infinite where there are fewer
        than two units to resample.
    """

    pool: Pool
    mixture: FloatArray
    out_of_bag: NDArray[np.bool_]
    excess: FloatArray
    widening: float

    @cached_property
    def apparent(self) -> float:
        """Loss of the chosen ensemble on the rows that chose it."""
        return self.pool.metric.loss(self.pool.y, self.mixture, self.pool.weight)

    @cached_property
    def chosen(self) -> FloatArray:
        """Shape (n_draws,): out-of-bag loss of the ensemble that was really chosen."""
        return self.losses(self.mixture)

    @property
    def optimism(self) -> float:
        """How much too low `apparent` is; at least 0: what lies below is noise."""
        return max(float(self.excess.mean()), 0.0) if len(self.excess) else 0.0

    def losses(self, predictions: FloatArray, within: NDArray[np.bool_] | None = None) -> FloatArray:
        """Return the loss of fixed predictions on the out-of-bag rows of every draw, shape (n_draws,).

        ``within`` narrows the rows; a draw that is left with none gets NaN.
        """
        loss = _loss_on_rows(self.pool, predictions)
        weight = self.pool.row_weight
        outside = self.out_of_bag if within is None else self.out_of_bag & within
        return np.array([loss(draw) if weight[draw].any() else np.nan for draw in outside])

    def interval(self, centre: float, draws: FloatArray, excess: FloatArray) -> tuple[float, float]:
        """Return the ends of the 95% interval of a quantity around ``centre``.

        Parameters
        ----------
        centre
            The quantity's estimate.
        draws
            Shape (n_draws,): the quantity on every draw, for the ensemble that was really chosen; NaN where
            undefined.
        excess
            Shape (n_selections,): what the first draws' own selections add to it.
        """
        usable = draws[np.isfinite(draws)]
        if not np.isfinite(self.widening) or len(usable) < FEWEST_FOR_AN_INTERVAL:
            return -np.inf, np.inf
        # All draws give the shape; the fewer ones with a selection, what choosing adds to the variance.
        first = draws[: len(excess)]
        of_choice = np.nanvar(first + excess) - np.nanvar(first)
        spread = usable.var()
        if spread == 0 and of_choice > 0:
            return -np.inf, np.inf  # a constant that was chosen by chance: no shape to stretch
        stretch = np.sqrt(1 + max(of_choice, 0) / spread) if spread > 0 else 0.0
        tails = [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2]
        ends = np.quantile(usable - usable.mean(), tails, method="normal_unbiased")
        low, high = centre + self.widening * stretch * ends
        return float(low), float(high)


def resample(
    pool: Pool,
    weights: FloatArray,
    seed: int,
    n_selections: int | None = None,
    *,
    hurry: Callable[[], bool] = never,
) -> Resamples:
    """Repeat the greedy selection on bootstrap draws (BBC-CV, Tsamardinos et al., Machine Learning 2018).

    Whole blocks are drawn where the pool has blocks. To bound the time, the number of draws and selections,
    and of the in-bag rows a selection looks at, follow from the pool's sizes alone (`selection_cost`);
    the clock is looked at by ``hurry`` alone. A selection on fewer rows errs on the pessimistic side, and so
    does a single one where the chosen ensemble is the mean of many.

    Parameters
    ----------
    pool
        The candidates on the rows they share.
    weights
        Shape (n_candidates,): the ensemble that was chosen on those rows.
    seed
        The user's seed.
    n_selections
        Number of selections; None: from the sizes, 12 to 200, fewer only where a single one is long.
    hurry
        Asked between draws; once true, five selections and as many draws as an interval needs are enough.
        Never true in a run bounded by counts.
    """
    pool = pool.thinned()
    units = units_of(pool)
    selection = SelectionOnDraws.of(pool)
    n_selections = n_selections or selection.affordable
    n_draws = max(n_selections, int(np.clip(ROWS_OF_ALL_DRAWS // pool.n_rows, FEWEST_DRAWS, MOST_DRAWS)))
    mixture = pool.mixed(weights)
    outside: list[NDArray[np.bool_]] = []
    excess: list[float] = []
    for multiplicity in bootstrap_draws(pool, derive_rng(seed, "honest score"), n_draws):
        late = len(excess) >= ENOUGH_IN_A_HURRY and hurry()
        if late and len(outside) >= FEWEST_FOR_AN_INTERVAL:
            break
        outside.append(multiplicity == 0)
        if len(excess) < n_selections and not late:
            excess.append(_excess(pool, selection.weights(multiplicity), mixture, outside[-1]))
    out_of_bag = np.array(outside, dtype=bool).reshape(len(outside), pool.n_rows)
    return Resamples(pool, mixture, out_of_bag, np.array(excess), _widening(pool, units, out_of_bag))


def _excess(pool: Pool, own: FloatArray, mixture: FloatArray, outside: NDArray[np.bool_]) -> float:
    """Return how much worse a draw's own weights are than the chosen mixture on rows outside the draw."""
    rows, weight = np.flatnonzero(outside), pool.row_weight[outside]
    most = max(FEWEST_IN_BAG_ROWS, CELLS_JUDGED // mixture.shape[1])
    if len(rows) > most:
        kept, factor = thinned_rows(len(rows), most, None if pool.classes is None else pool.classes[rows])
        rows, weight = rows[kept], weight[kept] * factor
    losses = [
        pool.metric.loss(pool.y[rows], predictions, weight)
        for predictions in (pool.mixed(own, rows), mixture[rows])
    ]
    return losses[0] - losses[1]


def _loss_on_rows(pool: Pool, predictions: FloatArray) -> Callable[[NDArray[np.bool_]], float]:
    """Return the function that gives the loss of fixed predictions on some rows, fast to call many times."""
    metric, y, weight = pool.metric, pool.y, pool.row_weight
    if metric.confusion_loss is not None:
        of_confusion, n_classes = metric.confusion_loss, max(predictions.shape[1], 2)
        codes = predicted_codes(predictions)
        return lambda chosen: of_confusion(confusion(y[chosen], codes[chosen], weight[chosen], n_classes))
    # Losses don't depend on the order of rows, and metrics that sort are fast on sorted rows.
    order = np.argsort(predictions[:, 0], kind="stable")
    predictions, y, weight = predictions[order], y[order], weight[order]

    def loss(chosen: NDArray[np.bool_]) -> float:
        rows = np.flatnonzero(chosen[order])
        return metric.loss(y[rows], predictions[rows], weight[rows])

    return loss


def _widening(pool: Pool, units: NDArray[np.intp], out_of_bag: NDArray[np.bool_]) -> float:
    """Return by how much deviations between draws must be stretched.

    A draw's out-of-bag rows are a share q of all units, drawn without replacement: their mean varies
    (1 - q) / q times as much as the mean of all units does between data sets. Few units leave the variance
    itself uncertain, hence Student's t over the normal quantile.
    """
    freedom = _degrees_of_freedom(pool, units)
    if freedom < 1 or not len(out_of_bag):
        return float("inf")
    first_rows = np.unique(units, return_index=True)[1]
    share = float(out_of_bag[:, first_rows].mean())
    quantile = (1 + COVERAGE) / 2
    student = float(stdtrit(freedom, quantile) / stdtrit(1e9, quantile))
    return student * float(np.sqrt(share / (1 - share)))


def _degrees_of_freedom(pool: Pool, units: NDArray[np.intp]) -> float:
    """Return how well the units that the metric rests on tell its variance.

    All units less one; those of the rarer class where the metric compares the two. A mean over classes has
    the Welch-Satterthwaite figure, each class taken to vary as one over its units: about the rarest class's
    among few classes, more where it is one of many.
    """
    name = pool.metric.name
    if name not in COMPARES_CLASSES | AVERAGES_CLASSES:
        return float(units.max())
    sizes = np.array([len(np.unique(units[pool.y == code])) for code in np.unique(pool.y)], dtype=np.float64)
    if len(sizes) < 2:
        return 0.0
    if name in COMPARES_CLASSES:
        return float(sizes.min() - 1)
    freedom = np.maximum(sizes - 1, FREEDOM_OF_ONE_UNIT)
    return float((1 / sizes).sum() ** 2 / (sizes**-2 / freedom).sum())
