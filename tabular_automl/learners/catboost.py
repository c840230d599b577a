"""CatBoost through its native interface: own stopping, the whole loss curve, its own model format."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit, softmax
from threadpoolctl import threadpool_info

from tabular_automl.core.candidate import Params, Value, freeze_params
from tabular_automl.core.fitting import FeatureSpec, FitContext, FitOutcome, FittedModel, FloatArray, Rows
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.state import State, load_state, save_state
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.base import Limits
from tabular_automl.learners.patience import Patience, fell_behind, waiting_rounds
from tabular_automl.learners.prior import Prior, smoothed_shares
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
from tabular_automl.learners.tree_learner import BoostedTrees, default_moments

if TYPE_CHECKING:
    import catboost

MODEL_FILE = "model.cbm"
# Below so many visits of rows to trees, some 30 ms on one core, waking threads costs more than it saves.
VISITS_A_THREAD = 10_000_000
# Up to so many rows, or to as many as there are levels, Python values reach CatBoost sooner than a frame.
FEW_ROWS = 32
# Beyond this learning rate a hastened fit loses more than it saves.
MAX_RATE = 0.2
# Beyond so many rows defaults are chosen for speed as well.
MANY_ROWS = 20_000
# Share of categorical columns with so many levels that CatBoost keeps statistics instead of one-hot columns.
ORDERED_SHARE = 0.4
_SAMPLED_ROWS = 1_000
_LARGEST = float(np.finfo(np.float32).max)
_LOSSES = {TaskKind.BINARY: "Logloss", TaskKind.MULTICLASS: "MultiClass", TaskKind.REGRESSION: "RMSE"}
# What differs between the files of two models that are the same otherwise.
_CHANCE_FACTS = ("model_guid", "train_finish_time")


class CatBoost(BoostedTrees):
    """Gradient-boosted symmetric trees with ordered statistics of categories [1]_, without ordered boosting.

    References
    ----------
    .. [1] Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features", NeurIPS 2018. The
       defaults start from the meta-tuned ones of Holzmüller et al., "Better by Default", NeurIPS 2024.
    """

    family: ClassVar[str] = "catboost"
    code_version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("catboost", "numpy", "scipy")
    late_imports: ClassVar[tuple[str, ...]] = ("catboost",)
    highest_rate: ClassVar[float] = MAX_RATE

    def defaults(self, shape: ProblemShape) -> Params:
        """Return meta-tuned defaults where rows are few, a cheaper variant of them where they are many."""
        return self.space(shape).only(_tuned(shape))

    def space(self, shape: ProblemShape) -> Space:
        """Return the ranges known to work; the treatment of categories only where there are some.

        ``moments`` makes categories of dates that many rows share, beside their calendar parts.
        """
        parameters: list[Parameter] = [
            Float("learning_rate", 0.005, 0.15, log=True, limits=POSITIVE),
            Integer("depth", 4, 9, limits=(1, 16)),
            Float("l2_leaf_reg", 1e-5, 5.0, log=True, limits=NOT_NEGATIVE),
            Float("subsample", 0.7, 1.0, limits=SHARE),
            Float("rsm", 0.85, 1.0, limits=SHARE),
            Float("random_strength", 0.0, 2.0, limits=NOT_NEGATIVE),
            Integer("leaf_estimation_iterations", 1, 20, log=True, limits=(1, MOST_INTEGER)),
            Choice("grow_policy", ("SymmetricTree", "Depthwise"), others=("Lossguide",)),
            Choice("border_count", (128, 64, 254), limits=(1, 65_535)),
            Choice("moments", (True, False)),
        ]
        if shape.n_categorical:
            parameters += [
                Integer("one_hot_max_size", 2, 100, log=True, limits=(0, 65_535)),
                Integer("max_ctr_complexity", 1, 5, limits=(0, 15)),
                Float("model_size_reg", 0.1, 1.5, log=True, limits=NOT_NEGATIVE),
            ]
        return Space(tuple(parameters))

    def values(self, shape: ProblemShape, params: Params) -> dict[str, Any]:
        """Return the hyperparameters by name, also those of categories, which the recipe alone may make."""
        return {**_tuned(shape), **dict(params)}

    def cost(self, shape: ProblemShape, params: Params, rounds: int) -> float:
        """Return core-seconds: scores of all splits, passes over the rows, statistics of categories."""
        values = self.reckoned(shape, params)
        depth, borders = int(values["depth"]), int(values["border_count"])
        classes = shape.n_outputs if shape.task is TaskKind.MULTICLASS else 1
        rows, columns = shape.n_rows, max(shape.n_columns, 1)
        scores = 5e-9 * classes * columns * min(borders, rows) * (1 << depth)
        leaves = 3e-9 * classes * int(values["leaf_estimation_iterations"])
        passes = rows * (depth * (3.2e-9 + 5e-11 * columns) + leaves)
        if values["grow_policy"] != "SymmetricTree":
            scores, passes = 4.7 * scores, 4.7 * passes
        # Statistics are kept for each class but one, and for pairs of categories unless told otherwise.
        each = 3.5e-8 * rows if values["max_ctr_complexity"] == 1 else 1.5e-4 + 8e-8 * rows
        statistics = ORDERED_SHARE * shape.n_categorical * max(1, classes - 1) * each
        # CatBoost hands the whole curve to its callback in every round.
        watching = 1.2e-7 * rounds**2
        return 0.01 + 1.2e-7 * rows * columns + rounds * (scores + passes + statistics) + watching

    def expected_rounds(self, shape: ProblemShape, params: Params) -> int:
        """Return the rounds after which it usually stops, patience included."""
        limits, values = self.limits(shape, params), self.reckoned(shape, params)
        useful = (25 if shape.task.is_classification else 60) / float(values["learning_rate"])
        useful /= self.learnt_by_tree(freeze_params(values))
        return min(limits.max_rounds, round(useful) + waiting_rounds(useful, limits.patience))

    def memory(self, shape: ProblemShape, params: Params) -> float:
        """Return bytes: copies of the rows, statistics of all splits for each leaf and class, trees."""
        values = self.reckoned(shape, params)
        rows, columns, borders = shape.n_rows, max(shape.n_columns, 1), int(values["border_count"])
        leaves = 1 << int(values["depth"])
        statistics = 20.0 * leaves * columns * min(borders, rows) * shape.n_outputs
        trees = 8.0 * self.expected_rounds(shape, params) * leaves * shape.n_outputs
        return 24.0 * rows * columns + statistics + 60.0 * rows * shape.n_outputs + 3 * trees

    def learnt_by_tree(self, params: Params) -> float:
        """Return less for shallow trees."""
        return float(2 ** ((int(dict(params).get("depth") or 6) - 6) / 3))

    def limits(self, shape: ProblemShape, params: Params) -> Limits:
        """Return at most 2,000 rounds, and the usual patience."""
        return super().limits(shape, params)._replace(max_rounds=2_000)

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        """Boost until the held-out loss has not improved for ``context.patience`` rounds.

        CatBoost refuses rows that no column tells apart: all there is to learn from them is the prior.
        """
        import catboost

        columns = _Columns.of(train.X, context.features)
        if not columns.tell_apart(train.X):
            return Prior().fit(train, held_out, (), context)
        start = _Start.of(train, context)
        learn = _pool(_with_every_class(train, context.shape), columns, start, context)
        watched = None if held_out is None else _pool(held_out, columns, start, context)
        watch = _Watch(context, start, Patience(context.patience))
        booster = catboost.CatBoost(_settings(self.booster_values(context.shape, params), context))
        booster.fit(learn, eval_set=watched, use_best_model=False, callbacks=[watch])
        booster.set_scale_and_bias(start.spread, list(start.bias))
        curve = np.array(watch.curve)
        if context.shape.task is TaskKind.REGRESSION:
            curve = start.squared_error(curve)
        symmetric = booster.get_param("grow_policy") == "SymmetricTree"
        trees = _Trees(booster, int(booster.tree_count_), symmetric)
        model = CatBoostModel(trees, context.shape.task, context.shape.n_outputs, columns, context.threads)
        return FitOutcome(model, curve, watch.complete, watch.given_up)

    def load(self, folder: Path) -> FittedModel:
        """Return the saved model."""
        import catboost

        if not (folder / MODEL_FILE).exists():
            return Prior().load(folder)
        state = load_state(folder)
        booster = catboost.CatBoost()
        booster.load_model(str(folder / MODEL_FILE), format="cbm")
        trees = _Trees(booster, int(state.facts["rounds"]), bool(state.facts["symmetric"]))
        task, n_outputs = TaskKind(state.facts["task"]), int(state.facts["n_outputs"])
        return CatBoostModel(trees, task, n_outputs, _Columns.from_state(state))


@dataclass(frozen=True, eq=False)
class _Columns:
    """How a matrix reaches CatBoost, which keeps numbers in single precision and wants whole codes.

    Attributes
    ----------
    center
        Shape (n_columns,): taken off numbers, so that also the seconds of a date differ in single precision.
    missing
        Shape (n_columns,): what stands for a missing cell: NaN, or the center where training rows lacked none
        (CatBoost would take it for the smallest number); -1, a level of its own, for categories.
    n_levels
        Number of levels by position of a categorical column.
    """

    center: FloatArray
    missing: FloatArray
    n_levels: Mapping[int, int]

    @classmethod
    def of(cls, X: FloatArray, features: FeatureSpec) -> "_Columns":
        center = _median(X[:: max(1, len(X) // _SAMPLED_ROWS)])
        missing = np.where(np.isnan(X).any(axis=0), np.nan, 0.0)
        categorical = list(features.categorical)
        center[categorical], missing[categorical] = 0.0, -1.0
        return cls(center, missing, dict(zip(categorical, features.n_levels, strict=True)))

    @classmethod
    def from_state(cls, state: State) -> "_Columns":
        n_levels = {int(place): int(levels) for place, levels in state.facts["n_levels"].items()}
        return cls(state.arrays["center"], state.arrays["missing"], n_levels)

    def state(self) -> State:
        n_levels = {str(place): levels for place, levels in self.n_levels.items()}
        return State({"n_levels": n_levels}, {"center": self.center, "missing": self.missing})

    def tell_apart(self, X: FloatArray) -> bool:
        """Return whether some column holds two values; a missing one counts as a value."""
        # A few rows nearly always differ, and what differs in them differs in all.
        sample = X[:: max(1, len(X) // _SAMPLED_ROWS)]
        return self._differ(sample) or (len(sample) < len(X) and self._differ(X))

    def pool(
        self,
        X: FloatArray,
        threads: int,
        *,
        label: NDArray[Any] | None = None,
        weight: FloatArray | None = None,
        baseline: FloatArray | None = None,
    ) -> "catboost.Pool":
        """Return the matrix by the fastest of the ways CatBoost reads; all give the same values."""
        import catboost

        matrix = self._matrix(X)
        given = {"label": label, "weight": weight, "baseline": baseline, "thread_count": threads}
        if not self.n_levels:
            return catboost.Pool(matrix, **given)
        # A frame costs a hash for each level, Python values one for each cell.
        few = len(X) <= max(FEW_ROWS, sum(self.n_levels.values()))
        data = self._cells(matrix) if few else self._frame(matrix)
        return catboost.Pool(data, cat_features=list(self.n_levels), **given)

    def _differ(self, X: FloatArray) -> bool:
        columns = self._matrix(X).T
        return any(bool((column != column[0]).any()) and not np.isnan(column).all() for column in columns)

    def _matrix(self, X: FloatArray) -> NDArray[np.float32]:
        numbers = np.clip(X - self.center, -_LARGEST, _LARGEST)
        # Each column in one piece: CatBoost reads them four times as fast as rows.
        return np.where(np.isnan(X), self.missing, numbers).astype(np.float32, order="F")

    def _cells(self, matrix: NDArray[np.float32]) -> list[list[float | int]]:
        cells: list[list[float | int]] = matrix.tolist()
        for row in cells:
            for place in self.n_levels:
                row[place] = int(row[place])
        return cells

    def _frame(self, matrix: NDArray[np.float32]) -> pd.DataFrame:
        series: dict[int, Any] = dict(enumerate(matrix.T))
        for place, n_levels in self.n_levels.items():
            codes = matrix[:, place].astype(np.int32) + 1
            series[place] = pd.Categorical.from_codes(codes, pd.RangeIndex(-1, n_levels), validate=False)
        return pd.DataFrame(series, copy=False)


@dataclass(frozen=True, eq=False)
class _Trees:
    """A booster of which the first ``rounds`` trees count; CatBoost can cut off only symmetric ones."""

    booster: "catboost.CatBoost"
    rounds: int
    symmetric: bool

    def first(self, rounds: int) -> "_Trees":
        """Return a copy of the first rounds, cut where that can be done."""
        booster, rounds = self.booster.copy(), min(rounds, self.rounds)
        if self.symmetric and rounds < int(booster.tree_count_):
            booster.shrink(rounds)
        return _Trees(booster, rounds, self.symmetric)


@dataclass(frozen=True, eq=False)
class CatBoostModel:
    """A booster with all its rounds; ``threads`` are used when there is work for them.

    None are as many as the other libraries of this process use: one in a worker, else all cores.
    """

    trees: _Trees
    task: TaskKind
    n_outputs: int
    columns: _Columns
    threads: int | None = None

    @property
    def rounds(self) -> int:
        """Boosting rounds; the tree of a round serves all classes."""
        return self.trees.rounds

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        """Return probabilities or values of the first ``rounds`` rounds, shape (n, n_outputs)."""
        if len(X) == 0:
            return np.empty((0, self.n_outputs))
        rounds = rounds or self.rounds
        few = len(X) * self.n_outputs * rounds < VISITS_A_THREAD
        threads = 1 if few else self.threads or _threads_of_process()
        pool = self.columns.pool(X, threads)
        found = self.trees.booster.predict(
            pool, prediction_type="RawFormulaVal", ntree_end=rounds, thread_count=threads
        )
        raw = np.asarray(found, dtype=np.float64).reshape(len(X), self.n_outputs)
        if self.task is TaskKind.REGRESSION:
            return raw
        shares: FloatArray = expit(raw) if self.task is TaskKind.BINARY else softmax(raw, axis=1)
        return shares

    def save(self, folder: Path, rounds: int | None = None) -> None:
        """Write ``model.cbm`` in CatBoost's own format, cut to ``rounds``, and how columns reach it."""
        trees = self.trees.first(rounds or self.rounds)
        booster = trees.booster
        for name in _CHANCE_FACTS:
            if name in booster.get_metadata().keys():  # noqa: SIM118 - CatBoost's mapping is no `Mapping`
                del booster.get_metadata()[name]
        booster.save_model(str(folder / MODEL_FILE), format="cbm")
        columns = self.columns.state()
        facts = {
            **columns.facts,
            "task": str(self.task),
            "n_outputs": self.n_outputs,
            "rounds": trees.rounds,
            "symmetric": trees.symmetric,
        }
        save_state(State(facts, columns.arrays), folder)


@dataclass(frozen=True)
class _Start:
    """Where boosting starts: the prior; targets centred and scaled, as they are held in single precision."""

    bias: tuple[float, ...]
    spread: float = 1.0

    @classmethod
    def of(cls, train: Rows, context: FitContext) -> "_Start":
        if context.shape.task is TaskKind.REGRESSION:
            scale = TargetScale.of(train, context.shape.task)
            return cls((scale.center,), scale.spread)
        shares = smoothed_shares(train, max(context.shape.n_outputs, 2))
        if context.shape.task is TaskKind.BINARY:
            return cls(tuple(logit(shares[1:]).tolist()))
        return cls(tuple(np.log(shares).tolist()))

    def squared_error(self, losses: FloatArray) -> FloatArray:
        """Return the squared errors of a regression from what CatBoost says, their roots on its own scale."""
        errors: FloatArray = (losses * self.spread) ** 2
        return errors


@dataclass
class _Watch:
    """Keeps the held-out losses and says after each round, when CatBoost asks, whether to go on."""

    context: FitContext
    start: _Start
    patience: Patience
    curve: list[float] = field(default_factory=list)
    complete: bool = True
    given_up: bool = False

    def after_iteration(self, info: Any) -> bool:
        losses = [of_metric[-1] for of_metric in info.metrics.get("validation", {}).values()]
        self.curve.extend(losses)
        if losses:
            ran_out = self.patience.ran_out(info.iteration, losses[0])
            self.given_up = self._fell_behind(info.iteration)
            if self.given_up or ran_out:
                return False
        if self.context.should_stop():
            self.complete = info.iteration == self.context.max_rounds
            return False
        return True

    def _fell_behind(self, round_: int) -> bool:
        best = np.array(self.patience.best)
        if self.context.shape.task is TaskKind.REGRESSION:
            best = self.start.squared_error(best)
        return fell_behind(float(best), round_, self.context.bar)


def _tuned(shape: ProblemShape) -> dict[str, Value]:
    classes = shape.task.is_classification
    many = shape.n_rows > MANY_ROWS
    return {
        "border_count": 128 if classes or many else 254,
        "depth": _depth(shape),
        "grow_policy": "SymmetricTree",
        # The meta-tuned 1e-5 of classification loses to 1 on 12 of 14 tables.
        "l2_leaf_reg": 1.0 if classes else 3.0,
        "leaf_estimation_iterations": 1,
        "learning_rate": _learning_rate(shape),
        "max_ctr_complexity": _ctr_complexity(shape),
        "model_size_reg": 0.5,
        "moments": default_moments(shape),
        "one_hot_max_size": 15 if classes else 20,
        "random_strength": 0.8 if classes else 0.0,
        "rsm": 1.0,
        "subsample": 0.9 if classes else 0.8,
    }


def _depth(shape: ProblemShape) -> int:
    if shape.task.is_classification:
        return 4 if shape.n_rows <= 1_000 else 5 if shape.n_rows <= 4_000 else 6
    if shape.n_rows > MANY_ROWS:
        return 8
    return 4 if shape.n_rows <= 4_000 else 6


def _ctr_complexity(shape: ProblemShape) -> int:
    # Pairs of categories halve the speed, and are counted for each class but one.
    return 1 if shape.task is TaskKind.MULTICLASS or shape.n_rows > 50_000 else 2


def _learning_rate(shape: ProblemShape) -> float:
    if shape.n_rows > MANY_ROWS:
        return 0.12
    return 0.05 if shape.task.is_classification and shape.n_rows <= 2_000 else 0.08


def _settings(values: Mapping[str, Any], context: FitContext) -> dict[str, Any]:
    loss = _LOSSES[context.shape.task]
    return {
        **values,
        "allow_const_label": True,
        "allow_writing_files": False,
        "boost_from_average": False,
        "boosting_type": "Plain",
        "bootstrap_type": "Bernoulli",
        "counter_calc_method": "SkipTest",
        "eval_metric": f"{loss}:hints=skip_train~true",
        "iterations": context.max_rounds,
        "logging_level": "Silent",
        "loss_function": loss,
        "random_seed": context.seed,
        "task_type": "CPU",
        "thread_count": context.threads,
    }


def _pool(rows: Rows, columns: _Columns, start: _Start, context: FitContext) -> "catboost.Pool":
    if context.shape.task is TaskKind.REGRESSION:
        label = (rows.y - start.bias[0]) / start.spread
        return columns.pool(rows.X, context.threads, label=label, weight=rows.weight)
    label, baseline = rows.y.astype(np.int32), np.tile(start.bias, (len(rows.y), 1))
    return columns.pool(rows.X, context.threads, label=label, weight=rows.weight, baseline=baseline)


def _threads_of_process() -> int:
    """Return what `OMP_NUM_THREADS` and threadpoolctl allow (-1: all cores); CatBoost asks neither."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    allowed = [int(pool["num_threads"]) for pool in threadpool_info()]
    if asked.isdecimal() and int(asked) > 0:
        allowed.append(int(asked))
    return min(allowed, default=-1)


def _with_every_class(train: Rows, shape: ProblemShape) -> Rows:
    """Add a row without weight for each class that has none: CatBoost learns from labels what classes are."""
    if not shape.task.is_classification:
        return train
    absent = np.setdiff1d(np.arange(max(shape.n_outputs, 2)), train.y)
    if len(absent) == 0:
        return train
    weight = np.ones(len(train.y)) if train.weight is None else train.weight
    return Rows(
        np.concatenate([train.X, np.repeat(train.X[:1], len(absent), axis=0)]),
        np.concatenate([train.y, absent]),
        np.concatenate([weight, np.zeros(len(absent))]),
    )


def _median(X: FloatArray) -> FloatArray:
    """Return the upper median of each column's finite cells, 0 where there are none."""
    finite = np.isfinite(X)
    ordered = np.sort(np.where(finite, X, np.inf), axis=0)
    median = ordered[np.count_nonzero(finite, axis=0) // 2, np.arange(X.shape[1])]
    return np.where(np.isfinite(median), median, 0.0)
