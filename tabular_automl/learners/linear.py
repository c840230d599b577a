"""Regularised linear models: ridge and logistic regression along a path from strong to weak penalty."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, logsumexp, softmax

from tabular_automl.core.candidate import Params, Recipe, freeze_params
from tabular_automl.core.fitting import FitContext, FitOutcome, FittedModel, FloatArray, Rows
from tabular_automl.core.metrics import training_loss
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.state import State, load_state, save_state
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.base import Capabilities, Learner, Limits
from tabular_automl.learners.patience import fell_behind
from tabular_automl.learners.prior import smoothed_shares
from tabular_automl.learners.space import Choice, Space
from tabular_automl.learners.target_scale import TargetScale
from tabular_automl.preprocessing.linear import MOST_CELLS, MOST_COLUMNS

# Penalties on the summed loss of standardised targets, factor 10**0.5 apart; 1 / C in scikit-learn's terms.
RIDGE_PENALTIES = tuple(np.geomspace(1e5, 1e-3, 17).tolist())
LOGISTIC_PENALTIES = tuple(np.geomspace(1e3, 1e-3, 13).tolist())
PATIENCE = 4
MARGIN = 0.25
MAX_ITERATIONS = 60
TOLERANCE = 1e-6
# So many columns a categorical column is expected to make, if they can be afforded.
USUAL_LEVELS = 16


class Linear(Learner):
    """Ridge or (multinomial) logistic regression; a round is a point on the path of penalties.

    All points share one rotation of the matrix to its principal axes, in which ridge has a closed form and
    the logistic loss is nearly round, so that a point needs few quasi-Newton steps from the one before.
    Held-out rows choose the point, and the bag's joint round chooses one penalty for all folds.
    """

    family: ClassVar[str] = "linear"
    code_version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "scipy")
    late_imports: ClassVar[tuple[str, ...]] = ("scipy.optimize",)
    models_need_imports: ClassVar[bool] = False
    capabilities: ClassVar[Capabilities] = Capabilities(uses_rounds=True, uses_seed=False)

    def defaults(self, shape: ProblemShape) -> Params:
        """Return hinges on numbers where there are rows enough to place them."""
        return freeze_params({"knots": 0 if shape.n_rows < 500 else 6 if shape.n_rows < 5_000 else 12})

    def space(self, shape: ProblemShape) -> Space:
        """Return ``knots``, the number of hinges that a numeric column is bent at; 0: straight lines."""
        del shape
        return Space((Choice("knots", (0, 3, 6, 12), limits=(0, MOST_COLUMNS)),))

    def recipe(self, params: Params) -> Recipe:
        """Return the recipe of imputed, standardised numbers and indicators."""
        return Recipe("linear", freeze_params({"knots": int(dict(params).get("knots") or 0)}))

    def limits(self, shape: ProblemShape, params: Params) -> Limits:
        """Return the length of the path, left after a few points without gain."""
        del params
        return Limits(len(_penalties(shape.task)), PATIENCE)

    def cost(self, shape: ProblemShape, params: Params, rounds: int) -> float:
        """Return core-seconds: one Gram matrix and rotation, then a few passes over the rows a point."""
        knots = int(dict(params).get("knots") or 0)
        columns = min(2_000.0, 1.0 + shape.n_numeric * (1 + knots) + 8.0 * shape.n_categorical)
        rotation = shape.n_rows * columns**2 * 2e-10 + columns**3 * 1e-9
        passes = 0 if shape.task is TaskKind.REGRESSION else 20
        a_pass = shape.n_rows * shape.n_outputs * (columns * 4e-10 + 2e-8)
        return 0.005 + rotation + rounds * (1e-3 + passes * a_pass)

    def memory(self, shape: ProblemShape, params: Params) -> float:
        """Return bytes: encoded rows, rows on principal axes, Gram matrix, slopes of each class."""
        columns = _encoded_columns(shape, int(dict(params).get("knots") or 0))
        matrices = 26.0 * shape.n_rows * columns + 40.0 * min(columns, shape.n_rows) ** 2
        by_output = 48.0 * shape.n_rows + 500.0 * columns
        return matrices + by_output * shape.n_outputs

    def refit_rounds(self, joint_round: int, growth: float) -> int:
        """Return the same point on the path: a round is a penalty, not work that more rows carry further."""
        del growth
        return joint_round

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        """Walk the path until the held-out loss has not improved for ``context.patience`` points."""
        del params
        task = context.shape.task
        loss, link = training_loss(task), _Link.of(train, task)
        points: list[_Point] = []
        curve: list[float] = []
        complete, given_up = True, False
        for point in _path(train, context):
            points.append(point)
            complete = point.reached
            if held_out is not None:
                predictions = link.predict(held_out.X, point.coefficients, point.intercepts)
                curve.append(loss.loss(held_out.y, predictions, held_out.weight))
                given_up = complete and fell_behind(min(curve), len(curve), context.bar)
            at_end = len(points) >= context.max_rounds or _ran_out(curve, context.patience)
            if given_up or at_end or not complete:
                break
            if context.should_stop():
                complete = False
                break
        coefficients = np.stack([point.coefficients for point in points])
        intercepts = np.stack([point.intercepts for point in points])
        model = LinearModel(coefficients, intercepts, link)
        return FitOutcome(model, np.array(curve), complete, given_up)

    def load(self, folder: Path) -> FittedModel:
        """Return the saved model."""
        state = load_state(folder)
        link = _Link(TaskKind(state.facts["task"]), state.facts["low"], state.facts["high"])
        return LinearModel(state.arrays["coefficients"], state.arrays["intercepts"], link)


class _Point(NamedTuple):
    """A point on the path: coefficients (n_features, n_outputs), intercepts (n_outputs,).

    ``reached`` is False if a request to stop came before its minimum was found.
    """

    coefficients: FloatArray
    intercepts: FloatArray
    reached: bool = True


@dataclass(frozen=True)
class _Link:
    """From linear predictions to values or probabilities.

    Values are held within the training targets, widened by a quarter of their range: a row unlike all others
    must not get an absurd prediction.
    """

    task: TaskKind
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def of(cls, train: Rows, task: TaskKind) -> "_Link":
        margin = MARGIN * float(np.ptp(train.y))
        return cls(task, float(train.y.min()) - margin, float(train.y.max()) + margin)

    def predict(self, X: FloatArray, coefficients: FloatArray, intercepts: FloatArray) -> FloatArray:
        """Return predictions, shape (n, n_outputs)."""
        linear: FloatArray = X @ coefficients + intercepts
        if self.task is TaskKind.REGRESSION:
            return np.clip(linear, self.low, self.high)
        found: FloatArray = expit(linear) if self.task is TaskKind.BINARY else softmax(linear, axis=1)
        return found


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Coefficients of every point on the path, shape (rounds, n_features, n_outputs), and intercepts."""

    coefficients: FloatArray
    intercepts: FloatArray
    link: _Link

    @property
    def rounds(self) -> int:
        """Points on the path."""
        return len(self.coefficients)

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        """Return predictions of the ``rounds``-th point, shape (n, n_outputs)."""
        point = min(rounds or self.rounds, self.rounds) - 1
        return self.link.predict(X, self.coefficients[point], self.intercepts[point])

    def save(self, folder: Path, rounds: int | None = None) -> None:
        """Write the first ``rounds`` points."""
        kept = rounds or self.rounds
        arrays = {"coefficients": self.coefficients[:kept], "intercepts": self.intercepts[:kept]}
        facts = {"task": str(self.link.task), "low": self.link.low, "high": self.link.high}
        save_state(State(facts, arrays), folder)


@dataclass(frozen=True, eq=False)
class _Rotated:
    """Centred rows on the principal axes of the weighted Gram matrix, those without variance left out.

    ``Z`` = (X - mean) @ axes, shape (n, r); ``variances`` (r,) are weighted sums of squares along the axes.
    """

    Z: FloatArray
    axes: FloatArray
    variances: FloatArray
    mean: FloatArray
    weight: FloatArray

    @classmethod
    def of(cls, train: Rows) -> "_Rotated":
        n_rows, n_features = train.X.shape
        weight = np.ones(n_rows) if train.weight is None else train.weight / train.weight.mean()
        mean = weight @ train.X / weight.sum()
        if n_features <= n_rows:
            weighted = train.X if train.weight is None else train.X * weight[:, np.newaxis]
            gram = train.X.T @ weighted - weight.sum() * np.outer(mean, mean)
            variances, axes = np.linalg.eigh(gram)
        else:
            scaled = (train.X - mean) * np.sqrt(weight)[:, np.newaxis]
            variances, left = np.linalg.eigh(scaled @ scaled.T)
            axes = scaled.T @ (left / np.sqrt(np.maximum(variances, 1e-300)))
        kept = variances > 1e-9 * max(float(variances[-1]), 1e-9)
        axes = np.ascontiguousarray(axes[:, kept])
        return cls(train.X @ axes - mean @ axes, axes, variances[kept], mean, weight)

    def unrotate(self, coefficients: FloatArray, intercepts: FloatArray, *, reached: bool = True) -> _Point:
        """Return the point in terms of rows as they came."""
        back = self.axes @ coefficients
        return _Point(back, intercepts - self.mean @ back, reached)


def _encoded_columns(shape: ProblemShape, knots: int) -> float:
    """Return how many columns the recipe makes, some of them for missing cells and for levels."""
    affordable = min(MOST_COLUMNS, MOST_CELLS // max(shape.n_rows, 1)) / max(shape.n_columns, 1)
    by_number = 1.3 + np.clip(affordable - 2, 0, knots)
    return float(1 + shape.n_numeric * by_number + shape.n_categorical * np.clip(affordable, 2, USUAL_LEVELS))


def _penalties(task: TaskKind) -> tuple[float, ...]:
    return RIDGE_PENALTIES if task is TaskKind.REGRESSION else LOGISTIC_PENALTIES


def _ran_out(curve: list[float], patience: int | None) -> bool:
    return patience is not None and len(curve) > 0 and len(curve) - 1 - int(np.argmin(curve)) >= patience


def _path(train: Rows, context: FitContext) -> Iterator[_Point]:
    """Yield points from strong to weak penalty."""
    rotated = _Rotated.of(train)
    weighted = replace(train, weight=rotated.weight)
    if context.shape.task is TaskKind.REGRESSION:
        return _ridge_path(rotated, weighted)
    return _logistic_path(rotated, weighted, context)


def _ridge_path(rotated: _Rotated, train: Rows) -> Iterator[_Point]:
    scale = TargetScale.of(train, TaskKind.REGRESSION)
    moments = rotated.Z.T @ (rotated.weight * (train.y - scale.center) / scale.spread)
    for penalty in RIDGE_PENALTIES:
        coefficients = scale.spread * moments / (rotated.variances + penalty)
        yield rotated.unrotate(coefficients[:, np.newaxis], np.array([scale.center]))


def _logistic_path(rotated: _Rotated, train: Rows, context: FitContext) -> Iterator[_Point]:
    codes = train.y.astype(np.intp)
    n_outputs = context.shape.n_outputs
    shares = smoothed_shares(train, max(n_outputs, 2))
    curvature = float(np.mean(shares * (1 - shares)))
    objective = _binary_loss(rotated, train.y) if n_outputs == 1 else _multinomial_loss(rotated, codes)
    intercepts = np.log(shares[1:] / shares[:1]) if n_outputs == 1 else np.log(shares)
    coefficients = np.zeros((rotated.Z.shape[1], n_outputs))
    for penalty in LOGISTIC_PENALTIES:
        # In these units the loss is about equally curved in all directions: a diagonal preconditioner.
        curvatures = curvature * np.append(rotated.variances, rotated.weight.sum())
        curvatures[:-1] += penalty
        units = 1.0 / np.sqrt(curvatures)[:, np.newaxis]
        start = np.vstack([coefficients, intercepts]) / units
        found, reached = _minimise(_in_units(objective, units, penalty), start, context.should_stop)
        solution = units * found
        coefficients, intercepts = solution[:-1], solution[-1]
        yield rotated.unrotate(coefficients, intercepts, reached=reached)


Objective = Callable[[FloatArray, FloatArray], tuple[float, FloatArray, FloatArray]]


def _in_units(
    objective: Objective, units: FloatArray, penalty: float
) -> Callable[[FloatArray], tuple[float, FloatArray]]:
    """Return penalised loss and gradient of flat coefficients, intercepts last, in these units."""

    def value_and_gradient(flat: FloatArray) -> tuple[float, FloatArray]:
        solution = flat.reshape(len(units), -1) * units
        loss, by_coefficient, by_intercept = objective(solution[:-1], solution[-1])
        loss += 0.5 * penalty * float(np.sum(solution[:-1] ** 2))
        gradient = np.vstack([by_coefficient + penalty * solution[:-1], by_intercept]) * units
        return loss, gradient.ravel()

    return value_and_gradient


def _minimise(
    objective: Callable[[FloatArray], tuple[float, FloatArray]],
    start: FloatArray,
    should_stop: Callable[[], bool],
) -> tuple[FloatArray, bool]:
    """Return the minimum and True, or where it was when asked to stop and False; shaped like ``start``."""
    from scipy.optimize import minimize

    stopped = False

    def stop_if_asked(intermediate_result: object) -> None:
        nonlocal stopped
        del intermediate_result
        stopped = should_stop()
        if stopped:
            raise StopIteration

    found = minimize(
        objective,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        callback=stop_if_asked,
        options={"maxiter": MAX_ITERATIONS, "ftol": TOLERANCE, "gtol": 1e-3},
    )
    return found.x.reshape(start.shape), not stopped


def _binary_loss(rotated: _Rotated, y: FloatArray) -> Objective:
    sign = np.where(y > 0.5, 1.0, -1.0)

    def objective(coefficients: FloatArray, intercepts: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        margin = sign * (rotated.Z @ coefficients[:, 0] + intercepts[0])
        loss = -float(rotated.weight @ log_expit(margin))
        slope = -rotated.weight * sign * expit(-margin)
        return loss, (rotated.Z.T @ slope)[:, np.newaxis], np.array([slope.sum()])

    return objective


def _multinomial_loss(rotated: _Rotated, codes: NDArray[np.intp]) -> Objective:
    rows = np.arange(len(codes))
    weight = rotated.weight[:, np.newaxis]

    def objective(coefficients: FloatArray, intercepts: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        logits = rotated.Z @ coefficients + intercepts
        normaliser = logsumexp(logits, axis=1)
        loss = float(rotated.weight @ (normaliser - logits[rows, codes]))
        slope = np.exp(logits - normaliser[:, np.newaxis])
        slope[rows, codes] -= 1.0
        slope *= weight
        return loss, rotated.Z.T @ slope, slope.sum(axis=0)

    return objective
