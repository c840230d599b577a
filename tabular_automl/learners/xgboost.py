"""XGBoost through its native interface: own stopping, the whole loss curve, its own model format."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from tabular_automl.core.candidate import Params, Value
from tabular_automl.core.fitting import FeatureSpec, FitContext, FitOutcome, FittedModel, FloatArray, Rows
from tabular_automl.core.metrics import training_loss
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.state import State, load_state, save_state
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.patience import Course, Patience, fell_behind, waiting_rounds
from tabular_automl.learners.space import (
    MOST_INTEGER,
    NOT_NEGATIVE,
    POSITIVE,
    SHARE,
    Choice,
    Float,
    Integer,
    Parameter,
    Space,
)
from tabular_automl.learners.target_scale import TargetScale
from tabular_automl.learners.tree_learner import BoostedTrees, default_moments, learnt_by_leaves

if TYPE_CHECKING:
    import xgboost

MODEL_FILE = "model.ubj"
# Below so many visits of rows to trees, some 30 ms on one core, waking threads costs more than it saves.
VISITS_A_THREAD = 2_000_000
# Beyond this learning rate a hastened fit loses more than it saves.
MAX_RATE = 0.2
_OBJECTIVES = {
    TaskKind.BINARY: "binary:logistic",
    TaskKind.MULTICLASS: "multi:softprob",
    TaskKind.REGRESSION: "reg:squarederror",
}


class XGBoost(BoostedTrees):
    """Gradient-boosted trees with second-order regularisation [1]_, on ordinal codes with native categories.

    References
    ----------
    .. [1] Chen and Guestrin, "XGBoost: A Scalable Tree Boosting System", KDD 2016. The defaults start from
       the meta-tuned ones of Holzmüller et al., "Better by Default", NeurIPS 2024.
    """

    family: ClassVar[str] = "xgboost"
    code_version: ClassVar[int] = 2
    # One of the two distributions is installed: they differ in what else the wheel carries.
    libraries: ClassVar[tuple[str, ...]] = ("xgboost", "xgboost-cpu", "numpy", "scipy")
    late_imports: ClassVar[tuple[str, ...]] = ("xgboost",)
    highest_rate: ClassVar[float] = MAX_RATE

    def defaults(self, shape: ProblemShape) -> Params:
        """Return meta-tuned defaults, with smaller trees and steps on few rows."""
        classes = shape.task.is_classification
        values: dict[str, Value] = {
            "colsample_bylevel": 0.9 if classes else 1.0,
            "colsample_bynode": 0.8 if shape.n_columns >= 10 else 1.0,
            "grow_policy": "depthwise",
            "learning_rate": _learning_rate(shape),
            "max_bin": 256,
            "max_cat_to_onehot": 8,
            "max_depth": _max_depth(shape),
            "max_leaves": 1024,
            "min_child_weight": _min_child_weight(shape),
            "moments": default_moments(shape),
            "reg_alpha": 0.0,
            "reg_lambda": 0.0,
            "subsample": 0.65 if classes else 0.7,
        }
        return self.space(shape).only(values)

    def space(self, shape: ProblemShape) -> Space:
        """Return the ranges known to work; the treatment of categories only where there are some.

        ``moments`` makes categories of dates that many rows share, beside their calendar parts.
        """
        parameters: list[Parameter] = [
            Float("learning_rate", 0.005, 0.1, log=True, limits=POSITIVE),
            Integer("max_depth", 2, 10, limits=(1, 30)),
            Float("min_child_weight", 0.001, 20.0, log=True, limits=NOT_NEGATIVE),
            Float("subsample", 0.6, 1.0, limits=SHARE),
            Float("colsample_bylevel", 0.6, 1.0, limits=SHARE),
            Float("colsample_bynode", 0.6, 1.0, limits=SHARE),
            Float("reg_alpha", 0.0, 5.0, limits=NOT_NEGATIVE),
            Float("reg_lambda", 0.0, 5.0, limits=NOT_NEGATIVE),
            Choice("grow_policy", ("depthwise", "lossguide")),
            # 1024 leaves are never reached with ten levels: no bound.
            Integer("max_leaves", 8, 1024, log=True, limits=(0, MOST_INTEGER)),
            Integer("max_bin", 64, 512, log=True, limits=(2, 65_536)),
            Choice("moments", (True, False)),
        ]
        if shape.n_categorical:
            parameters.append(Integer("max_cat_to_onehot", 2, 100, log=True, limits=(1, MOST_INTEGER)))
        return Space(tuple(parameters))

    def cost(self, shape: ProblemShape, params: Params, rounds: int) -> float:
        """Return core-seconds: histograms over rows × columns a level, and splits sought in each node."""
        values = self.reckoned(shape, params)
        depth = int(values["max_depth"])
        columns = max(shape.n_columns, 1)
        trees = rounds * (shape.n_outputs if shape.task is TaskKind.MULTICLASS else 1)
        # Some way below 2 ** depth, because branches end early.
        leaves = min(math.exp2(0.75 * depth), float(values["max_leaves"]), shape.n_rows / 10)
        by_leaf = leaves * (1.6e-6 * columns + 3.3e-6 * shape.n_categorical)
        by_row = shape.n_rows * (4.3e-8 + 6.7e-10 * columns * depth)
        return 0.005 + 2.5e-7 * shape.n_rows * columns + trees * (1.5e-4 + by_leaf + by_row)

    def expected_rounds(self, shape: ProblemShape, params: Params) -> int:
        """Return the rounds after which it usually stops, patience included."""
        limits, rate = self.limits(shape, params), float(self.reckoned(shape, params)["learning_rate"])
        useful = (8 if shape.task.is_classification else 20) / rate
        return min(limits.max_rounds, round(useful) + waiting_rounds(useful, limits.patience))

    def memory(self, shape: ProblemShape, params: Params) -> float:
        """Return bytes: rows in double and single precision, bins, histograms of a level, trees."""
        values = self.reckoned(shape, params)
        rows, columns, bins = shape.n_rows, max(shape.n_columns, 1), int(values["max_bin"])
        # Branches end early where rows are few.
        leaves = min(1 << int(values["max_depth"]), int(values["max_leaves"]), max(8, rows // 32))
        trees = self.expected_rounds(shape, params) * shape.n_outputs
        histograms = 22.0 * leaves * columns * min(bins, rows)
        return 24.0 * rows * columns + histograms + 40.0 * rows * shape.n_outputs + 100.0 * trees * leaves

    def learnt_by_tree(self, params: Params) -> float:
        """Return less for trees of few leaves."""
        values = dict(params)
        depth, most = int(values.get("max_depth") or 5), int(values.get("max_leaves") or 1_024)
        return learnt_by_leaves(min(2.0 ** min(depth, 20), most))

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        """Boost until the held-out loss has not improved for ``context.patience`` rounds."""
        import xgboost

        scale = _OutputScale.of(train, context.shape)
        columns = _Columns.of(train.X, context.features)
        settings = _settings(self.booster_values(context.shape, params), context)
        data = _matrix(train.X, columns, settings)
        # Predictions add the start themselves, in double precision.
        start = np.broadcast_to(scale.start, (len(train.y), len(scale.start)))
        data.set_info(label=scale.labels(train.y), weight=train.weight, base_margin=start)
        watch = None
        if held_out is not None:
            watch = _Watch(held_out, _matrix(held_out.X, columns, settings, data), scale)
        booster = xgboost.Booster(settings, [data] if watch is None else [data, watch.matrix])
        course = _boost(booster, data, watch, context)
        booster.reset()  # lets go of the training data
        return FitOutcome(XGBoostModel(_Trees(booster), columns, scale, context.threads), *course)

    def load(self, folder: Path) -> FittedModel:
        """Return the saved model."""
        import xgboost

        state = load_state(folder)
        booster = xgboost.Booster()
        booster.load_model(folder / MODEL_FILE)
        columns = _Columns(**state.arrays)
        return XGBoostModel(_Trees(booster), columns, _OutputScale.from_facts(state.facts))


@dataclass(frozen=True, eq=False)
class _OutputScale:
    """Between sums over trees and predictions.

    A regression target is boosted centred and scaled, because XGBoost holds it in single precision; classes
    start from their frequencies, with a row more of each, so that none is impossible.
    """

    task: TaskKind
    center: FloatArray  # (n_outputs,)
    spread: float = 1.0

    @classmethod
    def of(cls, train: Rows, shape: ProblemShape) -> "_OutputScale":
        if shape.task is TaskKind.REGRESSION:
            scale = TargetScale.of(train, shape.task)
            return cls(shape.task, np.array([scale.center]), scale.spread)
        counts = np.bincount(train.y.astype(np.intp), train.weight, minlength=max(shape.n_outputs, 2))
        logs = np.log(counts + counts.sum() / len(train.y))
        return cls(shape.task, logs - logs.mean() if shape.n_outputs > 1 else logs[1:] - logs[:1])

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "_OutputScale":
        return cls(TaskKind(facts["task"]), np.array(facts["center"]), facts["spread"])

    @property
    def facts(self) -> dict[str, Any]:
        return {"task": str(self.task), "center": self.center.tolist(), "spread": self.spread}

    @property
    def start(self) -> FloatArray:
        """Where boosting starts, in what the trees sum up to."""
        return self.center if self.task.is_classification else np.zeros(1)

    def labels(self, y: FloatArray) -> FloatArray:
        return y if self.task.is_classification else (y - self.center) / self.spread

    def predictions(self, sums: NDArray[np.float32]) -> FloatArray:
        outputs = sums.reshape(len(sums), -1).astype(np.float64) * self.spread + self.center
        if self.task is TaskKind.MULTICLASS:
            return np.asarray(softmax(outputs, axis=1))
        return np.asarray(expit(outputs)) if self.task is TaskKind.BINARY else outputs


@dataclass(frozen=True, eq=False)
class _Columns:
    """How a matrix of ours becomes one of XGBoost's, in single precision.

    Where all values of a column are within a factor of two, they are counted from the one nearest to zero,
    and so lose nothing. XGBoost takes a level without a training row for another; here it becomes missing.
    """

    origins: FloatArray  # (n_features,)
    places: NDArray[np.intp]  # (n_categorical,): the columns that hold category codes
    codes: NDArray[np.float32]  # (n_categorical, most levels + 1): code of each level seen, else NaN

    @classmethod
    def of(cls, X: FloatArray, features: FeatureSpec) -> "_Columns":
        codes = np.full(
            (len(features.categorical), max(features.n_levels, default=0) + 1), np.nan, np.float32
        )
        for row, place in zip(codes, features.categorical, strict=True):
            levels = np.unique(X[:, place])
            levels = levels[~np.isnan(levels)].astype(np.intp)
            row[levels] = np.arange(len(levels))
        return cls(_origins(X), np.array(features.categorical, dtype=np.intp), codes)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"origins": self.origins, "places": self.places, "codes": self.codes}

    @property
    def types(self) -> list[str]:
        """XGBoost's marks of numbers and categories."""
        types = np.full(len(self.origins), "q")
        types[self.places] = "c"
        return list(types)

    def values(self, X: FloatArray) -> NDArray[np.float32]:
        largest = np.finfo(np.float32).max
        shifted = X - self.origins
        found: NDArray[np.float32] = np.clip(shifted, -largest, largest, out=shifted).astype(np.float32)
        if len(self.places):
            # Missing codes, and codes beyond the known ones, take the last place, which is never a level.
            levels = np.fmin(X[:, self.places], self.codes.shape[1] - 1).astype(np.intp)
            found[:, self.places] = self.codes[np.arange(len(self.places)), levels]
        return found


class _Trees:
    """A booster that threads may share: its number of threads is a setting, made under a lock."""

    def __init__(self, booster: "xgboost.Booster") -> None:
        self.booster = booster
        self._threads: int | None = None
        self._lock = Lock()

    def __reduce__(self) -> tuple[type["_Trees"], tuple["xgboost.Booster"]]:
        return _Trees, (self.booster,)

    def sums(self, values: NDArray[np.float32], rounds: int, threads: int) -> NDArray[np.float32]:
        with self._lock:
            if threads != self._threads:
                self.booster.set_param({"nthread": threads})
                self._threads = threads
            found = self.booster.inplace_predict(
                values, iteration_range=(0, rounds), predict_type="margin", validate_features=False
            )
        return np.asarray(found)


@dataclass(frozen=True, eq=False)
class XGBoostModel:
    """A booster with all its rounds; ``threads`` (0: all cores) are used when there is work for them."""

    trees: _Trees
    columns: _Columns
    scale: _OutputScale
    threads: int = 0

    @property
    def rounds(self) -> int:
        """Boosting rounds; a round of a multiclass model holds a tree for each class."""
        return int(self.trees.booster.num_boosted_rounds())

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        """Return probabilities or values of the first ``rounds`` rounds, shape (n, n_outputs)."""
        n_outputs = len(self.scale.center)
        if len(X) == 0:
            return np.empty((0, n_outputs))
        rounds = rounds or self.rounds
        threads = 1 if len(X) * n_outputs * rounds < VISITS_A_THREAD else self.threads
        return self.scale.predictions(self.trees.sums(self.columns.values(X), rounds, threads))

    def save(self, folder: Path, rounds: int | None = None) -> None:
        """Write ``model.ubj`` in XGBoost's own format, cut to ``rounds``, and what surrounds the trees."""
        self.trees.booster[: rounds or self.rounds].save_model(folder / MODEL_FILE)
        save_state(State(self.scale.facts, self.columns.arrays), folder)


@dataclass(frozen=True, eq=False)
class _Watch:
    """Held-out rows, by which boosting stops."""

    rows: Rows
    matrix: "xgboost.QuantileDMatrix"
    scale: _OutputScale

    def loss(self, booster: "xgboost.Booster") -> float:
        """Return the loss so far; XGBoost keeps the sums and adds those of the last round."""
        predictions = self.scale.predictions(booster.predict(self.matrix, output_margin=True))
        return training_loss(self.scale.task).loss(self.rows.y, predictions, self.rows.weight)


def _learning_rate(shape: ProblemShape) -> float:
    if shape.n_rows <= 2_000:
        return 0.03
    return 0.05 if shape.n_rows <= 10_000 else 0.08


def _max_depth(shape: ProblemShape) -> int:
    if shape.task.is_classification:
        return 3 if shape.n_rows <= 1_000 else 5 if shape.n_rows <= 10_000 else 6
    return 4 if shape.n_rows <= 1_000 else 6 if shape.n_rows <= 10_000 else 8


def _min_child_weight(shape: ProblemShape) -> float:
    # The meta-tuned 5e-6 of classification was chosen by the error rate; where categories have many levels it
    # ruins the log-loss: 0.60 on Titanic, 0.42 with 1; 30,000 flights have 0.61 with 1, 0.57 with 10.
    if shape.task.is_classification:
        return float(np.clip(shape.n_rows / 2_000 - 2, 1, 10))
    return float(np.clip(shape.n_rows / 2_000, 2, 10))


def _settings(values: Mapping[str, Any], context: FitContext) -> dict[str, Any]:
    task = context.shape.task
    settings: dict[str, Any] = {
        **values,
        "objective": _OBJECTIVES[task],
        "base_score": 0.5 if task is TaskKind.BINARY else 0.0,  # sums of trees start from zero
        "tree_method": "hist",
        "nthread": context.threads,
        "seed": context.seed,
        "verbosity": 0,
    }
    if task is TaskKind.MULTICLASS:
        settings["num_class"] = context.shape.n_outputs
    return settings


def _origins(X: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore"):
        smallest, largest = np.fmin.reduce(X, axis=0), np.fmax.reduce(X, axis=0)
        above = (smallest > 0) & (largest <= 2 * smallest)
        below = (largest < 0) & (smallest >= 2 * largest)
    return np.select([above, below], [smallest, largest], 0.0)


def _matrix(
    X: FloatArray,
    columns: _Columns,
    settings: Mapping[str, Any],
    bins_of: "xgboost.QuantileDMatrix | None" = None,
) -> "xgboost.QuantileDMatrix":
    import xgboost

    return xgboost.QuantileDMatrix(
        columns.values(X),
        feature_types=columns.types,
        enable_categorical=True,
        max_bin=settings["max_bin"],
        nthread=settings["nthread"],
        ref=bins_of,
    )


def _boost(
    booster: "xgboost.Booster", data: "xgboost.QuantileDMatrix", watch: _Watch | None, context: FitContext
) -> Course:
    """Add rounds until patience, bar, cap or deadline."""
    curve: list[float] = []
    patience = Patience(context.patience)
    for round_ in range(1, context.max_rounds + 1):
        booster.update(data, round_ - 1)
        if watch is not None:
            curve.append(watch.loss(booster))
            ran_out = patience.ran_out(round_, curve[-1])
            if fell_behind(patience.best, round_, context.bar):
                return Course(np.array(curve), given_up=True)
            if ran_out:
                break
        if context.should_stop():
            return Course(np.array(curve), round_ == context.max_rounds)
    return Course(np.array(curve))
