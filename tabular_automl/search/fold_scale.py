"""A scale on which losses of different folds, and of prefixes of different lengths, are comparable."""

import math
from collections.abc import Mapping

# A loss below this is none: nothing can be divided by it.
NO_LOSS = 1e-12


class FoldScale:
    """Losses relative to those of a reference: 1 is as good as it, lower is better.

    A fold is easy or hard for all candidates alike, so that a mean of losses says more of its folds than of
    its candidate; a mean of ratios can be compared whatever the folds. Where the reference has no loss on
    some fold, values are differences in units of its mean loss, plus 1.

    Parameters
    ----------
    reference
        Losses of the reference by fold.
    """

    def __init__(self, reference: Mapping[int, float]) -> None:
        self._reference = dict(reference)
        self._is_ratio = min(reference.values()) > NO_LOSS
        mean = math.fsum(reference.values()) / len(reference)
        self._unit = mean if mean > NO_LOSS else 1.0

    @property
    def n_folds(self) -> int:
        """Folds that have a reference."""
        return len(self._reference)

    def values(self, losses: Mapping[int, float]) -> dict[int, float]:
        """Return the value of each fold that has a reference, in the order of the folds."""
        return {fold: self._value(fold, losses[fold]) for fold in sorted(losses) if fold in self._reference}

    def extend(self, losses: Mapping[int, float]) -> None:
        """Let a candidate stand in for the reference on folds that this lacks, at its own mean value."""
        known = self.values(losses)
        mean = math.fsum(known.values()) / max(1, len(known))
        for fold in losses.keys() - self._reference.keys() if known else ():
            if not self._is_ratio:
                self._reference[fold] = losses[fold] - (mean - 1) * self._unit
            elif min(mean, losses[fold]) > NO_LOSS:
                self._reference[fold] = losses[fold] / mean

    def _value(self, fold: int, loss: float) -> float:
        reference = self._reference[fold]
        return loss / reference if self._is_ratio else 1 + (loss - reference) / self._unit
