"""The fold plan: which rows are held out in which fold, fixed before any model is fitted."""

from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.digest import digest_array, digest_json

TIME_ORDERED = "time-ordered"
# Of so many folds, and every further so many, a first look at a candidate takes one more.
FOLDS_A_LOOK = 10


@dataclass(frozen=True, eq=False)
class Fold:
    """Row positions of one fold; ``train`` and ``held_out`` never overlap, both sorted."""

    train: NDArray[np.intp]
    held_out: NDArray[np.intp]

    @cached_property
    def digest(self) -> str:
        """Hash of both row sets."""
        return digest_json([digest_array(self.train), digest_array(self.held_out)])


@dataclass(frozen=True, eq=False)
class FoldPlan:
    """The full plan; a budget buys a prefix of it, a holdout is its fold 0.

    Attributes
    ----------
    folds
        In the order in which a budget buys them: all folds of the first repeat, then all of the second, ...
        Within a repeat a row is held out at most once, and all repeats hold out the same rows.
    scheme
        ``stratified``, ``shuffled``, ``grouped``, ``stratified grouped``, ``time-ordered`` (by the time
        column, or a splitter that only looks back) or ``custom``.
    blocks
        Shape (n_rows,), or None: rows with the same number belong together (groups, time blocks, duplicates)
        and are resampled as a whole by the honest score.
    n_repeats
        How often the rows are dealt anew, each time to equally many folds.
    """

    folds: tuple[Fold, ...]
    scheme: str
    blocks: NDArray[np.intp] | None = None
    n_repeats: int = 1

    def __post_init__(self) -> None:
        if self.n_repeats < 1 or len(self.folds) % self.n_repeats:
            raise ValueError(
                f"{len(self.folds)} folds are not {self.n_repeats} repeats of equally many; n_repeats must "
                "divide them."
            )
        if self.n_repeats > 1:
            rows = [_held_out(self, numbers) for numbers in self.repeats(len(self.folds))]
            for number in range(1, self.n_repeats):
                if not np.array_equal(rows[number], rows[0]):
                    raise ValueError(f"Repeat {number} does not hold out the same rows as repeat 0.")

    @property
    def folds_per_repeat(self) -> int:
        """Folds of one repeat: what it takes to predict every row once."""
        return len(self.folds) // self.n_repeats

    @property
    def first_repeat(self) -> tuple[Fold, ...]:
        """The folds of the first repeat: no row is held out twice among them."""
        return self.folds[: self.folds_per_repeat]

    @property
    def fewest_folds(self) -> int:
        """Folds of the shortest prefix that says anything: a tenth of all, as each of many is small."""
        return ceil(self.folds_per_repeat / FOLDS_A_LOOK)

    def usable_folds(self, n_folds: int) -> int:
        """Return how many of the first ``n_folds`` folds make a result.

        Any number of the first repeat's; beyond it whole repeats only, so that each row has been held out as
        often as any other.
        """
        if n_folds <= self.folds_per_repeat:
            return n_folds
        return self.folds_per_repeat * min(n_folds // self.folds_per_repeat, self.n_repeats)

    def repeats(self, n_folds: int) -> tuple[range, ...]:
        """Return the numbers of the first ``n_folds`` folds by repeat, as far as they are usable."""
        end = self.usable_folds(n_folds)
        return tuple(
            range(first, min(first + self.folds_per_repeat, end))
            for first in range(0, end, self.folds_per_repeat)
        )

    @cached_property
    def digest(self) -> str:
        """The identity of the plan."""
        return digest_json([self.scheme, self.n_repeats, *(fold.digest for fold in self.folds)])


def _held_out(plan: FoldPlan, numbers: range) -> NDArray[np.intp]:
    return np.sort(np.concatenate([plan.folds[number].held_out for number in numbers]))
