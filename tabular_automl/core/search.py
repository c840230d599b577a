"""What the user may say about the search, as one frozen record."""

import math
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeGuard

import numpy as np

from tabular_automl.core.candidate import Value
from tabular_automl.core.did_you_mean import did_you_mean
from tabular_automl.core.digest import Json
from tabular_automl.core.errors import InputError

Sampler = Literal["tpe", "random", "grid"]
Pruner = Literal["wilcoxon", "halving", "hyperband", "none"]
# A range, options, or one value.
Change = tuple[float, float] | list[Value] | Value

SAMPLERS: tuple[Sampler, ...] = ("tpe", "random", "grid")
PRUNERS: tuple[Pruner, ...] = ("wilcoxon", "halving", "hyperband", "none")
_SPACES_EXAMPLE = "spaces={'lightgbm': {'num_leaves': (8, 64), 'extra_trees': [True], 'learning_rate': 0.05}}"


@dataclass(frozen=True)
class Search:
    """How candidates are searched for.

    Your own candidates (``candidates`` of `tabular_automl.fit`) are fitted first, whatever is said here, and
    the search starts from what came of them. Nothing of a record can be changed later, and it can be hashed.

    A fit ends with its time or number of candidates, or before, when the rows bear no more candidates or 40
    in a row brought nothing (see `tabular_automl.fit`). A run without either bound ends with the portfolio:
    nothing is tuned, so that ``sampler`` and ``pruner`` have no effect, which a warning says; with
    ``portfolio=False`` there is one candidate a family.

    Parameters
    ----------
    sampler
        Who proposes hyperparameters once the portfolio is behind: ``tpe`` (tree-structured Parzen estimators,
        which learn from the results so far), ``random``, or ``grid`` (a few points of each range, shuffled).
    pruner
        Who leaves a candidate that does badly on the first folds: ``wilcoxon`` (worse than the best of its
        family, fold by fold), ``halving`` (not in the best third of its family after so many folds),
        ``hyperband`` (halving, some candidates a fold later), or ``none``.
    spaces
        By family and hyperparameter what may be tried: a tuple ``(low, high)`` narrows or widens its range, a
        list gives the options, any other value fixes it. Defaults and rows of the portfolio are drawn to the
        nearest value allowed; your own candidates stay as you gave them. Of a family that is not fitted, as
        ``families`` of `tabular_automl.fit` does not name it, it is checked, but has no effect, and a warning
        says so.
    without
        Families that are not fitted; nothing else may be said of them.
    most_candidates
        By family, how many candidates it may have; your own count, but are always fitted. None: no bound.
    portfolio
        False: after the first candidate of each family nothing but what the sampler proposes.

    Raises
    ------
    InputError
        If anything of it has no meaning; whether families have such hyperparameters is checked when the table
        is known, before any model is fitted.

    Examples
    --------
    >>> Search(without=["catboost"], spaces={"lightgbm": {"num_leaves": (8, 64)}}).without
    ('catboost',)
    """

    sampler: Sampler = "tpe"
    pruner: Pruner = "wilcoxon"
    spaces: Mapping[str, Mapping[str, Change]] = field(default_factory=dict)
    without: Collection[str] = ()
    most_candidates: Mapping[str, int] | None = None
    portfolio: bool = True

    def __post_init__(self) -> None:
        """Check everything, and keep copies that a caller cannot change any more."""
        _check_name("sampler", self.sampler, SAMPLERS)
        _check_name("pruner", self.pruner, PRUNERS)
        if not isinstance(self.portfolio, bool | np.bool_):
            raise InputError(f"portfolio is {self.portfolio!r}; say True or False.")
        object.__setattr__(self, "spaces", _read_spaces(self.spaces))
        object.__setattr__(self, "without", _read_without(self.without))
        object.__setattr__(self, "most_candidates", _read_bounds(self.most_candidates))
        object.__setattr__(self, "portfolio", bool(self.portfolio))
        _check_without(self.without, {"spaces": self.spaces, "most_candidates": self.most_candidates or {}})

    def __hash__(self) -> int:
        """Return the same for equal records."""
        return hash((self.sampler, self.pruner, frozenset(self.spaces), self.without, self.portfolio))

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by what it was made of: read-only mappings can do neither."""
        spaces = {family: dict(changes) for family, changes in self.spaces.items()}
        bounds = None if self.most_candidates is None else dict(self.most_candidates)
        return Search, (self.sampler, self.pruner, spaces, self.without, bounds, self.portfolio)

    @property
    def named_families(self) -> tuple[str, ...]:
        """All families that it speaks of."""
        return tuple(dict.fromkeys([*self.without, *self.spaces, *(self.most_candidates or {})]))

    def bound(self, family: str) -> float:
        """Return how many candidates a family may have."""
        return (self.most_candidates or {}).get(family, math.inf)

    def describe(self) -> dict[str, Json]:
        """Return all of it as JSON; a range becomes its ends by name, options a list."""
        return {
            "sampler": self.sampler,
            "pruner": self.pruner,
            "spaces": {
                family: {name: _as_json(change) for name, change in changes.items()}
                for family, changes in self.spaces.items()
            },
            "without": list(self.without),
            "most_candidates": None if self.most_candidates is None else dict(self.most_candidates),
            "portfolio": self.portfolio,
        }


def read_change(name: str, change: Any) -> Change:
    """Return what is said of one hyperparameter, numpy's scalars as plain values.

    Raises
    ------
    InputError
        If a range is not two finite numbers in order, a list is empty or repeats a value, or a value is
        neither number, text, truth value nor None.
    """
    if isinstance(change, tuple):
        ends = [end for end in (read_value(name, end) for end in change) if _is_number(end)]
        if len(change) != 2 or len(ends) != 2:
            raise InputError(
                f"The range of {name!r} is {change!r}; give two numbers, such as (8, 64), or a list of "
                "options."
            )
        low, high = ends
        if low > high:
            raise InputError(f"The range of {name!r} is {change!r}, from high to low; swap the two.")
        return low, high
    if isinstance(change, list):
        options = [read_value(name, option) for option in change]
        if not options:
            raise InputError(f"The options of {name!r} are empty, so that nothing could be tried; name one.")
        for place, option in enumerate(options):
            if option in options[:place]:
                raise InputError(f"The options of {name!r} hold {option!r} twice; name each once.")
        return options
    return read_value(name, change)


def read_value(name: str, value: Any) -> Value:
    """Return a value of a hyperparameter, numpy's scalars as plain values.

    Raises
    ------
    InputError
        If it is neither a finite number, nor text, truth value or None.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    if not isinstance(plain, str | int | float | bool | None):
        raise InputError(
            f"{name!r} is set to {value!r}, a {type(value).__name__}; give a tuple (low, high), a list of "
            "options, or a number, a text, a truth value or None."
        )
    # A whole number beyond the largest float is as good as infinite.
    if isinstance(plain, int | float) and not abs(plain) <= sys.float_info.max:
        raise InputError(f"{name!r} is set to {plain!r}; give a finite number.")
    return plain


def _check_name(what: str, name: Any, known: tuple[str, ...]) -> None:
    if not isinstance(name, str) or name not in known:
        hint = did_you_mean(name, known)
        raise InputError(f"There is no {what} {name!r}.{hint} Use one of: {', '.join(known)}.")


def _read_spaces(spaces: Any) -> Mapping[str, Mapping[str, Change]]:
    way_out = f"Give hyperparameters by family, such as {_SPACES_EXAMPLE}."
    if not isinstance(spaces, Mapping):
        raise InputError(f"spaces is {spaces!r}. {way_out}")
    read: dict[str, Mapping[str, Change]] = {}
    for family, changes in spaces.items():
        if not isinstance(family, str):
            raise InputError(f"spaces names a family {family!r}. {way_out}")
        if not isinstance(changes, Mapping):
            raise InputError(f"spaces sets {family!r} to {changes!r}. {way_out}")
        if not changes:
            raise InputError(f"spaces says nothing of {family!r}. Leave it out, or name a hyperparameter.")
        for name in changes:
            if not isinstance(name, str):
                raise InputError(f"spaces names a hyperparameter {name!r} of {family}. {way_out}")
        read[family] = MappingProxyType({name: read_change(name, one) for name, one in changes.items()})
    return MappingProxyType(read)


def _read_without(without: Any) -> tuple[str, ...]:
    if isinstance(without, str | Mapping) or not isinstance(without, Collection):
        raise InputError(f"without is {without!r}; give a list, such as without=['catboost'].")
    strangers = [family for family in without if not isinstance(family, str)]
    if strangers:
        raise InputError(f"without holds {strangers[0]!r}; give names, such as without=['catboost'].")
    # A set has no order of its own, and the same search must be told by the same record.
    return tuple(sorted(without)) if isinstance(without, set | frozenset) else tuple(dict.fromkeys(without))


def _check_without(without: Collection[str], said: Mapping[str, Mapping[str, Any]]) -> None:
    for what, by_family in said.items():
        for family in by_family:
            if family in without:
                raise InputError(
                    f"{what} speaks of {family!r}, which without forbids. Leave out one of the two."
                )


def _read_bounds(bounds: Any) -> Mapping[str, int] | None:
    way_out = "Give whole numbers from 1 up by family, such as most_candidates={'catboost': 3}."
    if bounds is None:
        return None
    if not isinstance(bounds, Mapping):
        raise InputError(f"most_candidates is {bounds!r}. {way_out}")
    for family, bound in bounds.items():
        is_whole = isinstance(bound, int | np.integer) and not isinstance(bound, bool)
        if isinstance(family, str) and is_whole and bound == 0:
            raise InputError(f"most_candidates allows {family!r} none. Say without=[{family!r}] instead.")
        if not isinstance(family, str) or not is_whole or bound < 0:
            raise InputError(f"most_candidates sets {family!r} to {bound!r}. {way_out}")
    return MappingProxyType({family: int(bound) for family, bound in bounds.items()})


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_json(change: Change) -> Json:
    if isinstance(change, tuple):
        return {"low": change[0], "high": change[1]}
    return list(change) if isinstance(change, list) else change
