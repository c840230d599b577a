"""What ``cv`` means: a number of folds as a splitter of scikit-learn, anything else as it is."""

from numbers import Integral
from typing import Any

from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from tabular_automl.core.errors import InputError


def fold_splitter(
    cv: Any, *, is_classification: bool, is_grouped: bool, is_in_time: bool, random_state: Any
) -> Any:
    """Return the splitter that the engine gets for scikit-learn's ``cv``.

    Where scikit-learn's tools take a number for folds in the order of rows, here rows are shuffled and
    groups stay together: members are compared on these folds, so that sorted rows or torn groups would
    choose the wrong ones.

    >>> fold_splitter(5, is_classification=True, is_grouped=False, is_in_time=False, random_state=0)
    StratifiedKFold(n_splits=5, random_state=0, shuffle=True)

    Raises
    ------
    InputError
        If the number is below 2, or goes with an order in time, which shuffling would ignore.
    """
    if isinstance(cv, bool) or not isinstance(cv, Integral):
        return cv
    n_folds = int(cv)
    if n_folds < 2:
        raise InputError(f"cv is {n_folds}; give at least 2 folds, a splitter, or None for our own plan.")
    if is_in_time:
        raise InputError(
            f"cv={n_folds} shuffles rows, so that folds would look ahead in time_column. Leave cv out: the "
            "folds then only look back; or pass a splitter such as TimeSeriesSplit for rows in order of time."
        )
    if is_grouped:
        splitter = StratifiedGroupKFold if is_classification else GroupKFold
    else:
        splitter = StratifiedKFold if is_classification else KFold
    return splitter(n_folds, shuffle=True, random_state=random_state)
