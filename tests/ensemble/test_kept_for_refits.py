"""What the search leaves to refits: no less than they take, nothing for those that cannot start."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from tabular_automl.core.budget import Budget
from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit import Runtime
from tabular_automl.crossfit.refit import START_SHARE, expected_refit_seconds
from tabular_automl.ensemble import kept_for_refits
from tabular_automl.ensemble.kept_for_refits import CHOOSING_SHARE, COPIES_SHARE, HEAVY
from tabular_automl.ensemble.serve import COPIES, loading_seconds
from tabular_automl.testing import FAKE_FAMILY

Weighted = list[tuple[CrossFit, float]]
RESERVE = 2.0


class Members:
    """A runtime, and candidates whose refits take as long as asked for."""

    def __init__(self, runtime: Runtime, seeded: CrossFit, unseeded: CrossFit) -> None:
        self._runtime = runtime
        self._fits = {True: seeded, False: unseeded}

    def taking(self, seconds: float, *, uses_seed: bool = True) -> CrossFit:
        """Return a candidate of which one refit takes so many seconds."""
        fit = self._fits[uses_seed]
        factor = seconds / expected_refit_seconds(fit, self._runtime.problem)
        return replace(fit, folds=tuple(replace(fold, seconds=factor * fold.seconds) for fold in fit.folds))

    def kept(self, weighted: Weighted, left: float | None, n_jobs: int = 1) -> float:
        """Return what is kept for refits alone, with so many seconds left after choosing and loading."""
        besides = self.besides(weighted)
        limit = None if left is None else left + besides + RESERVE
        budget = Budget(limit, None, n_jobs, RESERVE, clock=lambda: 0.0)
        kept = kept_for_refits(weighted, replace(self._runtime, budget=budget))
        return START_SHARE * (kept - besides) if kept else 0.0

    def besides(self, weighted: Weighted) -> float:
        """Return the seconds for choosing and loading."""
        fits = [fit for fit, _ in weighted]
        return CHOOSING_SHARE * RESERVE + loading_seconds(fits, self._runtime.problem, self._runtime)


@pytest.fixture(scope="module")
def members(opened: Callable[..., AbstractContextManager[Any]]) -> Iterator[Members]:
    with opened(TaskKind.REGRESSION) as setting:
        yield Members(setting.runtime, setting.fit(FAKE_FAMILY), setting.fit("linear"))


def test_nothing_is_kept_for_no_members_and_for_light_ones(members: Members) -> None:
    assert members.kept([], 100.0) == 0
    assert members.kept([(members.taking(1.0), HEAVY / 2)], 100.0) == 0


def test_all_copies_are_kept_for_while_they_take_little(members: Members) -> None:
    heavy = [(members.taking(1.0), 0.5), (members.taking(2.0, uses_seed=False), 0.5)]
    assert COPIES * 1.0 + 2.0 < COPIES_SHARE * 100
    assert members.kept(heavy, 100.0) == pytest.approx(COPIES * 1.0 + 2.0)


def test_one_of_each_is_kept_for_and_more_only_up_to_a_share(members: Members) -> None:
    heavy = [(members.taking(8.0), 0.5), (members.taking(3.0), 0.5)]
    limit = 100 + members.besides(heavy) + RESERVE
    assert members.kept(heavy, 100.0) == pytest.approx(COPIES_SHARE * limit)
    assert members.kept(heavy, 20.0) == pytest.approx(8.0 + 3.0)


@pytest.mark.parametrize(
    ("seconds", "n_jobs", "expected"),
    [((8.0, 1.0), 8, 8.0), ((8.0, 8.0, 8.0), 2, 16.0), ((8.0, 1.0, 1.0), 2, 8.0), ((3.0, 2.0, 2.0), 2, 4.0)],
)
def test_a_refit_runs_on_one_core(
    members: Members,
    monkeypatch: pytest.MonkeyPatch,
    seconds: tuple[float, ...],
    n_jobs: int,
    expected: float,
) -> None:
    monkeypatch.setattr("tabular_automl.core.budget.available_cores", lambda: 8)
    heavy = [(members.taking(one), 1 / len(seconds)) for one in seconds]
    # Further copies would take more than their share of so short a time.
    assert members.kept(heavy, 10.0, n_jobs) == pytest.approx(expected)


def test_first_copies_come_before_any_second_one(members: Members, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabular_automl.core.budget.available_cores", lambda: 2)
    heavy = [(members.taking(8.0), 0.5), (members.taking(1.0), 0.5)]
    # One core: 8, 1 and, when the other has had 1, 8, 1, the last 8.
    assert members.kept(heavy, 1_000.0, n_jobs=2) == pytest.approx(17.0)


def test_nothing_is_kept_for_a_refit_that_cannot_start_any_more(members: Members) -> None:
    light = (members.taking(1.0, uses_seed=False), 0.5)
    for seconds, is_kept in ((START_SHARE * 10 - 0.01, True), (START_SHARE * 10 + 0.01, False)):
        kept = members.kept([(members.taking(seconds), 0.5), light], 10.0)
        assert kept == pytest.approx(1.0 + is_kept * seconds)


def test_without_a_limit_one_of_each_is_kept_for(members: Members) -> None:
    assert members.kept([(members.taking(6.0), 1.0)], None) == pytest.approx(6.0)
