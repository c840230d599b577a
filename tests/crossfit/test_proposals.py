"""Proposals: when the next request is pulled, and which results it may know."""

import pytest
from odd_learners import candidate  # type: ignore[import-not-found]
from open_runtime import make_problem, open_runtime  # type: ignore[import-not-found]

from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.crossfit import Request, cross_fit


def test_requests_are_pulled_lazily_and_see_what_came_before(one_worker):
    problem = make_problem()
    seen: list[CrossFit | Failure] = []
    pulled_after = []

    def propose():
        for rounds in (1, 2, 3):
            pulled_after.append(len(seen))
            yield Request(candidate(rounds=rounds), 2)

    with open_runtime(problem, one_worker) as runtime:
        for result in cross_fit(propose(), problem, runtime):
            seen.append(result)  # noqa: PERF402 - the proposer reads the list while it grows
    assert pulled_after == [0, 1, 2]


@pytest.mark.parametrize("fixture", ["one_worker", "two_workers"])
def test_in_a_counted_run_results_come_in_order_and_proposals_see_exactly_all_but_the_last_four(
    fixture, request
):
    problem = make_problem()
    workers = request.getfixturevalue(fixture)
    seen: list[CrossFit | Failure] = []

    def propose():
        for number in range(9):
            assert len(seen) == max(0, number - 3), f"proposal {number} sees results up to {number - 4}"
            yield Request(candidate("slow", rounds=9 - number, seconds=0.02 * (number % 3)), 2)

    with open_runtime(problem, workers, count=9) as runtime:
        for result in cross_fit(propose(), problem, runtime):
            seen.append(result)  # noqa: PERF402 - the proposer reads the list while it grows
    assert [dict(result.candidate.params)["rounds"] for result in seen] == list(range(9, 0, -1))


@pytest.mark.parametrize("fixture", ["one_worker", "two_workers"])
@pytest.mark.parametrize("count", [None, 9])
def test_a_proposer_with_nothing_for_now_is_asked_again_after_each_result(fixture, count, request):
    problem = make_problem()
    workers = request.getfixturevalue(fixture)
    seen: list[CrossFit | Failure] = []
    asked_with = []

    def propose():
        yield Request(candidate("slow", rounds=1, seconds=0.05), 2)
        yield Request(candidate("slow", rounds=2, seconds=0.0), 2)
        while len(seen) < 2:
            asked_with.append(len(seen))
            yield None
        yield Request(candidate(rounds=3), 2)
        yield None

    with open_runtime(problem, workers, count=count) as runtime:
        for result in cross_fit(propose(), problem, runtime):
            seen.append(result)  # noqa: PERF402 - the proposer reads the list while it grows
    assert asked_with == sorted(set(asked_with)), "once for each number of results"
    assert count is None or asked_with == [0, 1], "whatever the number of workers"
    assert len(seen) == 3, "with nothing under way, nothing for now is the end"
