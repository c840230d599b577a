"""One numeric column for linear learners: imputed, unskewed, standardised, with its tails pulled in."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from tabular_automl.core.fitting import FloatArray

SKEWED = 1.0
WORTH_IT = 0.7
FEWEST_DISTINCT = 4
FARTHEST = 6.0
ENOUGH_ROWS = 50_000
# Beyond these, squares and cubes leave double precision.
LARGEST, SMALLEST = 1e90, 1e-90


@dataclass(frozen=True)
class NumberScale:
    """The steps for one column, in order; all numbers come from the training rows.

    Attributes
    ----------
    fill
        The median, put where a cell is missing.
    stretch
        0 for columns as they are; else values v become arcsinh((v - origin) / stretch), which is linear near
        the origin and logarithmic far from it.
    origin
        See ``stretch``.
    center, spread
        Mean and standard deviation after that.
    low, high
        Ends of the standardised training values, at most 6 away from the mean; new rows are clipped to them.
    missing
        Whether there is an indicator of missing cells.
    knots
        Inner quantiles on the standardised scale; each adds the hinge max(0, z - knot).
    """

    fill: float = 0.0
    stretch: float = 0.0
    origin: float = 0.0
    center: float = 0.0
    spread: float = 1.0
    low: float = 0.0
    high: float = 0.0
    missing: bool = False
    knots: tuple[float, ...] = ()

    def names(self, name: str) -> tuple[str, ...]:
        """Return the names of the columns it makes."""
        hinges = (f"{name}_above{number}" for number in range(len(self.knots)))
        return (name, *hinges, *([f"{name}_missing"] * self.missing))

    def values(self, raw: FloatArray) -> FloatArray:
        """Return the columns it makes, shape (len(names), n_rows)."""
        absent = np.isnan(raw)
        z = self._standardise(np.where(absent, self.fill, raw))
        rows = [z, *(np.maximum(z - knot, 0.0) for knot in self.knots)]
        if self.missing:
            rows.append(absent.astype(np.float64))
        return np.vstack(rows)

    def facts(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**asdict(self), "knots": list(self.knots)}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "NumberScale":
        """Build it from `facts`."""
        return cls(**{**facts, "knots": tuple(facts["knots"])})

    def _standardise(self, values: FloatArray) -> FloatArray:
        values = np.clip(values, -LARGEST, LARGEST)
        if self.stretch > 0:
            values = np.arcsinh((values - self.origin) / self.stretch)
        return np.clip((values - self.center) / self.spread, self.low, self.high)


def fit_number_scale(raw: FloatArray, n_knots: int = 0) -> NumberScale:
    """Find the steps for one column; it is stretched only if that takes away most of a strong skew."""
    present = np.clip(raw[~np.isnan(raw)], -LARGEST, LARGEST)
    missing = len(present) < len(raw)
    if len(present) == 0:
        return NumberScale(missing=missing)
    sample = present[:: len(present) // ENOUGH_ROWS + 1]
    origin, stretch = _unskew(sample)
    unskewed = np.arcsinh((present - origin) / stretch) if stretch > 0 else present
    center, spread = float(unskewed.mean()), float(unskewed.std())
    if spread <= max(1e-12 * abs(center), SMALLEST):
        return NumberScale(float(np.median(sample)), missing=missing)
    z = (unskewed - center) / spread
    low, high = max(float(z.min()), -FARTHEST), min(float(z.max()), FARTHEST)
    scale = NumberScale(float(np.median(sample)), stretch, origin, center, spread, low, high, missing)
    return replace(scale, knots=_knots(np.clip(z, low, high), n_knots)) if n_knots else scale


def _unskew(values: FloatArray) -> tuple[float, float]:
    """Return origin and stretch of the arcsinh that makes values least skewed; stretch 0 to leave them."""
    before = abs(_skewness(values))
    if before < SKEWED or _has_two_values(values):
        return 0.0, 0.0
    best, best_skew = (0.0, 0.0), WORTH_IT * before
    median = float(np.median(values))
    for origin in (0.0 if values.min() >= 0 else median, median):
        distances = np.abs(values - origin)
        reach = distances[distances > 0]
        for stretch in np.quantile(reach, [0.05, 0.5]) if len(reach) else ():
            if stretch <= max(1e-12 * reach.max(), SMALLEST):
                continue
            skew = abs(_skewness(np.arcsinh((values - origin) / stretch)))
            if skew < best_skew:
                best, best_skew = (origin, float(stretch)), skew
    return best


def _has_two_values(values: FloatArray) -> bool:
    """Whether no curve changes the skew: it moves two values, as of an indicator, like a straight line."""
    return bool(((values == values.min()) | (values == values.max())).all())


def _skewness(values: FloatArray) -> float:
    centred = values - values.mean()
    spread = float(centred.std())
    return float(np.mean((centred / spread) ** 3)) if spread > SMALLEST else 0.0


def _knots(z: FloatArray, n_knots: int) -> tuple[float, ...]:
    distinct, counts = np.unique(z, return_counts=True)
    if len(distinct) < FEWEST_DISTINCT:
        return ()
    # A value that fills many quantiles (often zero) would take most knots: the others get them.
    spread_out = z[z != distinct[counts.argmax()]] if counts.max() > len(z) / (n_knots + 1) else z
    quantiles = np.unique(np.quantile(spread_out, np.arange(1, n_knots + 1) / (n_knots + 1)))
    inner = quantiles[(quantiles > distinct[0]) & (quantiles < distinct[-1])]
    return tuple(inner.tolist())
