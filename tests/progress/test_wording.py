"""What is said of a run."""

from tabular_automl.core.progress import Best, Running, Status
from tabular_automl.progress.wording import MOST_NAMED, closing_line, facts, heading


def test_a_run_bounded_by_counts_tells_what_is_left_of_them() -> None:
    told = dict(facts(Status("fit", 75.0, max_candidates=20, done=12, failed=1, pruned=3)))
    assert told["time"] == "1:15 so far"
    assert told["candidates"] == "12 done, 1 failed, 3 pruned, 4 of 20 left"


def test_time_left_is_never_negative_and_hours_are_told() -> None:
    assert dict(facts(Status("weigh", 61.0, limit=60.0)))["time"] == "0:00 left of 1:00"
    assert dict(facts(Status("fit", 1.0, limit=7_200.0)))["time"] == "1:59:59 left of 2:00:00"


def test_of_many_workers_the_first_are_named_and_the_rest_counted() -> None:
    running = tuple(Running(f"forest/{number}", "fold 0", 9.9) for number in range(64))
    told = dict(facts(Status("fit", 1.0, running=running)))["running"]
    assert told.startswith("64 fits: forest/0 fold 0 (9 s), forest/1")
    assert told.endswith(f"and {64 - MOST_NAMED} more")
    assert dict(facts(Status("fit", 1.0, done=1)))["running"] == "no fit"
    assert "workers start" in dict(facts(Status("fit", 1.0)))["running"]


def test_a_best_score_below_the_baseline_says_so() -> None:
    best = Best("linear/default", "rmse", 12.0, gain=-0.2, baseline="zero rule")
    told = dict(facts(Status("fit", 1.0, best=best)))
    assert told["best so far"] == "rmse 12 on the rows that chose it (linear/default)"
    assert told["gain"] == "20% further from perfect than zero rule"


def test_where_there_is_nothing_to_gain_no_gain_is_told() -> None:
    status = Status("done", 1.0, done=1, best=Best("linear/default", "accuracy", 1.0))
    assert "gain" not in dict(facts(status))
    told = "best so far accuracy 1 on the rows that chose it (linear/default)"
    assert closing_line(status) == f"Done in 1.0 s: 1 candidate; {told}."


def test_the_score_to_expect_takes_the_place_of_the_one_that_chose() -> None:
    best = Best("ensemble of 2", "accuracy", 0.99)
    line = closing_line(Status("done", 1.0, done=2, best=best, expected="accuracy 0.9"))
    assert "expected on new rows: accuracy 0.9" in line
    assert "0.99" not in line


def test_an_end_before_the_model_is_called_so() -> None:
    assert closing_line(Status("fit", 3.0, failed=2)) == "Ended early, after 3.0 s: 0 candidates, 2 failed."


def test_a_stop_that_was_asked_for_is_told_until_it_is_over() -> None:
    assert "stopping" in heading(Status("fit", 1.0, cancelled=True))
    assert heading(Status("done", 2.0, cancelled=True)) == "done"
