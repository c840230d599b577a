"""The fold plan: which rows are held out in which fold, fixed before any model is fitted."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.digest import digest_array, digest_json

TIME_ORDERED = "time-ordered"


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
        In the order in which a budget buys them. Within the plan a row is held out at most once.
    scheme
        ``stratified``, ``shuffled``, ``grouped``, ``stratified grouped``, ``time-ordered`` (by the time
        column, or a splitter that only looks back) or ``custom``.
    blocks
        Shape (n_rows,), or None: rows with the same number belong together (groups, time blocks, duplicates)
        and are resampled as a whole by the honest score.
    """

    folds: tuple[Fold, ...]
    scheme: str
    blocks: NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return len(self.folds)

    @cached_property
    def digest(self) -> str:
        """The identity of the plan."""
        return digest_json([self.scheme, *(fold.digest for fold in self.folds)])
