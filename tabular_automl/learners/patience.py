"""When a fit that goes round by round has waited long enough, or is behind what is asked of it."""

from dataclasses import dataclass
from typing import NamedTuple

from tabular_automl.core.fitting import FloatArray

# A fit whose best round came soon waits less: so many rounds, and as long again as the best one took. Over 70
# bags of three boosters on 12 tables that saves 9% of the rounds against a patience of 300 and costs 0.01% of
# the loss; half of the best round would save 16%, but costs 0.07%, and 3% in one of the bags.
LEAST = 75


def waiting_rounds(best_round: float, patience: int | None) -> int:
    """Return how many rounds without improvement a fit bears after its best round; 0 without patience.

    >>> waiting_rounds(100, 300), waiting_rounds(1_000, 300), waiting_rounds(100, None)
    (175, 300, 0)
    """
    return 0 if patience is None else min(patience, round(LEAST + best_round))


def fell_behind(best: float, round_: int, bar: FloatArray | None) -> bool:
    """Return whether the lowest loss up to a round is above what `FitContext.bar` asks for by then.

    >>> import numpy as np
    >>> bar = np.array([np.inf, 0.5])
    >>> fell_behind(0.6, 1, bar), fell_behind(0.6, 2, bar), fell_behind(0.4, 99, bar)
    (False, True, False)
    """
    return bar is not None and bool(best > bar[min(round_, len(bar)) - 1])


class Course(NamedTuple):
    """How a fit went: `FitOutcome` without the model."""

    curve: FloatArray
    complete: bool = True
    given_up: bool = False


@dataclass
class Patience:
    """Remembers the best round of a fit that is being watched.

    Attributes
    ----------
    most
        Most rounds without improvement; None: never run out.
    best, best_round
        Lowest loss so far and the round that had it.
    """

    most: int | None
    best: float = float("inf")
    best_round: int = 0

    def ran_out(self, round_: int, loss: float | None) -> bool:
        """Take in the loss of a round (None: it has none) and say whether the fit has waited long enough."""
        if loss is not None and loss < self.best:
            self.best, self.best_round = loss, round_
        waited = round_ - self.best_round
        return self.most is not None and waited >= waiting_rounds(self.best_round, self.most)
