import numpy as np
import pytest

from tabular_automl.learners.patience import LEAST, Patience, fell_behind, waiting_rounds


def stopped_after(losses: list[float], most: int | None) -> int | None:
    patience = Patience(most)
    return next((n for n, loss in enumerate(losses, start=1) if patience.ran_out(n, loss)), None)


def test_a_fit_whose_best_round_came_soon_waits_less() -> None:
    waits = [waiting_rounds(best, 300) for best in (0, 10, 100, 450, 10_000)]
    assert waits == [LEAST, LEAST + 10, LEAST + 100, 300, 300]
    assert [waiting_rounds(best, 20) for best in (0, 1_000)] == [20, 20]


@pytest.mark.parametrize("best", [1, 40, 400])
def test_it_runs_out_that_many_rounds_after_the_best(best: int) -> None:
    losses = [abs(n - best) / 1_000 for n in range(1, 2_000)]
    assert stopped_after(losses, 300) == best + waiting_rounds(best, 300)
    assert stopped_after(losses, None) is None


def test_rounds_without_a_loss_count_as_waiting() -> None:
    patience = Patience(3)
    assert [patience.ran_out(n, loss) for n, loss in enumerate([1.0, None, np.nan, None], start=1)] == [
        False, False, False, True,
    ]  # fmt: skip


def test_a_bar_asks_for_a_loss_at_most_its_own_and_lasts_beyond_its_end() -> None:
    bar = np.array([np.inf, 0.5, 0.4])
    behind = [[fell_behind(loss, n, bar) for n in (1, 2, 3, 50)] for loss in (np.inf, 0.5, 0.45, 0.4)]
    assert behind == [
        [False, True, True, True], [False, False, True, True], [False, False, True, True], [False] * 4,
    ]  # fmt: skip
    assert not fell_behind(np.inf, 1, None)
