"""Check a fold plan against weights and groups: what could not be scored, and what would leak."""

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.errors import InputError
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.folds import Fold, FoldPlan
from tabular_automl.core.schema import Finding, Severity


def check_folds(
    plan: FoldPlan, groups: NDArray[np.intp] | None, weight: FloatArray | None
) -> tuple[FoldPlan, tuple[Finding, ...]]:
    """Drop folds in which nothing counts, and warn of groups on both sides of a fold.

    Parameters
    ----------
    plan
        As planned.
    groups
        Shape (n_rows,): group numbers, or None.
    weight
        Shape (n_rows,), or None. A model cannot be fitted, nor judged, on rows that all weigh 0.

    Returns
    -------
    plan, findings
        The plan without the folds dropped.

    Raises
    ------
    InputError
        If no fold is left, or only one of several.
    """
    kept, findings = _weighted(plan, weight) if weight is not None else (plan, ())
    if groups is not None:
        findings = (*findings, *_shared_groups(kept, groups))
    return kept, findings


def _weighted(plan: FoldPlan, weight: FloatArray) -> tuple[FoldPlan, tuple[Finding, ...]]:
    kept = [fold for fold in plan.first_repeat if _counts(fold, weight)]
    n_folds = plan.folds_per_repeat
    n_dropped = n_folds - len(kept)
    if n_dropped == 0:
        return plan, ()
    if len(kept) < 2:
        raise InputError(
            f"Rows with a weight above 0 are on both sides of {len(kept)} of {n_folds} folds only, too few "
            "to judge a model. Spread the weights over more rows, groups or points in time, or drop the rows "
            "of weight 0."
        )
    message = (
        f"{n_dropped} of {n_folds} folds are left out: in them all rows to train on, or all rows held out, "
        "have a weight of 0."
    )
    way_out = "Drop the rows of weight 0, or give them some weight."
    dropped = Finding("weightless_fold", Severity.WARNING, message, way_out)
    # Dealing puts rows that count into every fold: only a plan of one repeat, not dealt by us, loses folds.
    return FoldPlan(tuple(kept), plan.scheme, plan.blocks), (dropped,)


def _counts(fold: Fold, weight: FloatArray) -> bool:
    return bool(weight[fold.train].any() and weight[fold.held_out].any())


def _shared_groups(plan: FoldPlan, groups: NDArray[np.intp]) -> list[Finding]:
    """Find the folds of the user's own splitter, which has no repeats, that groups don't bind."""
    shared = [np.intersect1d(groups[fold.train], groups[fold.held_out]) for fold in plan.first_repeat]
    leaking = [number for number, found in enumerate(shared) if len(found)]
    if not leaking:
        return []
    first = leaking[0]
    fold = plan.folds[first]
    same = groups == shared[first][0]
    trained, judged = fold.train[same[fold.train]][0], fold.held_out[same[fold.held_out]][0]
    message = (
        f"The splitter puts groups on both sides of {len(leaking)} of {len(shared)} folds: in fold {first} "
        f"it trains on row {trained} and holds out row {judged} of the same group, one of "
        f"{len(shared[first])}. Scores will be too good."
    )
    way_out = "Use a splitter that takes groups, such as GroupKFold, or leave the splitter out."
    return [Finding("groups_split", Severity.WARNING, message, way_out)]
