"""What came of a request, in the few numbers that are kept of it."""

from dataclasses import dataclass
from typing import Literal

from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.metrics import metric_named, training_loss
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit.request import Request

State = Literal["fitted", "pruned", "cut", "failed"]


@dataclass(frozen=True)
class RequestOutcome:
    """What came of a request.

    Attributes
    ----------
    state
        ``fitted``: all that was asked for; ``pruned``: the search left it; ``cut``: fewer folds or rounds
        than were asked for; ``failed``.
    seconds
        Core-seconds.
    reason
        Why it failed, was pruned or cut; empty where it was fitted.
    n_folds, joint_round
        Folds of the result, and the round of the whole bag; None of a failure.
    score, loss
        Of its out-of-fold predictions: in the metric's own direction, and the loss that learners are trained
        on; None of a failure.
    """

    state: State
    seconds: float
    reason: str = ""
    n_folds: int | None = None
    joint_round: int | None = None
    score: float | None = None
    loss: float | None = None

    @classmethod
    def of(cls, result: CrossFit | Failure, request: Request, problem: Problem) -> "RequestOutcome":
        """Judge a result by what was asked for."""
        if isinstance(result, Failure):
            return cls("failed", result.seconds, result.reason)
        state, reason = _state(result, problem.folds.usable_folds(request.n_folds))
        score, loss = _losses(result, problem)
        return cls(state, result.seconds, reason, len(result.folds), result.joint_round, score, loss)


def _state(result: CrossFit, n_folds: int) -> tuple[State, str]:
    if result.pruned or any(fold.given_up for fold in result.folds):
        return "pruned", result.pruned or "fell behind the threshold curve"
    if len(result.folds) < n_folds:
        return "cut", f"{len(result.folds)} of {n_folds} folds"
    if not result.complete:
        return "cut", "the time was over before its last rounds"
    return "fitted", ""


def _losses(result: CrossFit, problem: Problem) -> tuple[float, float]:
    metric, training = metric_named(problem.task.metric, problem.task.kind), training_loss(problem.task.kind)
    y = problem.y[result.rows]
    weight = None if problem.weight is None else problem.weight[result.rows]
    loss = metric.loss(y, result.predictions, weight)
    trained = loss if metric is training else training.loss(y, result.predictions, weight)
    return metric.score(loss), trained
