"""The cost model: scaled by what was measured, per family."""

from dataclasses import replace

import pytest
from made_up import FIRST, SECOND, SHAPE, made_up, priced, problem_of  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Candidate, freeze_params
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.crossfit import Pace
from tabular_automl.learners import FAMILIES, learner_for
from tabular_automl.search.cost_model import CostModel
from tabular_automl.search.portfolio import default_candidate

PROBLEM = problem_of()
with_features = pytest.mark.parametrize("family", [family for family in FAMILIES if family != "prior"])


def fitted(candidate: Candidate, a_fold: float, rounds: int, max_rounds: int | None = None) -> CrossFit:
    fit: CrossFit = made_up(PROBLEM, candidate, 4, curve=rounds, a_fold=a_fold, max_rounds=max_rounds)
    return fit


def pace_of(candidate: Candidate, seconds: float) -> Pace:
    """A probe by which a whole fit takes so many seconds."""
    rounds = learner_for(candidate.family).expected_rounds(SHAPE, candidate.params)
    return Pace(candidate, 0.2 * seconds, 0.8 * seconds / rounds)


def test_what_was_measured_is_predicted_for_the_same_candidate() -> None:
    usual = default_candidate("lightgbm", SHAPE)
    model = CostModel.of(SHAPE, [fitted(usual, 3.0, 400)])
    assert model.fold_seconds(usual) == pytest.approx(3.0, rel=0.01)
    assert model.rounds(usual) == 400


@with_features
def test_a_probe_is_believed_until_there_is_a_fit(family: str) -> None:
    usual = default_candidate(family, SHAPE)
    probed = CostModel.of(SHAPE, (), [pace_of(usual, 7.0)])
    assert probed.fold_seconds(usual) == pytest.approx(7.0)
    rounds = learner_for(family).expected_rounds(SHAPE, usual.params)
    measured = CostModel.of(SHAPE, [fitted(usual, 3.0, rounds)], [pace_of(usual, 7.0)])
    assert measured.fold_seconds(usual) == pytest.approx(3.0)


def test_of_several_probes_of_a_family_none_is_forgotten() -> None:
    one, other = priced("a", 1.0), priced("b", 1.0)
    model = CostModel.of(SHAPE, (), [pace_of(one, 2.0), pace_of(other, 4.0)])
    assert model.fold_seconds(one) == pytest.approx(3.0)


def test_half_the_learning_rate_costs_more() -> None:
    usual = default_candidate("lightgbm", SHAPE)
    model = CostModel.of(SHAPE, [fitted(usual, 3.0, 400)])
    rate = dict(usual.params)["learning_rate"]
    assert isinstance(rate, float)
    slower = replace(usual, params=freeze_params({**dict(usual.params), "learning_rate": rate / 2}))
    assert model.fold_seconds(slower) > 1.2 * model.fold_seconds(usual)


@with_features
def test_fewer_rounds_cost_less_and_more_than_needed_cost_nothing(family: str) -> None:
    model, usual = CostModel(SHAPE), default_candidate(family, SHAPE)
    needed = model.rounds(usual)
    costs = [model.fold_seconds(usual, cap) for cap in range(1, needed + 1, max(1, needed // 20))]
    assert costs == sorted(costs)
    assert model.fold_seconds(usual, 2 * needed) == model.fold_seconds(usual, needed)


@pytest.mark.parametrize("by_probe", [True, False])
def test_a_slow_machine_seen_on_one_family_is_expected_of_the_others(*, by_probe: bool) -> None:
    usual, linear = default_candidate("lightgbm", SHAPE), default_candidate("linear", SHAPE)
    seconds = 10 * CostModel(SHAPE).fold_seconds(usual)
    rounds = learner_for("lightgbm").expected_rounds(SHAPE, usual.params)
    results = [] if by_probe else [fitted(usual, seconds, rounds)]
    slow = CostModel.of(SHAPE, results, [pace_of(usual, seconds)] if by_probe else [])
    assert slow.fold_seconds(linear) == pytest.approx(10 * CostModel(SHAPE).fold_seconds(linear), rel=0.05)


def test_rounds_cut_off_by_a_cap_or_by_the_clock_are_not_taken_for_enough() -> None:
    wanted = priced("a", n_rounds=400)
    capped = fitted(wanted, 1.0, 128, max_rounds=128)
    late = made_up(PROBLEM, wanted, 4, curve=90, complete=False)
    for stopped in (capped, late):
        assert CostModel.of(SHAPE, [stopped]).rounds(wanted) == 400
    ended_before_its_cap = fitted(wanted, 1.0, 100, max_rounds=128)
    assert CostModel.of(SHAPE, [ended_before_its_cap]).rounds(wanted) == 100
    longer = fitted(wanted, 1.0, 600, max_rounds=600)
    assert CostModel.of(SHAPE, [longer]).rounds(wanted) == 600
    whole, short = (
        fitted(priced(n, n_rounds=400), 1.0, 100, max_rounds=cap) for n, cap in (("w", 200), ("s", 100))
    )
    assert CostModel.of(SHAPE, [whole, short, capped, longer]).rounds(wanted) == 114, "of 100, 100, 128, 600"


def test_no_more_rounds_are_expected_than_a_learner_would_run() -> None:
    usual = default_candidate("lightgbm", SHAPE)
    most = learner_for("lightgbm").limits(SHAPE, usual.params).max_rounds
    slow = replace(usual, params=freeze_params({**dict(usual.params), "learning_rate": 0.005}))
    model = CostModel.of(SHAPE, [fitted(usual, 1.0, most)])
    assert model.rounds(usual) == model.rounds(slow) == most


def test_what_a_family_measured_says_nothing_of_the_rounds_of_others() -> None:
    model = CostModel.of(SHAPE, [fitted(priced("a", n_rounds=400), 1.0, 40)])
    assert model.rounds(priced("b", family=FIRST)) == 40
    assert model.rounds(priced("b", family=SECOND)) == 400


def test_the_prior_and_failures_teach_nothing_about_cost() -> None:
    prior = default_candidate("prior", SHAPE)
    failure = Failure(priced("a"), 0, "made up", 99.0)
    assert CostModel.of(SHAPE, [made_up(PROBLEM, prior, a_fold=99.0), failure]).observed == ()


def test_fits_that_were_given_up_tell_what_a_round_costs_but_not_how_many_it_takes() -> None:
    usual = default_candidate("lightgbm", SHAPE)
    given_up = fitted(usual, 0.3, 40)
    given_up = replace(
        given_up, pruned="fell behind", folds=tuple(replace(f, given_up=True) for f in given_up.folds)
    )
    alone = CostModel.of(SHAPE, [given_up])
    assert alone.rounds(usual) == CostModel.of(SHAPE, ()).rounds(usual)
    assert alone.fold_seconds(usual, 40) == pytest.approx(0.3)
    beside = CostModel.of(SHAPE, [given_up, fitted(usual, 3.0, 400)])
    assert beside.rounds(usual) == 400
