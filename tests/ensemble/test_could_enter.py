from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tabular_automl.core.candidate import Candidate, Recipe
from tabular_automl.core.crossfit import CrossFit, FoldFit
from tabular_automl.core.errors import FoldPlanMismatchError
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.folds import Fold, FoldPlan
from tabular_automl.core.metrics import METRICS, metric_named
from tabular_automl.core.problem import Problem
from tabular_automl.core.schema import Schema
from tabular_automl.core.table import Table
from tabular_automl.core.task import TargetType, Task, TaskKind
from tabular_automl.ensemble.choose import Chosen, choose
from tabular_automl.ensemble.could_enter import SHARES, could_enter

N_FOLDS = 4
KIND_OF = {
    **dict.fromkeys(("rmse", "mse", "mae", "r2"), TaskKind.REGRESSION),
    **dict.fromkeys(("log_loss", "accuracy", "f1_macro", "balanced_accuracy"), TaskKind.MULTICLASS),
    **dict.fromkeys(("roc_auc", "brier", "f1"), TaskKind.BINARY),
}
by_metric = pytest.mark.parametrize("metric", sorted(METRICS))


def test_every_metric_is_tried() -> None:
    assert set(KIND_OF) == set(METRICS)


def problem_of(
    metric: str,
    n_rows: int = 4_000,
    blocks: NDArray[np.intp] | None = None,
    weight: FloatArray | None = None,
    kind: TaskKind | None = None,
) -> Problem:
    kind = kind or KIND_OF[metric]
    classes = {TaskKind.BINARY: (0, 1), TaskKind.MULTICLASS: (0, 1, 2), TaskKind.REGRESSION: ()}[kind]
    rng = np.random.default_rng(0)
    y = rng.integers(0, len(classes), n_rows).astype(float) if classes else 100 * rng.normal(size=n_rows)
    fold_of = np.arange(n_rows) % N_FOLDS
    folds = tuple(Fold(np.flatnonzero(fold_of != f), np.flatnonzero(fold_of == f)) for f in range(N_FOLDS))
    task = Task("y", kind, TargetType("float64"), metric, classes)
    return Problem(Table((), n_rows), y, weight, Schema(()), task, FoldPlan(folds, "shuffled", blocks))


def predicted(problem: Problem, errors: FloatArray) -> FloatArray:
    """Predictions off the target by errors of shape (n_rows,), in units of a usual one."""
    if problem.task.kind is TaskKind.REGRESSION:
        return problem.y[:, None] + 50 * errors[:, None]
    targets = np.eye(len(problem.task.classes))[problem.y.astype(int)]
    # How sure the true class is; what is left is for the others.
    sure = 1 / (1 + np.exp(-(0.5 + errors)))[:, None]
    shares = targets * sure + (1 - targets) * (1 - sure) / (targets.shape[1] - 1)
    return shares if problem.task.n_outputs > 1 else shares[:, 1:]


def fit_of(problem: Problem, label: str, predictions: FloatArray, n_folds: int = N_FOLDS) -> CrossFit:
    folds = tuple(FoldFit("k", fold, Path(), np.ones(3), 1.0, 1.0) for fold in range(n_folds))
    rows = np.sort(np.concatenate([fold.held_out for fold in problem.folds.folds[:n_folds]]))
    candidate = Candidate("linear", (("label", label),), Recipe("none"))
    return CrossFit(candidate, problem.folds.digest, folds, rows, predictions[rows], 1, 1.0)


def noise(problem: Problem, seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal(size=problem.n_rows)


def ensemble_of(problem: Problem, common: FloatArray | None = None) -> tuple[Chosen, FloatArray]:
    """Four members with errors in common, and the predictions of all four together."""
    common = noise(problem, 1) if common is None else common
    members = [predicted(problem, common + 0.3 * noise(problem, seed)) for seed in range(2, 6)]
    chosen = choose(problem, [fit_of(problem, f"m{n}", p) for n, p in enumerate(members)], look=0.05)
    assert chosen is not None
    mixed = chosen.weights @ np.stack([fit.predictions for fit in chosen.fits]).reshape(len(members), -1)
    return chosen, mixed.reshape(members[0].shape)


def blurred(problem: Problem, predictions: FloatArray, by: float) -> FloatArray:
    """A noisy copy."""
    if problem.task.kind is TaskKind.REGRESSION:
        return predictions + 50 * by * noise(problem, 9)[:, None]
    logits = np.log(predictions / (1 - predictions))
    noisy = 1 / (1 + np.exp(-logits - by * np.random.default_rng(9).normal(size=predictions.shape)))
    return noisy / noisy.sum(axis=1, keepdims=True) if problem.task.n_outputs > 1 else noisy


@by_metric
def test_whoever_is_worse_but_errs_elsewhere_may_enter(metric: str) -> None:
    problem = problem_of(metric)
    chosen, mixed = ensemble_of(problem)
    other = predicted(problem, 1.1 * noise(problem, 8))
    loss = metric_named(metric, problem.task.kind).loss
    assert loss(problem.y, other) > loss(problem.y, mixed)
    entry = could_enter(problem, chosen, fit_of(problem, "other", other), 0)
    assert entry.possible
    assert 0.02 < entry.gain <= entry.upper < 1


@by_metric
def test_a_copy_may_not_nor_may_what_only_adds_noise_to_it(metric: str) -> None:
    problem = problem_of(metric, 20_000)
    chosen, mixed = ensemble_of(problem)
    copy = could_enter(problem, chosen, fit_of(problem, "copy", mixed), 0)
    assert not copy.possible
    assert copy.gain == pytest.approx(0, abs=1e-12)
    noisy = could_enter(problem, chosen, fit_of(problem, "noisy", blurred(problem, mixed, 1.5)), 0)
    assert noisy.upper < 2e-3
    other = predicted(problem, 1.1 * noise(problem, 8))
    assert could_enter(problem, chosen, fit_of(problem, "other", other), 0).upper > 20 * noisy.upper


@by_metric
def test_the_fewer_the_rows_the_more_generous_is_the_bound(metric: str) -> None:
    over = []
    for n_rows in (100, 400, 2_000, 20_000):
        problem = problem_of(metric, n_rows)
        chosen, _ = ensemble_of(problem)
        other = predicted(problem, 1.1 * noise(problem, 8))
        entry = could_enter(problem, chosen, fit_of(problem, "other", other, n_folds=1), 0)
        over.append(entry.upper - entry.gain)
    assert over[0] == np.inf
    assert over[1] > over[3]
    assert over[2] > over[3]


@by_metric
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gain_is_that_of_the_best_mix_by_the_metric_itself(metric: str, weighted: bool) -> None:
    weight = np.random.default_rng(3).uniform(0, 2, 4_000) if weighted else None
    if weight is not None:
        weight[:100] = 0
    problem = problem_of(metric, weight=weight)
    chosen, mixed = ensemble_of(problem)
    other = fit_of(problem, "other", predicted(problem, 1.2 * noise(problem, 8)), 2)
    rows, loss = other.rows, metric_named(metric, problem.task.kind).loss
    weights = None if weight is None else weight[rows]
    mixes = [(1 - share) * mixed[rows] + share * other.predictions for share in SHARES]
    losses = np.array([loss(problem.y[rows], mix, weights) for mix in mixes])
    if metric == "r2":
        losses = np.array([METRICS["mse"].loss(problem.y[rows], mix, weights) for mix in mixes])
    expected = (losses[0] - losses.min()) / losses[0]
    assert could_enter(problem, chosen, other, 0).gain == pytest.approx(expected, rel=1e-6)


def test_a_seed_gives_the_same_bound_and_another_one_about_the_same() -> None:
    problem = problem_of("roc_auc")
    chosen, _ = ensemble_of(problem)
    other = fit_of(problem, "other", predicted(problem, 1.2 * noise(problem, 8)))
    first, again, another = (could_enter(problem, chosen, other, seed) for seed in (0, 0, 1))
    assert first == again
    assert another.upper != first.upper
    assert another.upper == pytest.approx(first.upper, rel=0.2)


def test_rows_of_a_block_count_as_one() -> None:
    n_rows, rng = 4_000, np.random.default_rng(2)
    hundreds = np.arange(n_rows) // 40
    # All rows of a block err alike, so that a hundred blocks tell less than 4,000 rows seem to.
    common, others = (rng.normal(size=100)[hundreds] for _ in range(2))
    over = {}
    for n_blocks in (10, 100, n_rows):
        problem = problem_of("rmse", n_rows, blocks=np.arange(n_rows) // (n_rows // n_blocks))
        chosen, _ = ensemble_of(problem, common)
        entry = could_enter(problem, chosen, fit_of(problem, "other", predicted(problem, 1.2 * others)), 0)
        over[n_blocks] = entry.upper - entry.gain
    assert over[10] == np.inf
    assert over[100] > 3 * over[n_rows]


def test_few_of_a_class_tell_nothing_where_classes_are_compared() -> None:
    problem = problem_of("roc_auc", 400)
    rare = replace(problem, y=(np.arange(400) % 100 == 0).astype(float))
    chosen, mixed = ensemble_of(rare)
    copy = fit_of(rare, "copy", mixed)
    assert could_enter(rare, chosen, copy, 0).upper == np.inf
    none = replace(rare, y=np.zeros(400))
    assert could_enter(none, chosen, copy, 0).upper == np.inf
    by_log_loss = replace(rare, task=replace(rare.task, metric="log_loss"))
    assert not could_enter(by_log_loss, chosen, copy, 0).possible


def test_nothing_is_to_be_gained_where_there_is_no_loss() -> None:
    problem = problem_of("accuracy", 400)
    perfect = np.eye(3)[problem.y.astype(int)]
    chosen = choose(problem, [fit_of(problem, "perfect", perfect)], look=0.05)
    assert chosen is not None
    other = fit_of(problem, "other", predicted(problem, noise(problem, 8)))
    assert not could_enter(problem, chosen, other, 0).possible


def test_another_fold_plan_is_refused() -> None:
    problem = problem_of("rmse", 400)
    chosen, mixed = ensemble_of(problem)
    stranger = replace(fit_of(problem, "stranger", mixed), plan="another")
    with pytest.raises(FoldPlanMismatchError, match="2 fold plans"):
        could_enter(problem, chosen, stranger, 0)
