"""Deal units of rows to folds so that every fold looks like the whole."""

import heapq

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.intp]


def deal(strata: IntArray, units: IntArray | None, n_folds: int, rng: np.random.Generator) -> IntArray:
    """Return the fold of each row.

    Rows of one unit stay together. Within each stratum folds get equally many rows, and so they do in all:
    large units go first, each to the fold that has the fewest rows of its stratum; single rows then fill up
    what is uneven.

    Parameters
    ----------
    strata
        Shape (n_rows,): class codes or bins of the target.
    units
        Shape (n_rows,): numbers 0, 1, … of what must stay together, or None when each row is on its own.
    n_folds
        Number of folds.
    rng
        Breaks ties.
    """
    n_rows = len(strata)
    if units is None:
        return _deal_single(strata, np.zeros((strata.max() + 1, n_folds), dtype=np.intp), rng)
    sizes = np.bincount(units)
    together = sizes[units] > 1
    fold = np.empty(n_rows, dtype=np.intp)
    loads = np.zeros((strata.max() + 1, n_folds), dtype=np.intp)
    of_unit = _unit_strata(strata, units, len(sizes), rng)
    unit_fold = _deal_units(of_unit, sizes, loads, rng)
    fold[together] = unit_fold[units[together]]
    np.add.at(loads, (strata[together], fold[together]), 1)
    single = ~together
    if single.any():
        fold[single] = _deal_single(strata[single], loads, rng)
    return fold


def _unit_strata(strata: IntArray, units: IntArray, n_units: int, rng: np.random.Generator) -> IntArray:
    """Return the stratum most rows of a unit belong to."""
    n_strata = int(strata.max()) + 1
    pairs, counts = np.unique(units * n_strata + strata, return_counts=True)
    shuffled = rng.permutation(len(pairs))
    order = shuffled[np.argsort(counts[shuffled], kind="stable")]
    of_unit = np.zeros(n_units, dtype=np.intp)
    of_unit[pairs[order] // n_strata] = pairs[order] % n_strata  # the largest count is written last
    return of_unit


def _deal_units(of_unit: IntArray, sizes: IntArray, loads: IntArray, rng: np.random.Generator) -> IntArray:
    """Deal units of several rows, the largest first, to the fold with the fewest rows of their stratum."""
    n_strata, n_folds = loads.shape
    total = [0] * n_folds
    heaps = [
        [(0, 0, int(tie), fold) for fold, tie in enumerate(rng.permutation(n_folds))] for _ in range(n_strata)
    ]
    for heap in heaps:
        heapq.heapify(heap)
    fold_of = np.zeros(len(sizes), dtype=np.intp)
    several = np.flatnonzero(sizes > 1)
    several = several[rng.permutation(len(several))]
    for unit in several[np.argsort(-sizes[several], kind="stable")].tolist():
        heap, size = heaps[of_unit[unit]], int(sizes[unit])
        # Loads of the whole change with other strata: refresh the top until it is up to date.
        while heap[0][1] != total[heap[0][3]]:
            mine, _, tie, fold = heap[0]
            heapq.heapreplace(heap, (mine, total[fold], tie, fold))
        mine, _, tie, fold = heap[0]
        total[fold] += size
        heapq.heapreplace(heap, (mine + size, total[fold], tie, fold))
        fold_of[unit] = fold
    return fold_of


def _deal_single(strata: IntArray, loads: IntArray, rng: np.random.Generator) -> IntArray:
    """Deal single rows so that each stratum, then the whole, is as even as can be.

    ``loads`` holds the rows each fold already has of each stratum.
    """
    fold = np.empty(len(strata), dtype=np.intp)
    shuffled = rng.permutation(len(strata))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]
    totals = loads.sum(axis=0)
    start = 0
    for stratum, count in enumerate(np.bincount(strata, minlength=len(loads))):
        given = _fill(loads[stratum], totals, int(count), rng)
        totals = totals + given
        fold[order[start : start + count]] = np.repeat(np.arange(loads.shape[1]), given)
        start += count
    return fold


def _fill(load: IntArray, totals: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Return how many of ``count`` rows each fold gets so that loads end level, the odd ones by total."""
    low, high = int(load.min()), int(load.max()) + count
    while low < high:  # the highest level that the rows can fill up to
        middle = (low + high + 1) // 2
        if np.maximum(middle - load, 0).sum() <= count:
            low = middle
        else:
            high = middle - 1
    given = np.maximum(low - load, 0)
    left = count - int(given.sum())
    # Only folds at the level take an odd row, those with the fewest rows in all first.
    ties = rng.permutation(len(load))
    order = np.lexsort((ties, totals + given, load + given))
    given[order[:left]] += 1
    return given
