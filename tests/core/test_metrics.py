from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from tabular_automl.core.errors import InputError
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.metrics import METRICS, Metric, default_metric, metric_named, training_loss
from tabular_automl.core.task import TaskKind

Reference = Callable[[FloatArray, FloatArray, FloatArray | None], float]

BINARY: dict[str, Reference] = {
    "roc_auc": lambda y, p, w: reference.roc_auc_score(y, p[:, 0], sample_weight=w),
    "log_loss": lambda y, p, w: reference.log_loss(y, p[:, 0], sample_weight=w, labels=[0, 1]),
    "brier": lambda y, p, w: reference.brier_score_loss(y, p[:, 0], sample_weight=w),
    "accuracy": lambda y, p, w: reference.accuracy_score(y, p[:, 0] > 0.5, sample_weight=w),
    "balanced_accuracy": lambda y, p, w: reference.balanced_accuracy_score(y, p[:, 0] > 0.5, sample_weight=w),
    "f1": lambda y, p, w: reference.f1_score(y, p[:, 0] > 0.5, sample_weight=w),
    "f1_macro": lambda y, p, w: reference.f1_score(y, p[:, 0] > 0.5, sample_weight=w, average="macro"),
}
MULTICLASS: dict[str, Reference] = {
    "log_loss": lambda y, p, w: reference.log_loss(y, p, sample_weight=w, labels=range(p.shape[1])),
    "accuracy": lambda y, p, w: reference.accuracy_score(y, p.argmax(axis=1), sample_weight=w),
    "balanced_accuracy": lambda y, p, w: reference.recall_score(
        y, p.argmax(axis=1), sample_weight=w, labels=np.unique(y), average="macro", zero_division=0
    ),
    "f1_macro": lambda y, p, w: reference.f1_score(y, p.argmax(axis=1), sample_weight=w, average="macro"),
}
REGRESSION: dict[str, Reference] = {
    "rmse": lambda y, p, w: reference.root_mean_squared_error(y, p[:, 0], sample_weight=w),
    "mse": lambda y, p, w: reference.mean_squared_error(y, p[:, 0], sample_weight=w),
    "mae": lambda y, p, w: reference.mean_absolute_error(y, p[:, 0], sample_weight=w),
    "r2": lambda y, p, w: reference.r2_score(y, p[:, 0], sample_weight=w),
}


def score(name: str, y: FloatArray, predictions: FloatArray, weight: FloatArray | None) -> float:
    metric = METRICS[name]
    return metric.score(metric.loss(y, predictions, weight))


def weights(rng: np.random.Generator, n: int, weighted: str) -> FloatArray | None:
    return rng.uniform(0.1, 3, n) if weighted else None


@pytest.mark.parametrize("weighted", ["", "weighted"])
@pytest.mark.parametrize("decimals", [1, 8])  # one decimal: many ties
@pytest.mark.parametrize("name", BINARY)
def test_binary_metrics_agree_with_scikit_learn(
    name: str, decimals: int, weighted: str, rng: np.random.Generator
) -> None:
    y = rng.integers(0, 2, 300).astype(float)
    p = np.clip((0.3 * y + rng.uniform(0, 0.7, 300)).round(decimals), 0.01, 0.99)[:, None]
    weight = weights(rng, 300, weighted)
    assert score(name, y, p, weight) == pytest.approx(BINARY[name](y, p, weight), rel=1e-9)


@pytest.mark.parametrize("weighted", ["", "weighted"])
@pytest.mark.parametrize("absent", [None, 0, 2, 3])
@pytest.mark.parametrize("name", MULTICLASS)
def test_multiclass_metrics_agree_with_scikit_learn_also_where_a_class_is_absent(
    name: str, absent: int | None, weighted: str, rng: np.random.Generator
) -> None:
    y = rng.choice([code for code in range(4) if code != absent], 200).astype(float)
    p = rng.dirichlet(np.ones(4), 200)
    p[np.arange(200), y.astype(int)] += 0.3
    if absent == 3:  # neither present nor predicted
        p[:, 3] = 1e-6
    p /= p.sum(axis=1, keepdims=True)
    weight = weights(rng, 200, weighted)
    assert score(name, y, p, weight) == pytest.approx(MULTICLASS[name](y, p, weight), rel=1e-5)


@pytest.mark.parametrize("weighted", ["", "weighted"])
@pytest.mark.parametrize("name", REGRESSION)
def test_regression_metrics_agree_with_scikit_learn(
    name: str, weighted: str, rng: np.random.Generator
) -> None:
    y = rng.normal(100, 20, 200)
    p = (y + rng.normal(0, 9, 200))[:, None]
    weight = weights(rng, 200, weighted)
    assert score(name, y, p, weight) == pytest.approx(REGRESSION[name](y, p, weight), rel=1e-9)


@pytest.mark.parametrize("error", [0.0, 1.0])
def test_r2_of_a_constant_target_is_scikit_learns(error: float) -> None:
    y = np.full(5, 3.0)
    assert score("r2", y, y[:, None] + error, None) == reference.r2_score(y, y + error)


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_a_weight_of_two_is_a_row_given_twice(metric: Metric, rng: np.random.Generator) -> None:
    y = rng.integers(0, 2, 60).astype(float)
    p = np.clip(y * 0.2 + rng.uniform(0, 0.8, 60), 0, 1)[:, None]
    twice = rng.integers(0, 60, 20)
    rows = np.concatenate([np.arange(60), np.unique(twice)])
    weight = np.where(np.isin(np.arange(60), twice), 2.0, 1.0)
    assert metric.loss(y, p, weight) == pytest.approx(metric.loss(y[rows], p[rows]), rel=1e-9)


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_a_row_of_weight_zero_does_not_count(metric: Metric, rng: np.random.Generator) -> None:
    y = rng.integers(0, 2, 40).astype(float)
    p = rng.uniform(0, 1, (40, 1))
    weight = np.where(np.arange(40) < 30, 1.0, 0.0)
    assert metric.loss(y, p, weight) == pytest.approx(metric.loss(y[:30], p[:30]), rel=1e-9)


@pytest.mark.parametrize("kind", list(TaskKind))
def test_perfect_predictions_have_the_lowest_loss(kind: TaskKind, rng: np.random.Generator) -> None:
    codes = rng.integers(0, 3 if kind is TaskKind.MULTICLASS else 2, 50)
    right = np.eye(3)[codes] if kind is TaskKind.MULTICLASS else codes.astype(float)[:, None]
    for metric in METRICS.values():
        if kind in metric.tasks:
            best = metric.loss(codes.astype(float), right)
            assert best == pytest.approx(0, abs=1e-6)
            assert best < metric.loss(codes.astype(float), np.roll(right, 7, axis=0))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30))
def test_roc_auc_is_the_share_of_rightly_ordered_pairs(rows: list[tuple[bool, int]]) -> None:
    y = np.array([float(positive) for positive, _ in rows])
    p = np.array([value / 5 for _, value in rows])
    above, below = p[y > 0.5], p[y < 0.5]
    if not (len(above) and len(below)):
        assert score("roc_auc", y, p[:, None], None) == 0.5
    else:
        pairs = np.sign(above[:, None] - below[None, :]).mean() / 2 + 0.5
        assert score("roc_auc", y, p[:, None], None) == pytest.approx(pairs)


def test_a_certain_mistake_costs_a_finite_log_loss() -> None:
    assert METRICS["log_loss"].loss(np.array([1.0]), np.array([[0.0]])) == pytest.approx(-np.log(1e-7))
    assert METRICS["log_loss"].loss(np.array([1.0]), np.eye(3)[[0]]) == pytest.approx(-np.log(1e-7), rel=1e-5)


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_score_is_its_own_inverse(metric: Metric) -> None:
    assert metric.score(metric.score(0.3)) == pytest.approx(0.3)


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'roc_auc'"):
        metric_named("rocauc", TaskKind.BINARY)


def test_a_metric_of_another_task_names_those_that_fit() -> None:
    with pytest.raises(
        InputError, match=r"not defined for regression tasks\. Use one of: mae, mse, r2, rmse"
    ):
        metric_named("roc_auc", TaskKind.REGRESSION)


@pytest.mark.parametrize("kind", list(TaskKind))
def test_defaults_fit_their_task(kind: TaskKind) -> None:
    assert kind in default_metric(kind).tasks
    assert kind in training_loss(kind).tasks
