from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from tabular_automl.core.candidate import Origin
from tabular_automl.core.crossfit import CrossFit, shared_rows
from tabular_automl.core.errors import InputError
from tabular_automl.core.metrics import METRICS
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit import Runtime
from tabular_automl.ingest import ingest
from tabular_automl.search.baselines import fit_baselines
from tabular_automl.search.one_rule import one_rule
from tabular_automl.testing import small_frame

MakeProblem = Callable[..., Problem]


@dataclass
class Listener:
    """The share of a runtime that baselines need."""

    seed: int = 0
    messages: list[str] = field(default_factory=list)
    compared: list[CrossFit] = field(default_factory=list)

    @property
    def tracker(self) -> "Listener":
        return self

    def compare_with(self, baselines: tuple[CrossFit, ...]) -> None:
        self.compared.extend(baselines)

    def emit(self, stage: str, message: str) -> None:
        self.messages.append(f"{stage}: {message}")


def fitted(problem: Problem, existing: Any = None, seed: int = 0) -> dict[str, CrossFit]:
    runtime = cast("Runtime", Listener(seed))
    baselines = fit_baselines(problem, Options("target", existing=existing), runtime)
    assert cast("Listener", runtime).compared == list(baselines), "scores are compared with them"
    return {fit.candidate.label.partition(" (")[0]: fit for fit in baselines}


def problem_of(kind: TaskKind, **options: Any) -> Problem:
    return ingest(small_frame(kind), Options("target", **options))


@pytest.mark.parametrize("kind", list(TaskKind))
def test_every_baseline_covers_the_held_out_rows_of_all_folds(kind: TaskKind) -> None:
    problem = problem_of(kind)
    assert problem.folds.n_repeats > 1
    baselines = fitted(problem)
    assert set(baselines) == {"zero rule", "random by distribution", "uniform random", "one rule"}
    for fit in baselines.values():
        assert fit.candidate.origin is Origin.BASELINE
        assert np.array_equal(fit.rows, np.arange(problem.n_rows))
        assert fit.predictions.shape == (problem.n_rows, problem.task.n_outputs)
        assert np.isfinite(fit.predictions).all()
        if kind is TaskKind.MULTICLASS:
            assert fit.predictions.sum(axis=1) == pytest.approx(1)
        if kind is not TaskKind.REGRESSION:
            assert fit.predictions.min() >= 0
            assert fit.predictions.max() <= 1
    assert len({fit.candidate.key for fit in baselines.values()}) == len(baselines)
    assert len(shared_rows(tuple(baselines.values()))) == problem.n_rows


@pytest.mark.parametrize("kind", list(TaskKind))
def test_no_row_is_predicted_from_its_own_target(kind: TaskKind) -> None:
    problem = problem_of(kind)
    held_out = problem.folds.folds[0].held_out
    y = problem.y.copy()
    y[held_out] = y[held_out][::-1] if kind is TaskKind.REGRESSION else y[held_out].max() - y[held_out]
    before, after = fitted(problem), fitted(replace(problem, y=y))
    for name, fit in before.items():
        assert np.array_equal(fit.predictions[held_out], after[name].predictions[held_out]), name


@pytest.mark.parametrize("kind", list(TaskKind))
def test_the_zero_rule_is_scikit_learns(kind: TaskKind) -> None:
    problem = problem_of(kind)
    zero = fitted(problem)["zero rule"]
    for fold in problem.folds.first_repeat:
        X, y = np.zeros((len(fold.train), 1)), problem.y[fold.train]
        if kind is TaskKind.REGRESSION:
            expected = DummyRegressor().fit(X, y).predict(np.zeros((1, 1)))
        else:
            expected = DummyClassifier(strategy="prior").fit(X, y).predict_proba(np.zeros((1, 1)))[0]
        assert zero.predictions[fold.held_out] == pytest.approx(
            np.tile(expected[-problem.task.n_outputs :], (len(fold.held_out), 1))
        )


def test_the_zero_rule_for_absolute_errors_is_the_median() -> None:
    problem = problem_of(TaskKind.REGRESSION, metric="mae")
    fold = problem.folds.folds[0]
    value = fitted(problem)["zero rule"].predictions[fold.held_out[0], 0]
    train = problem.y[fold.train]
    assert abs((train < value).mean() - 0.5) < 0.02


def test_weights_move_the_zero_rule() -> None:
    problem = problem_of(TaskKind.BINARY)
    heavy = replace(problem, weight=np.where(problem.y > 0.5, 1.9, 0.1))
    assert fitted(heavy)["zero rule"].predictions.min() > 0.8


def test_random_by_distribution_gives_labels_as_often_as_they_are() -> None:
    problem = problem_of(TaskKind.MULTICLASS)
    drawn = fitted(problem)["random by distribution"].predictions
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert drawn.mean(axis=0) == pytest.approx(np.bincount(problem.y.astype(int)) / problem.n_rows, abs=0.12)


def test_seeds_decide_the_random_baselines() -> None:
    problem = problem_of(TaskKind.BINARY)
    first, again, other = fitted(problem), fitted(problem), fitted(problem, seed=1)
    for name in first:
        assert np.array_equal(first[name].predictions, again[name].predictions)
        changed = not np.array_equal(first[name].predictions, other[name].predictions)
        assert changed == (name in {"uniform random", "random by distribution"})


@pytest.mark.parametrize("kind", list(TaskKind))
@pytest.mark.parametrize("column", ["number", "category"])
def test_the_one_rule_finds_the_column_that_predicts(
    kind: TaskKind, column: str, rng: np.random.Generator
) -> None:
    number = rng.uniform(0, 3, 240)
    category = rng.choice(list("abc"), 240)
    frame = pd.DataFrame({"noise": rng.normal(size=240), "number": number, "category": category})
    signal = np.floor(number) if column == "number" else pd.Series(category).map({"a": 0, "b": 1, "c": 2})
    target = np.asarray(signal, dtype=float)
    if kind is TaskKind.BINARY:
        target = (target > 0).astype(int)
    if kind is TaskKind.REGRESSION:
        target = target * 10 + 1e6 + rng.normal(size=240)
    problem = ingest(frame.assign(target=target), Options("target", task=str(kind)))
    fit = next(fit for label, fit in fitted(problem).items() if label == "one rule")
    assert fit.candidate.label == f"one rule ({column})"
    metric = METRICS["rmse" if kind is TaskKind.REGRESSION else "accuracy"]
    score = metric.score(metric.loss(problem.y, fit.predictions))
    assert score < 4 if kind is TaskKind.REGRESSION else score > 0.9


def test_the_one_rule_is_not_taken_in_by_many_levels(rng: np.random.Generator) -> None:
    y = rng.integers(0, 2, 300)
    frame = pd.DataFrame(
        {"level": rng.integers(0, 100, 300).astype(str), "weak": y + 2.5 * rng.normal(size=300), "target": y}
    )
    frame["level"] = "v" + frame["level"]
    problem = ingest(frame, Options("target", task="binary", schema={"level": "categorical"}))
    rule = one_rule(problem)
    assert rule is not None
    assert rule.column == "weak"


def test_without_columns_there_is_no_one_rule() -> None:
    problem = problem_of(TaskKind.BINARY)
    empty = replace(problem, table=replace(problem.table, columns=()))
    assert "one rule" not in fitted(empty)


def test_existing_labels_and_probabilities_are_read_alike() -> None:
    problem = problem_of(TaskKind.BINARY)
    labels = small_frame(TaskKind.BINARY)["target"]
    positive = problem.task.classes[-1]
    expected = (labels == positive).to_numpy(dtype=float)
    as_frame = pd.DataFrame({problem.task.classes[1]: expected, problem.task.classes[0]: 1 - expected})
    for existing in (labels, list(labels), expected * 1.0, as_frame, as_frame.to_numpy()[:, ::-1]):
        fit = fitted(problem, existing)["existing system"]
        assert np.array_equal(fit.predictions[:, 0], expected)


def test_existing_predictions_may_be_missing_on_some_rows() -> None:
    problem = problem_of(TaskKind.REGRESSION)
    existing = pd.Series(problem.y).where(np.arange(problem.n_rows) % 3 > 0)
    fit = fitted(problem, existing)["existing system"]
    assert np.array_equal(fit.rows, np.flatnonzero(np.arange(problem.n_rows) % 3))
    assert np.array_equal(fit.predictions[:, 0], problem.y[fit.rows])


@pytest.mark.parametrize("kind", [TaskKind.BINARY, TaskKind.MULTICLASS])
@pytest.mark.parametrize("frame_of", [pl.DataFrame, pa.table, pd.DataFrame])
def test_columns_of_any_frame_are_taken_by_name(kind: TaskKind, frame_of: Any) -> None:
    problem = problem_of(kind)
    classes = problem.task.classes
    shares = np.random.default_rng(0).dirichlet(np.ones(len(classes)), problem.n_rows)
    given = frame_of({str(label): shares[:, code] for code, label in reversed([*enumerate(classes)])})
    found = fitted(problem, given)["existing system"].predictions
    np.testing.assert_allclose(found, shares if kind is TaskKind.MULTICLASS else shares[:, 1:])


def test_classes_that_are_numbers_are_found_under_names_of_text() -> None:
    frame = small_frame(TaskKind.BINARY)
    frame["target"] = np.where(frame["target"] == "yes", 7, 3)
    problem = ingest(frame, Options("target", task="binary"))
    share = np.linspace(0.1, 0.9, problem.n_rows)
    for given in (
        pd.DataFrame({"7": share, "3": 1 - share}),
        pd.DataFrame({7: share, 3: 1 - share}),
        pd.DataFrame({0: 1 - share, 1: share}),
    ):
        np.testing.assert_allclose(fitted(problem, given)["existing system"].predictions[:, 0], share)


@pytest.mark.parametrize("frame_of", [pl.DataFrame, pa.table, pd.DataFrame])
def test_columns_of_other_names_are_not_taken_by_position(frame_of: Any) -> None:
    problem = problem_of(TaskKind.BINARY)
    share = np.linspace(0.1, 0.9, problem.n_rows)
    given = frame_of({"p_yes": share, "p_no": 1 - share})
    match = r"columns 'p_yes', 'p_no'; the classes of 'target' are 'no', 'yes'\. Name each column by its"
    with pytest.raises(InputError, match=match):
        fitted(problem, given)


@pytest.mark.parametrize("as_series", [True, False])
def test_the_probability_of_the_wrong_class_is_refused(*, as_series: bool) -> None:
    problem = problem_of(TaskKind.BINARY)
    share = pd.Series(np.linspace(0.1, 0.9, problem.n_rows))
    for name, is_right in (("no", False), ("yes", True), ("score", True)):
        given = share.rename(name) if as_series else share.to_frame(name)
        if is_right:
            np.testing.assert_array_equal(fitted(problem, given)["existing system"].predictions[:, 0], share)
            continue
        with pytest.raises(InputError, match=r"'no', the other class\. Pass the probability of 'yes'"):
            fitted(problem, given)


@pytest.mark.parametrize(
    ("existing", "message"),
    [
        (["yes", "no"], r"2 predictions for 160 training rows"),
        (["maybe"] * 160, r"'maybe', which is not a class of 'target'.*'no', 'yes'"),
        ([1.5] * 160, r"1\.5, which is not a probability"),
        (np.full((160, 3), 0.3), r"has 3 columns; a binary target takes 1 or 2 columns"),
        ([None] * 160, r"no row without a missing value"),
        ("column", r"is a text, not predictions.*df\['column'\]"),
    ],
)
def test_existing_predictions_that_do_not_fit_say_why(existing: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fitted(problem_of(TaskKind.BINARY), existing)


def test_existing_values_must_be_finite_numbers() -> None:
    problem = problem_of(TaskKind.REGRESSION)
    with pytest.raises(InputError, match="'much', which is not a finite number"):
        fitted(problem, ["much"] * problem.n_rows)
