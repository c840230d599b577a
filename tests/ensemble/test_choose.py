from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabular_automl.core.candidate import Candidate, Recipe
from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit
from tabular_automl.core.errors import FoldPlanMismatchError
from tabular_automl.core.problem import Problem
from tabular_automl.core.task import TaskKind
from tabular_automl.ensemble.choose import Chosen, choose, longest_of_each

Open = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(params=list(TaskKind))
def problem(request: pytest.FixtureRequest, opened: Open) -> Problem:
    with opened(request.param) as setting:
        found: Problem = setting.problem
    return found


def simulated(
    problem: Problem, noise: float, family: str = "linear", n_folds: int | None = None, label: str = ""
) -> CrossFit:
    """A candidate whose predictions are the truth and noise, on the first folds of the plan."""
    rng = np.random.default_rng(round(1_000 * noise))
    plan = problem.folds.first_repeat[:n_folds]
    rows = np.sort(np.concatenate([fold.held_out for fold in plan]))
    shape = (len(rows), problem.task.n_outputs)
    if problem.task.kind is TaskKind.REGRESSION:
        spread = problem.y.std()
        predictions = problem.y[rows, None] + noise * spread * rng.normal(size=shape)
    else:
        targets = np.eye(max(problem.task.n_outputs, 2))[problem.y[rows].astype(int)]
        shares = targets + noise * rng.random(targets.shape) + 0.01
        shares /= shares.sum(axis=1, keepdims=True)
        predictions = shares if problem.task.n_outputs > 1 else shares[:, 1:]
    candidate = Candidate(family, (("noise", noise), ("label", label)), Recipe("none"))
    folds = tuple(FoldFit("k", fold, Path(), np.ones(3), 1.0, 1.0) for fold in range(len(plan)))
    return CrossFit(candidate, problem.folds.digest, folds, rows, predictions, 1, 1.0)


def chosen_of(problem: Problem, *results: CrossFit | Failure, look: float | None = None) -> Chosen:
    chosen = choose(problem, results, look=look)
    assert chosen is not None
    return chosen


def test_weights_are_shares_and_the_heaviest_comes_first(problem: Problem) -> None:
    fits = [simulated(problem, noise) for noise in (0.5, 0.7, 0.9, 3.0)]
    chosen = chosen_of(problem, *fits)
    assert chosen.fits == tuple(fits)
    assert chosen.weights.min() >= 0
    assert chosen.weights.sum() == pytest.approx(1)
    weights = [weight for _, weight in chosen.weighted]
    assert weights == sorted(weights, reverse=True)
    assert min(weights) > 0
    assert [(m.candidate, m.weight) for m in chosen.members] == [(f.candidate, w) for f, w in chosen.weighted]
    assert (chosen.of, chosen.n_rows) == (4, problem.n_rows)
    assert chosen.pool.loss(chosen.weights) <= min(chosen.pool.loss(one) for one in np.eye(4)) + 1e-12


def test_what_is_chosen_keeps_its_predictions_whole(problem: Problem) -> None:
    fits = [simulated(problem, noise) for noise in (0.5, 0.7)]
    for fit in chosen_of(problem, *fits).fits:
        assert any(fit is one for one in fits)
        assert fit.predictions.shape[1] == problem.task.n_outputs


def test_failures_are_passed_over_and_alone_give_nothing(problem: Problem) -> None:
    fit = simulated(problem, 0.5)
    failure = Failure(fit.candidate, 0, "worker died", 1.0)
    chosen = chosen_of(problem, failure, fit, failure)
    assert [weight for _, weight in chosen.weighted] == [1.0]
    assert chosen.of == 1
    assert choose(problem, [failure]) is None
    assert choose(problem, []) is None


def test_equal_candidates_give_equal_choices_and_less_time_a_valid_one(problem: Problem) -> None:
    fits = [simulated(problem, noise) for noise in (0.5, 0.7, 0.9)]
    first, second = (chosen_of(problem, *fits) for _ in range(2))
    assert first.weights.tolist() == second.weights.tolist()
    hasty = chosen_of(problem, *fits, look=1e-6)
    assert hasty.weights.sum() == pytest.approx(1)
    assert hasty.n_rows == problem.n_rows


def test_a_short_candidate_is_let_in_only_where_it_pays_for_the_rows_it_costs(problem: Problem) -> None:
    good, bad = simulated(problem, 0.5), simulated(problem, 4.0)
    short_good, short_bad = simulated(problem, 0.4, n_folds=2), simulated(problem, 5.0, n_folds=2)
    kept = chosen_of(problem, good, short_bad)
    assert kept.n_rows == problem.n_rows
    assert [fit for fit, _ in kept.weighted] == [good]
    paid = chosen_of(problem, bad, short_good)
    assert paid.n_rows == len(short_good.rows) < problem.n_rows
    assert paid.weighted[0][0] is short_good
    assert kept.of == paid.of == 2


def test_of_a_candidate_taken_up_again_counts_the_one_on_most_rows_and_folds(problem: Problem) -> None:
    short, whole = simulated(problem, 0.5, n_folds=2), simulated(problem, 0.5)
    repeated = replace(whole, folds=(*whole.folds, *whole.folds), n_repeats=2)
    for order in ((short, whole, repeated), (repeated, whole, short), (whole, repeated, short)):
        assert longest_of_each(order) == (repeated,)
    later = replace(whole, seconds=9.0)
    assert longest_of_each([whole, later]) == (later,)
    chosen = chosen_of(problem, short, whole, repeated)
    assert chosen.fits == (repeated,)
    assert chosen.of == 1


def test_where_order_alone_counts_the_prior_is_chosen_only_if_it_is_alone(problem: Problem) -> None:
    prior, linear = simulated(problem, 0.5, "prior"), simulated(problem, 2.0)
    ranked = problem.task.metric == "roc_auc"
    assert ranked is (problem.task.kind is TaskKind.BINARY)
    assert (prior in chosen_of(problem, prior, linear).fits) is not ranked
    assert chosen_of(problem, prior).fits == (prior,)
    assert chosen_of(problem, prior, linear).of == 2


def test_rows_without_weight_judge_nobody(problem: Problem) -> None:
    # Candidate a is perfect where rows count, b where they do not.
    counts = np.arange(problem.n_rows) % 4 > 0
    exact, vague = simulated(problem, 0.01), simulated(problem, 5.0)
    a, b = (
        replace(fit, predictions=np.where(counts[:, None] == good, exact.predictions, vague.predictions))
        for fit, good in ((simulated(problem, 0.1), True), (simulated(problem, 0.2), False))
    )
    weighted = replace(problem, weight=counts.astype(float))
    chosen = chosen_of(weighted, a, b)
    assert [fit for fit, _ in chosen.weighted] == [a]
    assert chosen.pool.n_rows == counts.sum()
    assert chosen.n_rows == problem.n_rows


def test_results_of_two_fold_plans_are_not_weighed_together(problem: Problem) -> None:
    fits = simulated(problem, 0.5), replace(simulated(problem, 0.7), plan="another")
    with pytest.raises(FoldPlanMismatchError, match="2 fold plans"):
        choose(problem, fits)


def test_who_was_pruned_is_left_out_whatever_it_promised(problem: Problem) -> None:
    good, better = simulated(problem, 0.7), simulated(problem, 0.2)
    on_one_fold = simulated(problem, 0.2, n_folds=1)
    for left in (replace(better, pruned="why"), replace(on_one_fold, pruned="why")):
        for look in (None, 0.05):
            chosen = chosen_of(problem, good, left, look=look)
            assert [fit for fit, _ in chosen.weighted] == [good]
            assert chosen.of == 2
    assert choose(problem, [replace(good, pruned="why")]) is None
    # Whoever is taken up again and finishes is in again; whoever is pruned later is out.
    assert chosen_of(problem, replace(on_one_fold, pruned="why"), better).fits == (better,)
    assert choose(problem, [on_one_fold, replace(better, pruned="why")]) is None
