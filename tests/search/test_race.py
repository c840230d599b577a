"""The race: who goes on to more folds, who is left, and who is told."""

from dataclasses import replace
from typing import Any

import pytest
from made_up import PRIOR, TUNABLE, World, made_up, priced  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.search import Search
from tabular_automl.crossfit import Request
from tabular_automl.search.allocate import Offer
from tabular_automl.search.fold_losses import fold_losses
from tabular_automl.search.prospects import Arm, Prospects, Source
from tabular_automl.search.race import Race
from tabular_automl.search.study import FamilyStudy

PORTFOLIO, STUDY = Arm(TUNABLE, Source.PORTFOLIO), Arm(TUNABLE, Source.STUDY)
DEFAULT = priced("default", 0.1, TUNABLE)
N_FOLDS = 8
INFINITE = float("inf")


class Course:
    """A race with its study, in which the family's default is the ensemble so far."""

    def __init__(self, world: World) -> None:
        self.world, self.problem = world, world.problem
        self.default = made_up(self.problem, DEFAULT)
        prospects = Prospects(self.problem, (made_up(self.problem, PRIOR), self.default))
        self.study = FamilyStudy(TUNABLE, self.problem.shape, Search(), 0)
        self.study.know(DEFAULT, fold_losses(self.default, self.problem))
        self.race = Race(self.problem, world.runtime(1000.0), {TUNABLE: self.study}, prospects)

    def start(self, arm: Arm = PORTFOLIO, label: str = "x") -> Candidate:
        candidate = self.study.ask() if arm is STUDY else priced(label, 0.1, TUNABLE)
        assert candidate is not None
        request = self.race.start(arm, Offer(Request(candidate, N_FOLDS), 0.8), ())
        assert request == Request(candidate, 1)
        return candidate

    def come_to(self, candidate: Candidate, n_folds: int, *, noise: float = 0.5) -> CrossFit:
        """Let a candidate reach a prefix; give what it came to."""
        fit = made_up(self.problem, candidate, n_folds, noise=noise)
        self.race.take(fit)
        return fit

    def worse_copy(self, candidate: Candidate, n_folds: int) -> CrossFit:
        """The default's own errors, larger: nothing that it does not know already."""
        fit = made_up(self.problem, candidate, n_folds)
        y = self.problem.y[fit.rows, None]
        errors = self.default.predictions[fit.rows] - y
        return replace(fit, predictions=y + 1.5 * errors)


@pytest.fixture
def course(world: World) -> Course:
    return Course(world)


@pytest.mark.parametrize("arm", [PORTFOLIO, STUDY])
def test_who_can_help_goes_all_the_way(course: Course, arm: Arm) -> None:
    candidate = course.start(arm)
    for n_folds, then in ((1, 3), (3, N_FOLDS)):
        course.come_to(candidate, n_folds)
        assert course.race.promoted(INFINITE) == Request(candidate, then)
        assert course.race.promoted(INFINITE) is None
    fit = course.come_to(candidate, N_FOLDS)
    assert course.race.finished == [fit]
    assert course.race.under_way == []


@pytest.mark.parametrize("arm", [PORTFOLIO, STUDY])
def test_a_worse_copy_of_what_is_there_is_left(course: Course, arm: Arm) -> None:
    candidate = course.start(arm)
    course.race.take(course.worse_copy(candidate, 1))
    assert course.race.promoted(INFINITE) is None
    [left] = course.race.finished
    assert isinstance(left, CrossFit)
    assert left.pruned.startswith("after 1 of 8 folds")
    assert not left.unjudged


def test_worse_alone_on_every_fold_but_of_use_goes_on(course: Course) -> None:
    candidate = course.start(STUDY)
    course.come_to(candidate, 1, noise=1.2)
    assert course.race.promoted(INFINITE) == Request(candidate, 3)
    fit = course.come_to(candidate, 3, noise=1.2)
    losses, best = fold_losses(fit, course.problem), fold_losses(course.default, course.problem)
    assert all(losses[fold] > best[fold] for fold in losses), "the pruner would leave it"
    assert course.race.promoted(INFINITE) == Request(candidate, N_FOLDS)


@pytest.mark.parametrize("short", [{"max_rounds": 400}, {"complete": False}])
def test_the_study_learns_nothing_from_a_fit_that_was_cut_short(
    course: Course, monkeypatch: pytest.MonkeyPatch, short: dict[str, Any]
) -> None:
    told = {}
    monkeypatch.setattr(course.study, "know", lambda one, losses, **_: told.update({one.label: losses}))
    for label, changes in (("whole", {}), ("short", short)):
        candidate = course.start(label=label)
        for n_folds in (1, 3, N_FOLDS):
            course.race.take(made_up(course.problem, candidate, n_folds, noise=0.5, **changes))
            course.race.promoted(INFINITE)
    assert len(told["whole"]) == N_FOLDS
    assert told["short"] == {}


def test_what_is_still_to_come_is_known_by_what_folds_took(course: Course) -> None:
    candidate = course.start()
    assert course.race.seconds_to_come == pytest.approx(0.8)
    course.come_to(candidate, 1)
    assert course.race.seconds_to_come == pytest.approx(7.0), "a fold took ten times what was expected"


def test_who_turns_out_too_dear_goes_no_further(course: Course) -> None:
    candidate, cheaper = course.start(), course.start(label="y")
    course.come_to(candidate, 1)
    course.race.take(replace(made_up(course.problem, cheaper, 1, noise=0.5), seconds=0.1))
    assert course.race.promoted(5.0) == Request(cheaper, 3)
    [left] = course.race.finished
    assert isinstance(left, CrossFit)
    assert left.candidate == candidate
    assert left.pruned
    assert left.unjudged


@pytest.mark.parametrize(("n_folds", "is_kept"), [(3, False), (4, True)])
def test_who_ends_early_counts_with_half_of_its_folds(course: Course, n_folds: int, *, is_kept: bool) -> None:
    candidate = course.start()
    for prefix in (1, 3):
        course.come_to(candidate, prefix)
        course.race.promoted(INFINITE)
    course.come_to(candidate, n_folds)
    [fit] = course.race.finished
    assert isinstance(fit, CrossFit)
    assert (not fit.pruned) == (not fit.unjudged) == is_kept


def test_what_fell_behind_its_bar_ends_there(course: Course) -> None:
    candidate = course.start()
    fit = replace(made_up(course.problem, candidate, 1), pruned="fell behind")
    course.race.take(fit)
    assert course.race.finished == [fit]
    assert course.race.promoted(INFINITE) is None


@pytest.mark.parametrize("arm", [PORTFOLIO, STUDY])
def test_a_failure_ends_the_way_and_so_does_a_lost_fold(course: Course, arm: Arm) -> None:
    candidate, other = course.start(arm), course.start(arm, "other")
    failure = Failure(candidate, 0, "made up", 1.0)
    course.race.take(failure)
    course.come_to(other, 1)
    course.race.promoted(INFINITE)
    short, lost = course.come_to(other, 2), Failure(other, 2, "made up", 1.0)
    course.race.take(lost)
    ended_failing, ended_short, ended_lost = course.race.finished
    assert (ended_failing, ended_lost) == (failure, lost)
    assert isinstance(ended_short, CrossFit)
    assert ended_short.folds == short.folds
    assert course.race.under_way == []


def test_whoever_is_under_way_at_the_end_is_left_where_it_is(course: Course) -> None:
    reached, waiting = course.start(), course.start(label="y")
    course.come_to(reached, 1)
    course.race.abandon()
    [fit] = course.race.finished
    assert isinstance(fit, CrossFit)
    assert fit.candidate == reached
    assert fit.pruned.startswith("after 1 of 8 folds")
    assert waiting != reached
    assert course.race.under_way == []
