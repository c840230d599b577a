"""The final ensemble, and what to expect of it."""

import math
from dataclasses import dataclass

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.fitting import Encoder, FittedModel


@dataclass(frozen=True)
class Member:
    """A candidate with its weight in the ensemble; weights sum to 1."""

    candidate: Candidate
    weight: float


@dataclass(frozen=True)
class Ensemble:
    """Members in order of weight, chosen on out-of-fold predictions."""

    members: tuple[Member, ...]


@dataclass(frozen=True)
class HonestScore:
    """What to expect on new rows drawn like the training rows.

    All values are in the metric's own direction (a ROC AUC is shown as 0.91, not as a loss).

    Attributes
    ----------
    value
        Expected score of the procedure: a greedy selection repeated on in-bag rows and scored on out-of-bag
        rows. The ensemble is the mean of many selections, so this errs on the pessimistic side. Not repeated
        are choices made on the scored rows: which candidates are weighed together where some ran on fewer
        folds than others, which were proposed, which were repeated on folds dealt anew and, for candidates on
        a single fold, the stopping round.
    low, high
        Ends of the 95% interval. It covers the sampling of rows and the choice of the ensemble; not a shift
        of the data, nor the variation of refitted base models. Infinite where it is unknown: too few rows or
        blocks carry the metric.
    metric
        Name of the metric.
    optimism
        How much better the ensemble looks on the rows that chose it than ``value`` says (0 or more).
    n_rows
        Rows the estimate rests on.
    """

    value: float
    low: float
    high: float
    metric: str
    optimism: float
    n_rows: int

    def __str__(self) -> str:
        known = math.isfinite(self.high - self.low)
        interval = f"{self.low:.4g} to {self.high:.4g}" if known else "unknown"
        return f"{self.metric} {self.value:.4g} (95% interval {interval})"


@dataclass(frozen=True)
class Comparison:
    """How far the ensemble is above one baseline, on the same rows.

    ``gain`` is (baseline's loss - ensemble's loss) with a 95% interval of the paired difference;
    ``baseline_score`` is in the metric's own direction. For a plain number
    such as the human level no rows can be paired: the interval is that of the ensemble alone.
    """

    baseline: str
    baseline_score: float
    gain: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the whole interval is above zero."""
        return self.low > 0


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A fitted model, the round it predicts at, and its share in a member's average.

    Attributes
    ----------
    model, rounds
        The model, and the first rounds of it that are used.
    share
        Its weight; those of a member sum to 1.
    is_refit
        Whether it was fitted on all rows; else it is the model of a fold.
    """

    model: FittedModel
    rounds: int
    share: float
    is_refit: bool = False


@dataclass(frozen=True, eq=False)
class FittedMember:
    """A member ready to predict: models of its folds, refits on all rows, or both, averaged."""

    member: Member
    encoder: Encoder
    models: tuple[ServedModel, ...]


@dataclass(frozen=True, eq=False)
class FittedEnsemble:
    """All members, ready to predict on canonical tables."""

    members: tuple[FittedMember, ...]
