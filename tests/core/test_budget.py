from dataclasses import replace

import pytest

from tabular_automl.core.budget import Budget
from tabular_automl.testing import FakeClock


def test_the_reserve_is_used_up_bit_by_bit_between_the_last_fits_and_the_deadline() -> None:
    clock = FakeClock()
    budget = Budget(10.0, None, 2, reserve=2.0, clock=clock)
    found = []
    for now in (0.0, 7.9, 8.1, 9.1, 10.1):
        clock.now = now
        found.append([budget.used_up(share) for share in (0.0, 0.5, 1.0)])
    assert found == [
        [False, False, False], [False, False, False], [True, False, False], [True, True, False],
        [True, True, True],
    ]  # fmt: skip


@pytest.mark.parametrize(("limit", "count"), [(None, None), (None, 3), (10.0, 3)])
def test_only_a_run_bounded_by_time_uses_up_its_reserve(limit: float | None, count: int | None) -> None:
    budget = Budget(limit, count, 2, reserve=2.0, clock=FakeClock(1e6))
    assert not budget.used_up(0.0)
    assert replace(budget, limit=10.0, max_candidates=None).used_up(1.0)
