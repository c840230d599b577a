"""Leaving candidates on the way through the folds: Optuna's pruners, set up for prefixes of the fold plan."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tabular_automl.core.search import Search
from tabular_automl.search.quiet_optuna import unwarned_optuna

if TYPE_CHECKING:
    from optuna.pruners import BasePruner

# Where a candidate is looked at before it has all folds.
PREFIXES = (1, 3)
# The next prefix has about so many times the folds, and so many times fewer candidates should get there.
REDUCTION = 3
# Worse on all of three folds is p = 1/8, the least that a signed-rank test of three values can say: it must
# be enough. After one fold the test never speaks, and so it doesn't in plans of three folds or fewer.
P_THRESHOLD = 0.13


def rungs(n_folds: int, fewest: int = 1) -> tuple[int, ...]:
    """Return the numbers of folds at which a candidate is looked at; the last is all of them.

    A single fold of two is no prefix: it saves little, and a candidate that found no time for the other one
    can't be weighed. Where folds are tiny the first prefix has the fewest that say anything
    (`FoldPlan.fewest_folds`).

    >>> rungs(8), rungs(3), rungs(2), rungs(20, fewest=2)
    ((1, 3, 8), (1, 3), (2,), (2, 6, 20))
    """
    prefixes = [fewest * prefix for prefix in PREFIXES]
    if n_folds <= prefixes[0] + 1:
        return (n_folds,)
    return (*(prefix for prefix in prefixes if prefix < n_folds), n_folds)


def pruner_for(search: Search, n_folds: int, fewest: int = 1) -> "BasePruner":
    """Return the pruner of a study whose candidates are reported as `steps` says; ``fewest`` as in `rungs`.

    ``wilcoxon`` leaves a candidate that is worse than the best one on the same folds; ``halving`` one that is
    not in the best third of all that came as far; ``hyperband`` does the same, but lets some candidates (a
    share fixed by the number of folds) skip the first rungs, where luck decides most.
    """
    with unwarned_optuna():
        from optuna.pruners import HyperbandPruner, NopPruner, SuccessiveHalvingPruner, WilcoxonPruner

        if search.pruner == "wilcoxon":
            return WilcoxonPruner(p_threshold=P_THRESHOLD)
        if search.pruner == "halving":
            return SuccessiveHalvingPruner(min_resource=fewest * PREFIXES[0], reduction_factor=REDUCTION)
        if search.pruner == "hyperband":
            return HyperbandPruner(fewest * PREFIXES[0], max_resource=n_folds, reduction_factor=REDUCTION)
        return NopPruner()


def steps(search: Search, values: Mapping[int, float], fewest: int = 1) -> dict[int, float]:
    """Return what a pruner is told of a candidate's values by fold, by step; ``fewest`` as in `rungs`.

    For ``wilcoxon``, which compares fold by fold, a step is the number of a fold; for the others a step is
    how many folds there are, and its value the mean over them.
    """
    if search.pruner == "wilcoxon":
        return dict(values)
    in_order = [values[fold] for fold in sorted(values)]
    return {n_folds: sum(in_order[:n_folds]) / n_folds for n_folds in rungs(len(in_order), fewest)}
