"""What to expect of the ensemble on new rows."""

import math

from tabular_automl.core.ensemble import HonestScore
from tabular_automl.core.metrics import Metric
from tabular_automl.ensemble.bootstrap import Resamples

UNBOUNDED_SCORES = frozenset({"r2"})


def honest_score(resamples: Resamples) -> HonestScore:
    """Return the expected score with its 95% interval and the optimism that was taken off.

    The value is the chosen ensemble's own score on all its out-of-fold rows, corrected by how much worse
    selections do on rows that did not choose them (`resample`). The interval covers the sampling of rows
    and the choice of the ensemble; it does not cover a shift of the data, nor the variation of base models
    fitted again on other rows. A bag's out-of-fold score comes from one model a row and repeat, while new
    rows get the whole bag: the value is a little pessimistic in that respect, and shown unadjusted.

    A draw repeats a single selection, while the ensemble is the mean of many (`bagged_weights`), which
    depends less on the rows: the optimism taken off is a little too large.

    Noise can make the optimism come out negative; it is taken as at least 0, so that the value is never
    better than the score on the rows that chose. Where too few rows or blocks carry the metric, the ends are
    infinite.

    Five choices on scored rows are not repeated, and so not corrected for: which candidates are weighed
    together where some ran on fewer folds (`weigh`), which candidates the search went on to propose, which it
    left after some of their folds, as they could not improve the ensemble (`could_enter`), which were
    repeated (by their weight; their predictions, means over several models, are then weighed against
    those of one model a row), and, for candidates on a single fold, the stopping round.
    """
    metric = resamples.pool.metric
    value = _within_range(metric, resamples.apparent + resamples.optimism)
    low, high = resamples.interval(value, resamples.chosen, resamples.excess)
    ends = [metric.score(_within_range(metric, loss)) for loss in (low, high)]
    return HonestScore(
        value=metric.score(value),
        low=min(ends),
        high=max(ends),
        metric=metric.name,
        optimism=resamples.optimism,
        n_rows=resamples.pool.n_rows,
    )


def _within_range(metric: Metric, loss: float) -> float:
    """Return a loss moved to where the metric can be; an unknown one stays infinite."""
    if not math.isfinite(loss):
        return loss
    bounded = metric.greater_is_better and metric.name not in UNBOUNDED_SCORES
    return min(max(loss, 0.0), 1.0) if bounded else max(loss, 0.0)
