"""Refuse rows of which too many do not fit the training schema."""

from collections import Counter
from numbers import Real

from tabular_automl.core.errors import InputError, SchemaError
from tabular_automl.core.schema import Deviation, SchemaReport

# By these a model sees less than the row says, or sees it hours off; a changed type alone loses nothing.
_LOSES_CELLS = frozenset({"unseen_category", "unparseable", "infinite", "new_missing", "changed_zone"})


def check_deviating_share(report: SchemaReport, allowed: float | None) -> None:
    """Fail when in any column a larger share of cells is of no use to the model.

    These are categories it has not seen, text it cannot parse, infinities, cells that are newly missing, and
    points in time that may be hours off, as their time zone came or went; a cell is one of them at most, so
    that their counts add up.

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
        If a column deviates more often; it, the share and the kinds of deviation are named.
    """
    if allowed is None:
        return
    if not isinstance(allowed, Real) or not 0 <= allowed <= 1:
        raise InputError(f"max_deviating_share is {allowed!r}; it must lie between 0 and 1.")
    lossy = [deviation for deviation in report.deviations if deviation.what in _LOSES_CELLS]
    lost: Counter[str] = Counter()
    for deviation in lossy:
        lost[deviation.column] += deviation.n_rows
    for column, n_lost in lost.most_common(1):
        if n_lost > allowed * report.n_rows:
            kinds = "; ".join(_in_words(deviation) for deviation in lossy if deviation.column == column)
            raise SchemaError(
                f"Column '{column}': {n_lost / report.n_rows:.1%} of {report.n_rows} rows deviate from the "
                f"training schema ({kinds}), allowed are {allowed:.1%}, so there are no predictions. "
                "Check the rows, or allow a larger share."
            )


def _in_words(deviation: Deviation) -> str:
    examples = ", ".join(map(repr, deviation.examples))
    return f"{deviation.what}, such as {examples}" if examples else deviation.what
