"""How long a job may take, so that a run ends in time with held-out predictions for what it fitted."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tabular_automl.core.budget import Budget
from tabular_automl.crossfit.bag import Bag
from tabular_automl.crossfit.observations import Observations
from tabular_automl.crossfit.workers import STOP_GRACE_SECONDS

# A job that overran its soft limit by half and this many seconds is killed.
HARD_LIMIT_FACTOR = 1.5
HARD_LIMIT_SECONDS = 2.0
# By how much work may overrun the deadline before it is killed: a share of the limit, at least so long.
OVERRUN_SHARE = 0.02
OVERRUN_SECONDS = 0.5
# With less time than this no fit is started.
SHORTEST_FIT_SECONDS = 0.1
# A fold is started if its candidate's mean fold fits this many times into the time that is left.
START_SHARE = 0.8
# Seconds of held-out predictions per second of fit, until a family's own figure is measured.
PREDICTION_SHARE = 0.1
# What a prediction costs beyond that: a job's way to the worker and back, opening files.
PREDICTION_SECONDS = 0.02
# Loading the ensemble's models may shorten the fits by this share of the limit.
LOADING_SHARE = 0.1
# So much of the budget's own reserve serves for loading; the rest is for weighing.
RESERVE_FOR_LOADING = 0.5
# After Ctrl-C somebody is waiting: all held-out predictions of what is there may take so long together.
LAST_PREDICTIONS_SECONDS = 5.0


@dataclass(frozen=True)
class Allowance:
    """What one job may take.

    Attributes
    ----------
    seconds
        Soft limit; None: as long as it takes.
    hard
        After so many seconds it is killed; None: never.
    by_budget
        Whether the deadline set the hard limit, not the job's own soft limit: then a kill is no failure.
    """

    seconds: float | None = None
    hard: float | None = None
    by_budget: bool = False


@dataclass(eq=False)
class TimePlan:
    """Decides what may start and how long it may take; in a run bounded by counts only the deadline matters.

    Attributes
    ----------
    budget
        The run's.
    n_slots
        Workers.
    observations
        What the run has seen of its own costs.
    """

    budget: Budget
    n_slots: int
    observations: Observations = field(default_factory=Observations)
    _measured: dict[str, tuple[float, float]] = field(default_factory=dict)
    _cancel_seen: float | None = None

    @property
    def left(self) -> float:
        """Seconds until fits and predictions must be done; infinite without a limit."""
        return self.budget.remaining - self._kept_for_loading

    @property
    def stopped(self) -> bool:
        """Whether nothing more may be fitted."""
        return self._left_for_last_predictions < float("inf") or self.left <= 0

    @property
    def last_predictions_over(self) -> bool:
        """Whether held-out predictions that still run after Ctrl-C should end, as they are killed soon."""
        return self._left_for_last_predictions <= STOP_GRACE_SECONDS

    @property
    def overrun(self) -> float:
        """By how many seconds work may overrun before it is killed."""
        return max(OVERRUN_SECONDS, OVERRUN_SHARE * (self.budget.limit or 0.0))

    def measured(self, family: str, *, fit_seconds: float, prediction_seconds: float) -> None:
        """Learn what held-out predictions of a family cost."""
        fitting, predicting = self._measured.get(family, (0.0, 0.0))
        self._measured[family] = (fitting + fit_seconds, predicting + prediction_seconds)

    def may_propose(self, bags: Iterable[Bag]) -> bool:
        """Whether another candidate may be started."""
        return not self.stopped and (self.budget.counted or self._left_for_fit(bags) > SHORTEST_FIT_SECONDS)

    def fit_allowance(self, bag: Bag, bags: Iterable[Bag], first: float = 0.0) -> Allowance | None:
        """Return what the bag's next fold may take; None if it should not be started any more.

        ``first`` are the seconds of what must be done before it can start.
        """
        if self.stopped:
            return None
        if self.budget.counted:
            return Allowance(hard=self._until_kill(), by_budget=True)
        left = self._left_for_fit(bags) - first
        finished = [fit.seconds for fit in bag.fits.values() if fit.complete]
        expected = sum(finished) / len(finished) if finished else 0.0
        if bag.request.seconds is not None:
            expected = min(expected, bag.request.seconds)
        if left < max(SHORTEST_FIT_SECONDS, START_SHARE * expected):
            return None
        soft = min(left, bag.request.seconds if bag.request.seconds is not None else left)
        if soft == float("inf"):
            return Allowance()
        own = HARD_LIMIT_FACTOR * soft + HARD_LIMIT_SECONDS
        last = left + self.overrun
        return Allowance(soft, min(own, last), by_budget=last < own)

    def prediction_allowance(self, first: float = 0.0) -> Allowance | None:
        """Return what one held-out prediction may take; None if there is no time for it any more.

        ``first`` are the seconds of what must be done before it can start.
        """
        hard = self._until_kill()
        last = self._left_for_last_predictions
        if last < float("inf"):
            hard = last if hard is None else min(last, hard)
        if hard is not None and hard <= first:
            return None
        return Allowance(hard=hard, by_budget=True)

    @property
    def _kept_for_loading(self) -> float:
        """Seconds by which loading what was fitted so far exceeds what the budget keeps for it."""
        if self.budget.limit is None:
            return 0.0
        beyond = self.observations.loading_seconds - RESERVE_FOR_LOADING * self.budget.reserve
        return max(0.0, min(beyond, LOADING_SHARE * self.budget.limit))

    @property
    def _left_for_last_predictions(self) -> float:
        """Seconds until held-out predictions must be done once Ctrl-C was seen; infinite before it."""
        if not self.budget.cancelled:
            return float("inf")
        now = self.budget.clock()
        if self._cancel_seen is None:
            self._cancel_seen = now
        return self._cancel_seen + LAST_PREDICTIONS_SECONDS - now

    def _until_kill(self) -> float | None:
        left = self.left
        return None if left == float("inf") else left + self.overrun

    def _left_for_fit(self, bags: Iterable[Bag]) -> float:
        """Return the seconds a fit that starts now may take, so that all held-out predictions can follow.

        If it takes L seconds, its predictions take a share of L, and so do those of the fits that run now.
        """
        if self.left == float("inf"):
            return self.left
        owed, growing = 0.0, PREDICTION_SHARE
        for bag in bags:
            share = self._prediction_share(bag.request.candidate.family)
            owed += share * bag.unpredicted_seconds
            owed += PREDICTION_SECONDS * (len(bag.setups) - len(bag.waiting))
            growing = max(growing, share)
        return (self.left - owed / self.n_slots) / (1.0 + growing)

    def _prediction_share(self, family: str) -> float:
        fitting, predicting = self._measured.get(family, (0.0, 0.0))
        return predicting / fitting if fitting > 0 else PREDICTION_SHARE
