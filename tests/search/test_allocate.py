"""The ladder: what a candidate gets for so many seconds."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import SHAPE, priced  # type: ignore[import-not-found]

from tabular_automl.core.candidate import Candidate, Origin
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.search import Search
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import FAMILIES
from tabular_automl.search.allocate import (
    FEW_ROWS,
    FEWEST_ROUNDS,
    LADDER,
    LADDER_ON_FEW_ROWS,
    LEAST_PATIENCE,
    PATIENCE_FACTOR,
    Allocation,
    Offer,
    Rung,
    ladder_for,
)
from tabular_automl.search.cost_model import CostModel
from tabular_automl.search.portfolio import default_candidate

prices = st.floats(0.01, 1e4)
plans = st.integers(1, 10)
cores = st.integers(1, 64)
origins = st.sampled_from([Origin.DEFAULT, Origin.PORTFOLIO, Origin.USER])


def allocation(n_folds: int = 8, n_cores: int = 2, fair_share: float = 0.0) -> Allocation:
    return Allocation(CostModel(SHAPE), n_folds, n_cores, fair_share)


def ladder_of(candidate: Candidate, given: Allocation) -> list[Offer]:
    """All that a candidate may get, from dear to cheap."""
    found = []
    seconds = 1e12
    while (offer := given.affordable(candidate, seconds)) is not None:
        found.append(offer)
        seconds = offer.seconds / min(given.cores, offer.request.n_folds) * (1 - 1e-9)
    return found


@given(price=prices, seconds=prices, n_folds=plans, n_cores=cores, origin=origins)
def test_nothing_costs_more_than_it_may(
    price: float, seconds: float, n_folds: int, n_cores: int, origin: Origin
) -> None:
    given_ = allocation(n_folds, n_cores)
    candidate = priced("a", price, origin=origin)
    offer = given_.affordable(candidate, seconds)
    if offer is None:
        cheapest = given_.cheapest(candidate)
        assert cheapest.seconds > seconds * min(n_cores, cheapest.request.n_folds)
        return
    assert offer.seconds <= seconds * min(n_cores, offer.request.n_folds)
    a_fold = given_.costs.fold_seconds(offer.request.candidate, offer.request.max_rounds)
    assert offer.seconds == pytest.approx(a_fold * offer.request.n_folds)
    assert a_fold <= seconds * (1 + 1e-9), "not even a fold alone, however many cores there are"


@given(price=prices, seconds=prices, n_folds=plans, origin=origins)
def test_nothing_dearer_would_have_been_affordable(
    price: float, seconds: float, n_folds: int, origin: Origin
) -> None:
    given_ = allocation(n_folds)
    candidate = priced("a", price, origin=origin)
    offer = given_.affordable(candidate, seconds)
    for rung in LADDER:
        dearer = given_.offer(candidate, rung)
        if offer is not None and dearer.request == offer.request:
            break
        assert dearer.seconds > seconds * min(given_.cores, dearer.request.n_folds)


@given(price=prices, n_folds=plans, n_cores=cores, origin=origins, rounds=st.integers(1, 5_000))
def test_at_least_two_folds_and_no_more_than_the_plan_has(
    price: float, n_folds: int, n_cores: int, origin: Origin, rounds: int
) -> None:
    offers = ladder_of(priced("a", price, origin=origin, n_rounds=rounds), allocation(n_folds, n_cores))
    assert offers[0].request.n_folds == n_folds
    assert all(min(2, n_folds) <= offer.request.n_folds <= n_folds for offer in offers)


def test_of_tiny_folds_every_rung_has_as_many_as_say_anything() -> None:
    offers = ladder_of(priced("a"), replace(allocation(200), fewest_folds=4))
    assert {offer.request.n_folds for offer in offers} == {200, 5, 4}
    assert {
        offer.request.n_folds for offer in ladder_of(priced("a"), replace(allocation(3), fewest_folds=3))
    } == {3}


@given(price=prices, n_folds=plans)
def test_what_a_caller_chose_is_never_hastened(price: float, n_folds: int) -> None:
    own = priced("a", price, origin=Origin.USER)
    assert {offer.request.candidate for offer in ladder_of(own, allocation(n_folds))} == {own}


def test_what_is_ours_is_hastened_and_keeps_its_name() -> None:
    for label in ("a", ""):
        ours = priced(label)
        offers = ladder_of(ours, allocation())
        assert {offer.request.candidate.name for offer in offers} == {ours.name}
        assert len({offer.request.candidate.key for offer in offers}) == len({rung.factor for rung in LADDER})


@given(rounds=st.integers(1, 20_000), origin=origins)
def test_caps_are_a_good_part_of_the_rounds_that_are_needed(rounds: int, origin: Origin) -> None:
    given_ = allocation()
    offers = ladder_of(priced("a", n_rounds=rounds, origin=origin), given_)
    needed = given_.costs.rounds(offers[-1].request.candidate)
    caps = [offer.request.max_rounds for offer in offers if offer.request.max_rounds is not None]
    assert caps == sorted(set(caps), reverse=True)
    assert all(FEWEST_ROUNDS * needed <= cap < needed for cap in caps)
    assert bool(caps) == (needed > 1)
    capped = [offer.request.n_folds for offer in offers if offer.request.max_rounds is not None]
    assert set(capped) <= {LADDER[-1].n_folds}


def test_a_little_more_or_less_is_capped_alike() -> None:
    some, more = (
        {offer.request.max_rounds for offer in ladder_of(priced("a", n_rounds=rounds), allocation())}
        for rounds in (3_000, 3_100)
    )
    assert len(some ^ more) <= 1
    assert len(some & more) > 2


@given(price=prices, fair_share=st.floats(0, 100))
def test_a_fit_is_stopped_only_when_it_exceeds_both_expectation_and_fair_share(
    price: float, fair_share: float
) -> None:
    for offer in ladder_of(priced("a", price), allocation(fair_share=fair_share)):
        n_folds, limit = offer.request.n_folds, offer.request.seconds
        assert limit is not None
        assert limit >= PATIENCE_FACTOR * offer.seconds / n_folds
        assert limit >= fair_share / n_folds


BOTH = pytest.mark.parametrize("ladder", [LADDER, LADDER_ON_FEW_ROWS], ids=["many rows", "few rows"])


@BOTH
def test_below_a_rung_are_it_and_the_cheaper_ones(ladder: tuple[Rung, ...]) -> None:
    for place, rung in enumerate(ladder):
        assert replace(allocation(), ladder=ladder).below(rung).ladder == ladder[place:]


@BOTH
def test_a_ladder_begins_with_everything_and_never_leads_up_again(ladder: tuple[Rung, ...]) -> None:
    assert ladder[0] == Rung(None, 1.0)
    assert len(set(ladder)) == len(ladder)
    folds = [10 if rung.n_folds is None else rung.n_folds for rung in ladder]
    assert folds == sorted(folds, reverse=True)
    assert min(folds) == 2
    factors = [rung.factor for rung in ladder]
    assert factors == sorted(factors)


def test_on_few_rows_bigger_steps_come_before_fewer_folds_and_on_many_after() -> None:
    assert (ladder_for(FEW_ROWS), ladder_for(FEW_ROWS + 1)) == (LADDER_ON_FEW_ROWS, LADDER)
    for ladder in (LADDER, LADDER_ON_FEW_ROWS):
        fewer = next(place for place, rung in enumerate(ladder) if rung.n_folds is not None)
        bigger = next(place for place, rung in enumerate(ladder) if rung.factor > 1)
        assert (bigger < fewer) == (ladder is LADDER_ON_FEW_ROWS)
    assert LADDER[-1] == LADDER_ON_FEW_ROWS[-1], "the number of rows does not decide who is too dear"


@given(price=prices, seconds=prices, n_folds=plans, n_cores=cores, origin=origins)
def test_the_same_seconds_buy_no_fewer_folds_on_few_rows_than_on_many(
    price: float, seconds: float, n_folds: int, n_cores: int, origin: Origin
) -> None:
    on_many = allocation(n_folds, n_cores)
    on_few = replace(on_many, ladder=LADDER_ON_FEW_ROWS)
    candidate = priced("a", price, origin=origin)
    many, few = on_many.affordable(candidate, seconds), on_few.affordable(candidate, seconds)
    assert (many is None) == (few is None)
    assert many is None or few is None or few.request.n_folds >= many.request.n_folds


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "prior"])
@pytest.mark.parametrize("n_rows", [200, 5_000, 100_000])
@pytest.mark.parametrize(("task", "n_outputs"), [(TaskKind.MULTICLASS, 4), (TaskKind.REGRESSION, 1)])
def test_every_family_gets_cheaper_from_rung_to_rung(
    family: str, n_rows: int, task: TaskKind, n_outputs: int
) -> None:
    shape = ProblemShape(task, n_rows, 10, 3, n_outputs)
    ladder = ladder_for(n_rows)
    given_ = Allocation(CostModel(shape), 8, 2, ladder=ladder)
    candidate = default_candidate(family, shape)
    costs = [given_.offer(candidate, rung).seconds for rung in ladder]
    assert costs == sorted(costs, reverse=True)
    assert 0 < given_.cheapest(candidate).seconds < costs[0]
    hastened = given_.offer(candidate, Rung(None, 2.0)).request.candidate
    assert (hastened.family, hastened.recipe) == (candidate.family, candidate.recipe)
    assert hastened.hastened == (hastened.params != candidate.params)
    assert replace(hastened, params=candidate.params, hastened=False) == candidate


def test_steps_grow_no_further_than_the_users_space_allows() -> None:
    shape = ProblemShape(TaskKind.BINARY, 5_000, 10, 2, 1)
    candidate = default_candidate("lightgbm", shape)
    rate = dict(candidate.params)["learning_rate"]
    rung = Rung(None, 2.0)
    for space, expected in (
        ({}, 0.1),
        ({"learning_rate": (0.01, 0.06)}, 0.06),
        ({"learning_rate": 0.05}, 0.05),
    ):
        search = Search(spaces={"lightgbm": space} if space else {})
        offer = Allocation(CostModel(shape), 8, 2, search=search).offer(candidate, rung)
        assert rate == 0.05
        assert dict(offer.request.candidate.params)["learning_rate"] == pytest.approx(expected)


def test_a_bounded_offer_is_stopped_at_its_bound_but_not_before_what_was_expected() -> None:
    offer = Allocation(CostModel(SHAPE), 8, 2).offer(priced("a", 2.0), Rung(None, 1.0))
    assert offer.seconds == 16.0
    assert offer.request.seconds == PATIENCE_FACTOR * 2.0 + 0.5
    assert offer.bounded(24.0).request.seconds == 3.0
    assert offer.bounded(1000.0) == offer
    assert offer.bounded(1.0).request.seconds == LEAST_PATIENCE * 2.0
