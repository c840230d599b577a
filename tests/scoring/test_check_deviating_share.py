from typing import Any

import pytest

from tabular_automl.core.errors import InputError, SchemaError
from tabular_automl.core.schema import Deviation, SchemaReport
from tabular_automl.scoring.check_deviating_share import check_deviating_share

REPORT = SchemaReport(
    100,
    (
        Deviation("a", "changed_dtype", 100),
        Deviation("b", "unparseable", 20, ("x", "y")),
        Deviation("c", "new_missing", 10),
        Deviation("d", "extra_column", 0),
    ),
)


def test_the_worst_column_decides() -> None:
    with pytest.raises(SchemaError, match=r"'b': 20.0% of 100 rows .*\(unparseable, such as 'x', 'y'\)"):
        check_deviating_share(REPORT, 0.19)
    check_deviating_share(REPORT, 0.2)


def test_all_that_a_column_loses_counts_together() -> None:
    """A cell is unreadable, infinite or newly missing, never two of them."""
    more = (Deviation("c", "unparseable", 9, ("z",)), Deviation("c", "infinite", 2))
    report = SchemaReport(100, (*REPORT.deviations, *more))
    with pytest.raises(
        SchemaError, match=r"'c': 21.0% of 100 rows .*\(new_missing; unparseable, such as 'z'; infinite\)"
    ):
        check_deviating_share(report, 0.2)
    check_deviating_share(report, 0.21)


def test_a_zone_that_came_or_went_may_be_hours_off() -> None:
    report = SchemaReport(100, (Deviation("a", "changed_zone", 30, ("taken as UTC → with a time zone",)),))
    with pytest.raises(SchemaError, match=r"'a': 30.0% of 100 rows .*changed_zone, such as 'taken as UTC"):
        check_deviating_share(report, 0.1)


def test_a_changed_type_loses_nothing() -> None:
    check_deviating_share(SchemaReport(100, REPORT.deviations[:1]), 0.0)


@pytest.mark.parametrize("allowed", [None, 0.0, 1.0])
def test_no_rows_deviate_from_nothing(allowed: float | None) -> None:
    check_deviating_share(SchemaReport(0), allowed)


@pytest.mark.parametrize("allowed", [-0.1, 1.5, 50, float("nan"), "a", "0.5", [0.1]])
def test_no_share_is_refused(allowed: Any) -> None:
    with pytest.raises(InputError, match="must lie between 0 and 1"):
        check_deviating_share(SchemaReport(0), allowed)
