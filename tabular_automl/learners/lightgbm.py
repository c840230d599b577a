"""LightGBM through its native interface: own stopping, the whole loss curve, its own model format."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tabular_automl.core.candidate import Params, Value, freeze_params
from tabular_automl.core.fitting import FitContext, FitOutcome, FittedModel, FloatArray, Rows
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
    import lightgbm

MODEL_FILE = "model.txt"
# Below so many visits of rows to trees, some 30 ms on one core, waking threads costs more than it saves.
VISITS_A_THREAD = 400_000
# How many times the rounds a model of randomly drawn cuts takes.
EXTRA_TREES_ROUNDS = 2.5
# Beyond this learning rate a hastened fit loses more than it saves.
MAX_RATE = 0.15
# LightGBM's own settings: the rows on which it chooses bins, and bins of a column.
BINNED_ROWS = 200_000
MOST_BINS = 255
_OBJECTIVES = {
    TaskKind.BINARY: ("binary", "binary_logloss"),
    TaskKind.MULTICLASS: ("multiclass", "multi_logloss"),
    TaskKind.REGRESSION: ("regression", "l2"),
}


class LightGBM(BoostedTrees):
    """Gradient-boosted trees grown leaf by leaf [1]_, on ordinal codes with native categories.

    References
    ----------
    .. [1] Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NeurIPS 2017. The
       defaults start from the meta-tuned ones of Holzmüller et al., "Better by Default", NeurIPS 2024.
    """

    family: ClassVar[str] = "lightgbm"
    code_version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("lightgbm", "numpy")
    late_imports: ClassVar[tuple[str, ...]] = ("lightgbm",)
    highest_rate: ClassVar[float] = MAX_RATE

    def defaults(self, shape: ProblemShape) -> Params:
        """Return meta-tuned defaults, with smaller trees and steps on few rows."""
        values: dict[str, Value] = {
            "bagging_fraction": 0.75 if shape.task.is_classification else 0.7,
            "cat_l2": 10.0,
            "cat_smooth": 10.0,
            "extra_trees": False,
            "feature_fraction": 1.0 if shape.task.is_classification or shape.n_columns < 10 else 0.7,
            "lambda_l1": 1e-4,
            "lambda_l2": 1e-4,
            "learning_rate": _learning_rate(shape),
            "max_cat_to_onehot": 8,
            "moments": default_moments(shape),
            "min_data_in_leaf": _min_data_in_leaf(shape),
            "min_data_per_group": max(2, min(100, shape.n_rows // 100)),
            "num_leaves": _num_leaves(shape),
        }
        return self.space(shape).only(values)

    def space(self, shape: ProblemShape) -> Space:
        """Return the ranges known to work; the treatment of categories only where there are some.

        ``moments`` makes categories of dates that many rows share, beside their calendar parts.
        """
        most_leaves = int(np.clip(shape.n_rows // 20, 8, 200))
        parameters: list[Parameter] = [
            Float("learning_rate", 0.005, 0.1, log=True, limits=POSITIVE),
            Integer("num_leaves", 2, most_leaves, log=True, limits=(2, 131_072)),
            Integer("min_data_in_leaf", 1, 64, log=True, limits=(0, MOST_INTEGER)),
            Float("feature_fraction", 0.4, 1.0, limits=SHARE),
            Float("bagging_fraction", 0.7, 1.0, limits=SHARE),
            Choice("extra_trees", (False, True)),
            Choice("moments", (True, False)),
            Float("lambda_l1", 1e-4, 1.0, log=True, limits=NOT_NEGATIVE),
            Float("lambda_l2", 1e-4, 2.0, log=True, limits=NOT_NEGATIVE),
        ]
        if shape.n_categorical:
            parameters += [
                Integer("min_data_per_group", 2, 100, log=True, limits=(1, MOST_INTEGER)),
                Integer("max_cat_to_onehot", 4, 100, log=True, limits=(1, MOST_INTEGER)),
                Float("cat_l2", 0.005, 20.0, log=True, limits=NOT_NEGATIVE),
                Float("cat_smooth", 0.001, 100.0, log=True, limits=NOT_NEGATIVE),
            ]
        return Space(tuple(parameters))

    def cost(self, shape: ProblemShape, params: Params, rounds: int) -> float:
        """Return core-seconds: histograms over rows × columns for each level of each class's tree."""
        leaves = int(self.reckoned(shape, params)["num_leaves"])
        trees = rounds * (shape.n_outputs if shape.task is TaskKind.MULTICLASS else 1)
        columns = max(shape.n_columns, 1)
        by_row = shape.n_rows * (2e-8 + 4e-10 * columns * math.log2(1 + leaves))
        by_leaf = leaves * (4e-6 + 3e-7 * columns)
        return 0.02 + 2e-7 * shape.n_rows * columns + trees * (5e-5 + by_leaf + by_row)

    def expected_rounds(self, shape: ProblemShape, params: Params) -> int:
        """Return the rounds after which it usually stops, patience included."""
        limits, values = self.limits(shape, params), self.reckoned(shape, params)
        useful = (8 if shape.task.is_classification else 20) / float(values["learning_rate"])
        useful /= self.learnt_by_tree(freeze_params(values))
        return min(limits.max_rounds, round(useful) + waiting_rounds(useful, limits.patience))

    def learnt_by_tree(self, params: Params) -> float:
        """Return less for small trees and for cuts drawn at random."""
        values = dict(params)
        slower = EXTRA_TREES_ROUNDS if values.get("extra_trees") else 1.0
        return learnt_by_leaves(int(values.get("num_leaves") or 31)) / slower

    def memory(self, shape: ProblemShape, params: Params) -> float:
        """Return bytes: rows, bins, one histogram for each leaf of a tree, scores and trees of each class."""
        leaves = int(self.reckoned(shape, params)["num_leaves"])
        rows, columns = shape.n_rows, max(shape.n_columns, 1)
        trees = self.expected_rounds(shape, params) * shape.n_outputs
        # Bins are chosen on a sample of the rows; they are held by column and by row.
        matrices = columns * (10.0 * rows + 12.0 * min(rows, BINNED_ROWS))
        histograms = 18.0 * leaves * columns * min(rows, MOST_BINS)
        return matrices + histograms + 40.0 * rows * shape.n_outputs + 150.0 * trees * leaves

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        """Boost until the held-out loss has not improved for ``context.patience`` rounds."""
        import lightgbm

        task = context.shape.task
        scale = TargetScale.of(train, task)
        settings = _settings(self.booster_values(context.shape, params), context)
        data = _dataset(train, scale, settings, context)
        booster = lightgbm.Booster(settings, data)
        if held_out is not None:
            booster.add_valid(_dataset(held_out, scale, settings, context).set_reference(data), "held_out")
        course = _boost(booster, context, scale, watched=held_out is not None)
        booster.free_dataset()
        return FitOutcome(LightGBMModel(booster, task, scale, context.threads), *course)

    def load(self, folder: Path) -> FittedModel:
        """Return the saved model."""
        import lightgbm

        facts = load_state(folder).facts
        booster = lightgbm.Booster(model_str=(folder / MODEL_FILE).read_text(encoding="utf-8"))
        return LightGBMModel(booster, TaskKind(facts["task"]), TargetScale(facts["center"], facts["spread"]))


@dataclass(frozen=True, eq=False)
class LightGBMModel:
    """A booster with all its rounds; ``threads`` (0: all cores) are used when there is work for them."""

    booster: "lightgbm.Booster"
    task: TaskKind
    scale: TargetScale
    threads: int = 0

    @property
    def rounds(self) -> int:
        """Boosting rounds; a round of a multiclass model holds a tree for each class."""
        return int(self.booster.current_iteration())

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        """Return probabilities or values of the first ``rounds`` rounds, shape (n, n_outputs)."""
        n_trees = self.booster.num_model_per_iteration()
        if len(X) == 0:
            return np.empty((0, max(n_trees, 1)))
        rounds = rounds or self.rounds
        threads = 1 if len(X) * n_trees * rounds < VISITS_A_THREAD else self.threads
        found = self.booster.predict(X, num_iteration=rounds, num_threads=threads)
        raw = np.asarray(found, dtype=np.float64)
        if self.task is TaskKind.MULTICLASS:
            return raw
        return (raw * self.scale.spread + self.scale.center).reshape(-1, 1)

    def save(self, folder: Path, rounds: int | None = None) -> None:
        """Write ``model.txt`` in LightGBM's own format, cut to ``rounds``, and the target's scale."""
        text = self.booster.model_to_string(num_iteration=rounds or self.rounds)
        (folder / MODEL_FILE).write_text(text, encoding="utf-8", newline="\n")
        facts = {"task": str(self.task), "center": self.scale.center, "spread": self.scale.spread}
        save_state(State(facts), folder)


def _learning_rate(shape: ProblemShape) -> float:
    if shape.n_rows <= 2_000:
        return 0.03
    # On many rows 0.07 is as good as 0.04 and takes 0.6 of the time, and of the model's size.
    return 0.05 if shape.n_rows <= 10_000 else 0.07


def _num_leaves(shape: ProblemShape) -> int:
    if shape.n_rows <= 1_000:
        return 15 if shape.n_rows > 400 else 8
    rows_for_a_leaf, ceiling = (200, 50) if shape.task.is_classification else (80, 100)
    return min(ceiling, max(15, shape.n_rows // rows_for_a_leaf))


def _min_data_in_leaf(shape: ProblemShape) -> int:
    # The meta-tuned 3 of regression loses to 15-20 on tables with outlying targets.
    ceiling = 40 if shape.task.is_classification else 15
    return max(3, min(ceiling, shape.n_rows // 60))


def _settings(values: Mapping[str, Any], context: FitContext) -> dict[str, Any]:
    objective, metric = _OBJECTIVES[context.shape.task]
    settings: dict[str, Any] = {
        **values,
        "objective": objective,
        "metric": metric,
        "bagging_freq": 1,
        "min_sum_hessian_in_leaf": 1e-7,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": context.threads,
        "seed": context.seed,
        "verbosity": -1,
    }
    if context.shape.task is TaskKind.MULTICLASS:
        settings["num_class"] = context.shape.n_outputs
    return settings


def _dataset(
    rows: Rows, scale: TargetScale, settings: Mapping[str, Any], context: FitContext
) -> "lightgbm.Dataset":
    import lightgbm

    return lightgbm.Dataset(
        rows.X,
        label=(rows.y - scale.center) / scale.spread,
        weight=rows.weight,
        categorical_feature=list(context.features.categorical),
        params=dict(settings),
    )


def _boost(booster: "lightgbm.Booster", context: FitContext, scale: TargetScale, *, watched: bool) -> Course:
    """Add rounds until patience, bar, cap, deadline or the last useful split."""
    curve: list[float] = []
    unit = scale.spread**2
    complete = True
    patience = Patience(context.patience if watched else None)
    for round_ in range(1, context.max_rounds + 1):
        saturated = booster.update()
        # A round without any useful split is taken back by LightGBM, except the first.
        grew = booster.current_iteration() == round_
        if grew and watched:
            curve.append(float(booster.eval_valid()[0][2]))
        ran_out = patience.ran_out(round_, curve[-1] if grew and watched else None)
        if watched and fell_behind(patience.best * unit, round_, context.bar):
            return Course(np.array(curve) * unit, given_up=True)
        if saturated or ran_out:
            break
        if context.should_stop():
            complete = round_ == context.max_rounds
            break
    return Course(np.array(curve) * unit, complete)
