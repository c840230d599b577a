"""Leaving candidates: each pruner leaves the bad, keeps the good, and never leaves the best."""

import numpy as np
import pytest

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.search import PRUNERS, Pruner, Search
from tabular_automl.core.task import TaskKind
from tabular_automl.search.pruning import rungs, steps
from tabular_automl.search.study import FamilyStudy

SHAPE = ProblemShape(TaskKind.BINARY, 5_000, 10, 4, 1)
# How hard each of eight folds is.
LEVEL = np.array([0.1, 3.0, 0.7, 1.2, 0.4, 2.0, 0.9, 1.5])

each_pruner = pytest.mark.parametrize("pruner", [name for name in PRUNERS if name != "none"])


def losses(quality: float, n_folds: int = 8, seed: int = 0) -> dict[int, float]:
    """Losses of a candidate that is so many times as bad as the first, give or take 2% a fold."""
    noise = np.random.default_rng(seed).normal(1, 0.02, len(LEVEL))
    return dict(enumerate((quality * LEVEL * noise)[:n_folds].tolist()))


def asked(study: FamilyStudy) -> Candidate:
    candidate = study.ask()
    assert candidate is not None
    return candidate


def study_with(pruner: Pruner, qualities: list[float]) -> FamilyStudy:
    """A study that knows of some candidates that finished."""
    study = FamilyStudy("lightgbm", SHAPE, Search(sampler="random", pruner=pruner), 0)
    for seed, quality in enumerate(qualities):
        candidate = asked(study)
        for n_folds in rungs(8)[:-1]:
            study.report(candidate, losses(quality, n_folds, seed))
        study.finish(candidate, losses(quality, seed=seed))
    return study


def left_after(study: FamilyStudy, quality: float, seed: int) -> int | None:
    """After how many folds a candidate of a quality is left; None if it goes all the way."""
    candidate = asked(study)
    for n_folds in rungs(8)[:-1]:
        if study.report(candidate, losses(quality, n_folds, seed)):
            study.prune(candidate)
            return n_folds
    study.finish(candidate, losses(quality, seed=seed))
    return None


@pytest.mark.parametrize(
    ("n_folds", "expected"),
    [(1, (1,)), (2, (2,)), (3, (1, 3)), (4, (1, 3, 4)), (5, (1, 3, 5)), (8, (1, 3, 8))],
)
def test_prefixes_are_one_three_all(n_folds: int, expected: tuple[int, ...]) -> None:
    assert rungs(n_folds) == expected


def test_of_tiny_folds_the_first_prefix_has_as_many_as_say_anything() -> None:
    assert rungs(200, fewest=20) == (20, 60, 200)
    assert rungs(20, fewest=2) == (2, 6, 20)
    assert [rungs(n_folds, fewest=20) for n_folds in (20, 21, 22)] == [(20,), (21,), (20, 22)]


def test_of_many_folds_a_pruner_looks_where_candidates_are_looked_at() -> None:
    values = dict.fromkeys(range(60), 1.0)
    assert list(steps(Search(pruner="halving"), values, fewest=20)) == [20, 60]


@each_pruner
def test_the_bad_are_left_and_the_best_never(pruner: Pruner) -> None:
    study = study_with(pruner, [1.0, 1.1, 1.2, 1.05, 1.3, 1.0])
    qualities = np.random.default_rng(0).permutation(np.linspace(0.5, 2.0, 24)).tolist()
    best, left, kept = 0.97, [], []
    for seed, quality in enumerate(qualities, start=100):
        if left_after(study, quality, seed) is None:
            kept.append(quality)
        else:
            left.append(quality)
            assert quality > 1.05 * best, "nobody who is better than all so far is left"
        best = min(best, quality)
    assert all(quality in left for quality in qualities if quality > 1.7)
    assert kept
    assert max(kept) < min(1.7, float(np.mean(left)) + 0.3)


@each_pruner
def test_candidates_of_the_portfolio_are_what_others_are_compared_with(pruner: Pruner) -> None:
    source = FamilyStudy("lightgbm", SHAPE, Search(sampler="random"), 1)
    study = FamilyStudy("lightgbm", SHAPE, Search(sampler="random", pruner=pruner), 0)
    for seed in range(6):
        study.know(asked(source), losses(1.0, seed=seed))
    assert left_after(study, 1.5, seed=10) is not None
    assert left_after(study, 0.8, seed=11) is None


def test_worse_on_three_of_three_folds_is_enough_and_on_two_is_not() -> None:
    study = study_with("wilcoxon", [1.0])
    first, second = asked(study), asked(study)
    assert not study.report(first, losses(1.5, 1))
    assert not study.report(first, losses(1.5, 2)), "p = 1/4 at best"
    assert study.report(first, losses(1.5, 3))
    mixed = {**losses(1.5, 3), 1: 0.5 * LEVEL[1]}
    assert not study.report(second, mixed)


def test_a_tie_with_the_best_is_kept() -> None:
    study = study_with("wilcoxon", [1.0])
    assert not study.report(asked(study), losses(1.0, 3, seed=0))


def test_halving_keeps_the_best_third() -> None:
    study = study_with("halving", [1.0] * 9)
    assert left_after(study, 0.9, seed=50) is None
    assert left_after(study, 1.2, seed=51) == 1


def test_without_a_pruner_all_go_all_the_way() -> None:
    study = study_with("none", [1.0] * 4)
    assert left_after(study, 100.0, seed=9) is None


@pytest.mark.parametrize("pruner", PRUNERS)
def test_nobody_is_left_before_somebody_finished(pruner: Pruner) -> None:
    study = FamilyStudy("lightgbm", SHAPE, Search(pruner=pruner), 0)
    assert not study.report(asked(study), losses(100.0, 3))


def test_steps_are_folds_or_numbers_of_folds() -> None:
    values = {0: 1.0, 1: 3.0, 2: 5.0, 3: 7.0}
    assert steps(Search(pruner="wilcoxon"), values) == values
    for pruner in PRUNERS[1:]:
        assert steps(Search(pruner=pruner), values) == {1: 1.0, 3: 3.0, 4: 4.0}
