"""What more time would bring."""

from dataclasses import dataclass

from tabular_automl.core.metrics import METRICS

TIMES = {2: "Twice", 4: "Four times"}


@dataclass(frozen=True)
class Extrapolation:
    """What a multiple of the time is expected to bring.

    Attributes
    ----------
    factor
        How many times the time.
    change, low, high
        Expected relative change of the metric's loss, negative for a better ensemble, with the ends of its
        80% interval.
    score, score_low, score_high
        The same as scores, in the metric's own direction; ``score_low`` is the smaller number.
    """

    factor: int
    change: float
    low: float
    high: float
    score: float
    score_low: float
    score_high: float


@dataclass(frozen=True)
class Forecast:
    """What more time is expected to bring, told by how the ensemble came to be as good as it is.

    Attributes
    ----------
    metric
        Name of the metric.
    unit
        What there would be more of: ``time``, or ``candidates`` in a run bounded by counts.
    n_candidates
        How many candidates it rests on: those that were weighed, without the prior, and those that the
        search left early because they could not help.
    score
        The score that changes are relative to: the honest one, in the metric's own direction.
    extrapolations
        What twice and four times as much would bring; empty where that cannot be told.
    reason
        Why it cannot be told; else empty.

    Examples
    --------
    >>> twice = Extrapolation(2, -0.004, -0.011, 0.0, 2.241, 2.225, 2.25)
    >>> print(Forecast("rmse", "time", 18, 2.25, (twice,)))
    Twice the time is expected to bring rmse 0.4% lower (80% interval: 1.1% to 0.0% lower).
    """

    metric: str
    unit: str
    n_candidates: int
    score: float
    extrapolations: tuple[Extrapolation, ...] = ()
    reason: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """The extrapolations in words, or why there are none."""
        if self.extrapolations:
            return tuple(self._in_words(step) for step in self.extrapolations)
        return (f"What more {self.unit} would bring cannot be told: {self.reason}.",)

    def __str__(self) -> str:
        return self.sentences[0]

    def _in_words(self, step: Extrapolation) -> str:
        loss = f"1 - {self.metric}" if METRICS[self.metric].greater_is_better else self.metric
        are = "is" if self.unit == "time" else "are"
        # Zero as it is shown is no promise.
        is_better = step.change < 0 and f"{-step.change:.1%}" != f"{0:.1%}"
        what = f"{loss} {-step.change:.1%} lower" if is_better else "nothing"
        interval = _interval(step.low, step.high) if is_better else f"{loss} {_interval(step.low, step.high)}"
        return (
            f"{TIMES[step.factor]} the {self.unit} {are} expected to bring {what} (80% interval: {interval})."
        )


def _interval(low: float, high: float) -> str:
    """Return the ends of a relative change, the direction of both said once where it is the same."""
    first, last = ("higher" if change > 0 else "lower" for change in (low, high))
    return f"{abs(low):.1%}{'' if first == last else f' {first}'} to {abs(high):.1%} {last}"
