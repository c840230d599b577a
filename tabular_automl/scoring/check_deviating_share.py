"""Refuse rows of which too many do not fit the training schema."""

from operator import attrgetter

from tabular_automl.core.errors import InputError, SchemaError
from tabular_automl.core.schema import SchemaReport

# Deviations by which a model sees less than the row says; a changed type alone loses nothing.
_LOSES_CELLS = frozenset({"unseen_category", "unparseable", "infinite", "new_missing"})


def check_deviating_share(report: SchemaReport, allowed: float | None) -> None:
    """Fail when in any column a larger share of cells is of no use to the model.

    These are categories it has not seen, text it cannot parse, infinities, and cells that are newly missing.

    Parameters
    ----------
    report
        What deviates.
    allowed
        A share from 0 to 1; None allows everything.

    Raises
    ------
    InputError
        If ``allowed`` is no share.
    SchemaError
        If a column deviates more often; it and the share are named.
    """
    if allowed is None:
        return
    if not 0 <= allowed <= 1:
        raise InputError(f"max_deviating_share is {allowed}; it must lie between 0 and 1.")
    lossy = [deviation for deviation in report.deviations if deviation.what in _LOSES_CELLS]
    worst = max(lossy, key=attrgetter("n_rows"), default=None)
    if worst is not None and worst.n_rows > allowed * report.n_rows:
        share = worst.n_rows / report.n_rows
        examples = f", such as {', '.join(map(repr, worst.examples))}" if worst.examples else ""
        raise SchemaError(
            f"Column '{worst.column}': {share:.1%} of {report.n_rows} rows deviate from the training schema "
            f"({worst.what}{examples}), allowed are {allowed:.1%}, so there are no predictions. Check the "
            "rows, or allow a larger share."
        )
