"""Plan which rows are held out in which fold; once, from data and seed alone."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from numbers import Integral
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_automl.core.errors import InputError
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.folds import TIME_ORDERED, Fold, FoldPlan
from tabular_automl.core.seeds import derive_rng
from tabular_automl.ingest.deal import deal

N_FOLDS = 8
MIN_FOLDS_FOR_RARE_CLASSES = 5
ROWS_A_FOLD = 4
# Most rows, repeats. The fewer rows there are, the more do scores and models depend on how they were dealt,
# and the less do fits cost. With more rows than these, time is better spent on other candidates and refits.
REPEATS = ((2_000, 5), (10_000, 3))
FIRST_TRAINING_SHARE = 0.3
"""Share of the earliest rows that a time-ordered plan only trains on."""
MOST_FOLDS = 200
"""More folds than this, as of leave-one-out on many rows, would take all the time and say little more."""
UNEVEN_TRAINING = 1.5
"""Folds whose training rows differ by more than this factor are bought by size, not in the given order."""

IntArray = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class RowStructure:
    """What ties rows together.

    Attributes
    ----------
    groups
        Shape (n_rows,): rows of one group are never on both sides of a fold; or None.
    duplicates
        Shape (n_rows,): likewise for copies of a row; or None.
    time
        Shape (n_rows,): no model is judged on rows earlier than those it has seen; or None.
    splitter
        A scikit-learn splitter or pairs of row positions (train, held out) of the user; the number of folds
        of our own plan; or None. Where no fold looks ahead, the plan is time-ordered as if it were ours.
    """

    groups: IntArray | None = None
    duplicates: IntArray | None = None
    time: FloatArray | None = None
    splitter: Any = None


def plan_folds(
    y: FloatArray,
    structure: RowStructure,
    seed: int,
    *,
    is_classification: bool,
    weight: FloatArray | None = None,
) -> FoldPlan:
    """Return the full fold plan: 8 folds, fewer when rows, groups or rows of the rarest class are few.

    A number of folds that the user gives is kept to, without repeats.

    Folds are stratified by class, or by eight quantile bins of a target of numbers. Where rows are few they
    are dealt anew, several times, by the same rules (`count_repeats`); never in time order or with the user's
    splitter, nor where another dealing would put the same rows together, as with one group a fold.

    Parameters
    ----------
    y
        Shape (n_rows,): target or class codes.
    structure
        Groups, copies, time order, the user's own splitter.
    seed
        With the data, decides the plan.
    is_classification
        Whether ``y`` holds class codes.
    weight
        Shape (n_rows,), or None. Rows of weight 0 are dealt out after all others, so that every fold has
        rows that count; time order and the user's splitter don't heed it (`check_folds` does).

    Raises
    ------
    InputError
        If there are too few rows that count, groups or points in time, or the user's splitter gives no
        valid plan, or one of more than `MOST_FOLDS` folds.
    """
    n_asked = _number_asked(structure.splitter)
    if structure.splitter is not None and n_asked is None:
        return _custom(y, structure)
    if structure.time is not None:
        return _time_ordered(structure.time, structure, n_asked or count_folds(len(y), None))
    counting = np.ones(len(y), dtype=bool) if weight is None else weight > 0
    smallest = _smallest_class(y[counting]) if is_classification and counting.any() else None
    n_folds = _count_folds(structure.groups, counting, smallest, n_asked)
    n_repeats = count_repeats(len(y)) if n_asked is None else 1
    strata = y.astype(np.intp) if is_classification else _quantile_bins(y)
    units = _units(structure)

    def dealt(*repeat: int) -> IntArray:
        rng = derive_rng(seed, "fold plan", *repeat)
        return _deal_counting_first(strata, units, counting, n_folds, rng=rng)

    repeats = _repeats([dealt(), *(dealt(repeat) for repeat in range(1, n_repeats))], counting)
    if structure.groups is not None:
        scheme = "stratified grouped" if is_classification else "grouped"
    else:
        scheme = "stratified" if is_classification else "shuffled"
    return FoldPlan(tuple(chain(*repeats)), scheme, units, len(repeats))


def count_folds(n_rows: int, smallest_class: int | None) -> int:
    """Return 8, or fewer for few rows or a class with fewer rows than folds; at least 2.

    Every class has rows to train on in every fold as soon as it has two rows; so a rare class lowers the
    number to 5 at most, below which models would see too little of all the others.

    >>> [count_folds(1000, 50), count_folds(1000, 3), count_folds(12, None)]
    [8, 5, 3]
    """
    by_rows = max(2, min(N_FOLDS, n_rows // ROWS_A_FOLD))
    if smallest_class is None or smallest_class >= N_FOLDS:
        return by_rows
    return min(by_rows, max(MIN_FOLDS_FOR_RARE_CLASSES, smallest_class))


def count_repeats(n_rows: int) -> int:
    """Return how often rows are dealt to folds: several times where they are few.

    >>> [count_repeats(n_rows) for n_rows in (500, 5_000, 50_000)]
    [5, 3, 1]
    """
    return next((repeats for most_rows, repeats in REPEATS if n_rows <= most_rows), 1)


def _number_asked(splitter: Any) -> int | None:
    if isinstance(splitter, bool) or not isinstance(splitter, Integral):
        return None
    n_folds = int(splitter)
    if n_folds < 2:
        raise InputError(
            f"{n_folds} is too small a number of folds; give at least 2, a splitter, or None for our own "
            "plan."
        )
    if n_folds > MOST_FOLDS:
        raise InputError(
            f"{n_folds} folds are more than the {MOST_FOLDS} there may be. Ask for fewer, such as 10."
        )
    return n_folds


def _count_folds(
    groups: IntArray | None, counting: NDArray[np.bool_], smallest_class: int | None, n_asked: int | None
) -> int:
    n_rows = int(counting.sum())
    if n_rows < 2:
        raise InputError(f"{n_rows} row has a weight above 0; at least 2 are needed to hold one out.")
    which = "" if counting.all() else " with a weight above 0"
    n_units, unit = n_rows, "row"
    if groups is not None:
        n_units, unit = len(np.unique(groups[counting])), "group"
        if n_units < 2:
            raise InputError(f"groups holds {n_units} group{which}; at least 2 are needed to hold one out.")
    if n_asked is not None and n_asked > n_units:
        raise InputError(f"{n_asked} folds are more than the {n_units} {unit}s{which}. Ask for fewer folds.")
    return n_asked or min(count_folds(n_rows, smallest_class), n_units)


def _smallest_class(codes: FloatArray) -> int:
    """Return the rows of the rarest class among those that count; one that weighs nothing costs no fold."""
    counts = np.bincount(codes.astype(np.intp))
    return int(counts[counts > 0].min())


def _deal_counting_first(
    strata: IntArray,
    units: IntArray | None,
    counting: NDArray[np.bool_],
    n_folds: int,
    *,
    rng: np.random.Generator,
) -> IntArray:
    """Deal what counts as if there were nothing else, then the units that weigh nothing to the same folds."""
    if counting.all():
        return deal(strata, units, n_folds, rng)
    first = counting if units is None else (np.bincount(units, weights=counting) > 0)[units]
    fold_of = np.zeros(len(strata), dtype=np.intp)
    fold_of[first] = _dealt(strata, units, first, n_folds, rng=rng)
    used, fold_of[first] = np.unique(fold_of[first], return_inverse=True)
    if not first.all():
        fold_of[~first] = _dealt(strata, units, ~first, len(used), rng=rng)
    if len(used) < 2:
        raise InputError(
            "All rows with a weight above 0 belong together, so none can be held out. Spread the weights "
            "over more rows or groups."
        )
    return fold_of


def _dealt(
    strata: IntArray,
    units: IntArray | None,
    rows: NDArray[np.bool_],
    n_folds: int,
    *,
    rng: np.random.Generator,
) -> IntArray:
    numbered = None if units is None else np.unique(units[rows], return_inverse=True)[1].astype(np.intp)
    return deal(strata[rows], numbered, n_folds, rng)


def _units(structure: RowStructure) -> IntArray | None:
    """Return what must stay together: groups, and copies merged into them."""
    groups, copies = structure.groups, structure.duplicates
    if groups is None or copies is None:
        found = groups if groups is not None else copies
        return None if found is None else np.unique(found, return_inverse=True)[1].astype(np.intp)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    group_numbers = np.unique(groups, return_inverse=True)[1]
    copy_numbers = np.unique(copies, return_inverse=True)[1] + group_numbers.max() + 1
    size = int(copy_numbers.max()) + 1
    links = coo_array((np.ones(len(groups)), (group_numbers, copy_numbers)), shape=(size, size))
    parts = connected_components(links, directed=False)[1][group_numbers]
    if len(np.unique(parts)) < 2:
        # Copies tie all groups to one: groups are what the user asked for.
        return group_numbers.astype(np.intp)
    return np.unique(parts, return_inverse=True)[1].astype(np.intp)


def _quantile_bins(y: FloatArray) -> IntArray:
    edges = np.unique(np.quantile(y, np.linspace(0, 1, N_FOLDS + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, y, side="right"), return_inverse=True)[1].astype(np.intp)


def _repeats(dealings: Sequence[IntArray], counting: NDArray[np.bool_]) -> list[tuple[Fold, ...]]:
    """Return the folds of each dealing that is unlike all before it and has as many folds as the first."""
    distinct: dict[bytes, tuple[Fold, ...]] = {}
    for fold_of in dealings:
        distinct.setdefault(_partition(fold_of[counting]), _folds_of(fold_of))
    first, *others = distinct.values()
    return [first, *(folds for folds in others if len(folds) == len(first))]


def _partition(fold_of: IntArray) -> bytes:
    """Return the same for all dealings that put the same rows together, whatever the folds' numbers."""
    _, first, number = np.unique(fold_of, return_index=True, return_inverse=True)
    return first[number].tobytes()


def _folds_of(fold_of: IntArray) -> tuple[Fold, ...]:
    return tuple(
        Fold(np.flatnonzero(fold_of != number), np.flatnonzero(fold_of == number))
        for number in np.unique(fold_of)
    )


def _time_ordered(time: FloatArray, structure: RowStructure, n_folds: int) -> FoldPlan:
    """Hold out later and later blocks; the last block is fold 0, as its training rows are the most."""
    moments, place = np.unique(time, return_inverse=True)
    if len(moments) < 2:
        raise InputError("time_column holds one point in time only; give one with an order, or leave it out.")
    share_before = np.cumsum(np.bincount(place)) / len(time)
    edges = np.linspace(FIRST_TRAINING_SHARE, 1, n_folds + 1)
    block_of_moment = np.searchsorted(edges[:-1], share_before - 1e-12, side="right")
    block_of_moment[-1] = max(block_of_moment[-1], 1)  # rows of one moment are never split
    block_of_moment[0] = 0
    block = block_of_moment[place].astype(np.intp)
    units = _units(structure)
    folds = []
    for number in sorted(set(block[block > 0].tolist()), reverse=True):
        held_out = block == number
        train = block < number
        if units is not None:
            train &= ~np.isin(units, units[held_out])
        if train.any():
            folds.append(Fold(np.flatnonzero(train), np.flatnonzero(held_out)))
    if not folds:
        raise InputError(
            "No fold can be both time-ordered and grouped: every group spans all times. Give time_column "
            "or groups, not both."
        )
    return FoldPlan(tuple(folds), TIME_ORDERED, block)


def _custom(y: FloatArray, structure: RowStructure) -> FoldPlan:
    n_rows = len(y)
    drawn = _drawn(structure.splitter, y, structure.groups)
    if len(drawn) > MOST_FOLDS:
        raise InputError(
            f"The splitter gives more than {MOST_FOLDS} folds, and each takes a fit of every candidate. Use "
            "one that gives fewer, such as KFold(10)."
        )
    folds = tuple(_custom_fold(pair, number, n_rows) for number, pair in enumerate(drawn))
    if not folds:
        raise InputError(
            "The splitter gives no folds; give at least one pair of (train, held_out) row positions."
        )
    times = np.bincount(np.concatenate([fold.held_out for fold in folds]), minlength=n_rows)
    if times.max() > 1:
        row = int(times.argmax())
        raise InputError(
            f"The splitter holds out row {row} in {times[row]} folds; a row may be held out once. Repeated "
            "splitters don't fit: use one without repeats."
        )
    in_time = _in_time(folds, n_rows, structure.time)
    if in_time is not None:
        return in_time
    sizes = [len(fold.train) for fold in folds]
    if max(sizes) > UNEVEN_TRAINING * min(sizes):
        # A budget buys a prefix: models that see too little must not be all there is.
        folds = tuple(sorted(folds, key=lambda fold: -len(fold.train)))
    return FoldPlan(folds, "custom", _units(structure))


def _in_time(folds: Sequence[Fold], n_rows: int, time: FloatArray | None) -> FoldPlan | None:
    """Return a time-ordered plan if several folds all look only back: in time, or in the order of rows."""
    moments = np.arange(n_rows, dtype=np.float64) if time is None else time
    # One holdout says nothing of an order, and as one block it would have no interval.
    if len(folds) < 2 or not all(_looks_back(fold, moments) for fold in folds):
        return None
    middles = [float(moments[fold.held_out].mean()) for fold in folds]
    oldest_first = [folds[number] for number in np.argsort(middles, kind="stable")]
    block = np.zeros(n_rows, dtype=np.intp)
    for number, fold in enumerate(oldest_first, start=1):
        block[fold.held_out] = number
    return FoldPlan(tuple(reversed(oldest_first)), TIME_ORDERED, block)


def _looks_back(fold: Fold, moments: FloatArray) -> bool:
    """Say whether no training row is later than a held-out one; a splitter may cut through a moment."""
    train, held_out = moments[fold.train], moments[fold.held_out]
    return bool(train.max() <= held_out.min() and train.min() < held_out.max())


def _drawn(splitter: Any, y: FloatArray, groups: IntArray | None) -> list[Any]:
    """Return the pairs a splitter gives, at most one more than there may be.

    Whether it heeds groups is checked on what comes out.
    """
    is_splitter = hasattr(splitter, "split") and not isinstance(splitter, str)
    if not is_splitter and (isinstance(splitter, str) or not isinstance(splitter, Iterable)):
        raise InputError(
            f"splitter is {splitter!r}; give a scikit-learn splitter such as KFold(5), a list of "
            "(train, held_out) row positions, or a number of folds."
        )
    if not is_splitter:
        return list(islice(splitter, MOST_FOLDS + 1))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The groups parameter is ignored", UserWarning)
        given = (np.zeros((len(y), 1)), y) if groups is None else (np.zeros((len(y), 1)), y, groups)
        try:
            return list(islice(splitter.split(*given), MOST_FOLDS + 1))
        except (TypeError, ValueError) as error:
            call = "split(X, y)" if groups is None else "split(X, y, groups)"
            raise InputError(
                f"The splitter {shorten(repr(splitter), 100)} cannot split these {len(y)} rows: "
                f"{str(error).rstrip('.')}. Its {call} must give pairs of (train, held_out) row positions."
            ) from error


def _custom_fold(pair: Any, number: int, n_rows: int) -> Fold:
    where = f"Fold {number} of the splitter"
    try:
        train, held_out = (_positions(rows, n_rows) for rows in pair)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} is not a pair of row positions (train, held_out): {error}.") from error
    for name, rows in (("train", train), ("held_out", held_out)):
        if not len(rows):
            raise InputError(f"{where} has no {name} rows.")
        if rows[0] < 0 or rows[-1] >= n_rows:
            raise InputError(
                f"{where} names row {rows[0] if rows[0] < 0 else rows[-1]}; df has rows 0 to {n_rows - 1}."
            )
    both = np.intersect1d(train, held_out, assume_unique=True)
    if len(both):
        raise InputError(
            f"{where} has {len(both)} rows in both train and held_out, the first is row {both[0]}."
        )
    return Fold(train, held_out)


def _positions(rows: Any, n_rows: int) -> IntArray:
    array = np.asarray(rows)
    if array.dtype == bool:
        if len(array) != n_rows:
            raise ValueError(f"a mask of {len(array)} rows for {n_rows}")
        return np.flatnonzero(array)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"positions are {array.dtype}, not integers")
    return np.unique(array).astype(np.intp)
