"""Conditional search spaces, as data: any tuner can read them, none is imported here."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, TypeGuard

import numpy as np

from tabular_automl.core.candidate import Params, Value, freeze_params
from tabular_automl.core.did_you_mean import did_you_mean
from tabular_automl.core.errors import InputError
from tabular_automl.core.search import Change, read_change, read_value

# Limits of what is a share of rows or columns: none of them cannot be learned from.
SHARE = (1e-6, 1.0)
NOT_NEGATIVE = (0, math.inf)
# Limits of steps: without any nothing is learned, and formulas divide by them.
POSITIVE = (1e-6, math.inf)
MOST_INTEGER = 2**31 - 1


@dataclass(frozen=True)
class When:
    """A parameter counts only where an earlier one has one of these values."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Float:
    """A real parameter in [low, high], on a logarithmic scale if ``log``.

    ``limits`` are the least and the greatest value that the learner takes at all; where they are not known,
    that is any number, on a logarithmic scale any above 0.
    """

    name: str
    low: float
    high: float
    log: bool = False
    when: When | None = None
    limits: tuple[float, float] | None = field(default=None, repr=False)

    def contains(self, value: Value) -> bool:
        """Return whether the value is a number within the bounds."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.low <= float(value or 0) <= self.high

    def sample(self, rng: np.random.Generator) -> Value:
        """Draw a value uniformly on the parameter's scale."""
        if not self.log:
            return float(rng.uniform(self.low, self.high))
        drawn = float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
        return min(max(drawn, self.low), self.high)

    def nearest(self, value: Value) -> Value:
        """Return the value, or the end of the range that is next to it; the middle for what is no number."""
        if not _is_number(value):
            return self.points(1)[0]
        return min(max(float(value), self.low), self.high)

    def points(self, most: int) -> tuple[float, ...]:
        """Return so many values, evenly spaced on the parameter's scale, ends included; one is the middle."""
        return tuple(min(max(point, self.low), self.high) for point in _spaced(self, most))


@dataclass(frozen=True)
class Integer:
    """A whole-number parameter in [low, high], on a logarithmic scale if ``log``; `limits` as in `Float`."""

    name: str
    low: int
    high: int
    log: bool = False
    when: When | None = None
    limits: tuple[float, float] | None = field(default=None, repr=False)

    def contains(self, value: Value) -> bool:
        """Return whether the value is a whole number within the bounds."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def sample(self, rng: np.random.Generator) -> Value:
        """Draw a value uniformly on the parameter's scale."""
        if not self.log:
            return int(rng.integers(self.low, self.high + 1))
        drawn = np.exp(rng.uniform(np.log(self.low - 0.5), np.log(self.high + 0.5)))
        return int(np.clip(round(float(drawn)), self.low, self.high))

    def nearest(self, value: Value) -> Value:
        """Return the value, or the end of the range that is next to it; the middle for what is no number."""
        if not _is_number(value):
            return self.points(1)[0]
        return min(max(round(value), self.low), self.high)

    def points(self, most: int) -> tuple[int, ...]:
        """Return at most so many values, evenly spaced on the parameter's scale, ends included."""
        return tuple(dict.fromkeys(round(point) for point in _spaced(self, most)))


@dataclass(frozen=True)
class Choice:
    """A parameter that takes one of a few values.

    A user may allow others in their place: numbers within ``limits``, as in `Float`, and texts among
    ``others``, which the learner takes but the space does not draw.
    """

    name: str
    options: tuple[Value, ...]
    when: When | None = None
    limits: tuple[float, float] | None = field(default=None, repr=False)
    others: tuple[str, ...] = field(default=(), repr=False)

    def contains(self, value: Value) -> bool:
        """Return whether the value is one of the options, of the same type."""
        return any(value == option and type(value) is type(option) for option in self.options)

    def sample(self, rng: np.random.Generator) -> Value:
        """Draw an option uniformly."""
        return self.options[int(rng.integers(len(self.options)))]

    def nearest(self, value: Value) -> Value:
        """Return the value if it is an option, the next number if both are numbers, else the first option."""
        if self.contains(value):
            return value
        numbers = [option for option in self.options if _is_number(option)]
        if not numbers or not _is_number(value):
            return self.options[0]
        return min(numbers, key=lambda option: abs(option - value))

    def points(self, most: int) -> tuple[Value, ...]:
        """Return all options: they have no order by which some could be left out."""
        del most
        return self.options


Parameter = Float | Integer | Choice


@dataclass(frozen=True)
class Space:
    """Parameters in order; a condition may only name an earlier one.

    >>> share = Float("share", 0.5, 1.0, when=When("bagging", (True,)))
    >>> space = Space((Choice("bagging", (True, False)), share))
    >>> space.contains((("bagging", False),)), space.contains((("bagging", True),))
    (True, False)
    """

    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        """Refuse repeated names and conditions on parameters that come later or don't exist."""
        seen: set[str] = set()
        for parameter in self.parameters:
            if parameter.name in seen:
                raise ValueError(
                    f"Parameter {parameter.name!r} is twice in the space. Give each its own name."
                )
            if parameter.when is not None and parameter.when.name not in seen:
                raise ValueError(
                    f"Parameter {parameter.name!r} depends on {parameter.when.name!r}: put that first."
                )
            seen.add(parameter.name)

    def active(self, params: Params) -> tuple[Parameter, ...]:
        """Return the parameters whose conditions hold for these values."""
        values = dict(params)
        active: list[Parameter] = []
        for parameter in self.parameters:
            names = {earlier.name for earlier in active}
            when = parameter.when
            if when is None or (when.name in names and values.get(when.name) in when.values):
                active.append(parameter)
        return tuple(active)

    def only(self, values: Mapping[str, Value]) -> Params:
        """Return the values of parameters that this space has."""
        names = {parameter.name for parameter in self.parameters}
        return freeze_params({name: value for name, value in values.items() if name in names})

    def contains(self, params: Params) -> bool:
        """Return whether every active parameter has a valid value; other parameters are left alone."""
        values = dict(params)
        return all(p.name in values and p.contains(values[p.name]) for p in self.active(params))

    def sample(self, rng: np.random.Generator) -> Params:
        """Draw values for the parameters that are active."""
        return self.filled(lambda parameter: parameter.sample(rng))

    def nearest(self, values: Mapping[str, Value]) -> Params:
        """Return the active parameters, each with its value or what is allowed next to it.

        What has no value yet gets the middle of its range, or its first option.
        """
        return self.filled(lambda parameter: parameter.nearest(values.get(parameter.name)))

    def filled(self, value_of: Callable[[Parameter], Value]) -> Params:
        """Return values for the parameters that are active, asked for one after the other."""
        values: dict[str, Value] = {}
        for parameter in self.parameters:
            when = parameter.when
            if when is None or (when.name in values and values[when.name] in when.values):
                values[parameter.name] = value_of(parameter)
        return freeze_params(values)

    def changed(self, changes: Mapping[str, Change]) -> "Space":
        """Return the space with other ranges, options or fixed values; scales and conditions are kept.

        A tuple (low, high) is a range, a list gives the options, any other value is the only option.

        Raises
        ------
        InputError
            If there is no such parameter, or a change does not suit it.

        Examples
        --------
        >>> Space((Integer("depth", 1, 12),)).changed({"depth": (2, 16)}).parameters
        (Integer(name='depth', low=2, high=16, log=False, when=None),)
        """
        known = [parameter.name for parameter in self.parameters]
        for name in changes:
            if name not in known:
                hint = did_you_mean(name, known)
                raise InputError(
                    f"There is no hyperparameter {name!r} to tune on this table.{hint} "
                    f"There are: {', '.join(sorted(known)) or 'none'}."
                )
        return Space(
            tuple(
                _changed(parameter, read_change(parameter.name, changes[parameter.name]))
                if parameter.name in changes
                else parameter
                for parameter in self.parameters
            )
        )

    def suited(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return values in the types of their parameters; they may lie outside the ranges.

        What the space does not have is left as it is.

        Raises
        ------
        InputError
            If a value is not finite, or none that the learner takes.

        Examples
        --------
        >>> Space((Integer("depth", 1, 12, limits=(1, 30)),)).suited({"depth": 20.0})
        {'depth': 20}
        """
        parameters = {parameter.name: parameter for parameter in self.parameters}
        plain = {name: read_value(name, value) for name, value in values.items()}
        return {
            name: _suited(parameters[name], value) if name in parameters else value
            for name, value in plain.items()
        }


def _changed(parameter: Parameter, change: Change) -> Parameter:
    if isinstance(change, list):
        options = tuple(_suited(parameter, option) for option in change)
        return Choice(parameter.name, options, parameter.when)
    if not isinstance(change, tuple):
        return Choice(parameter.name, (_suited(parameter, change),), parameter.when)
    if isinstance(parameter, Choice):
        raise InputError(
            f"Hyperparameter {parameter.name!r} has options, not a range {change!r}. "
            f"Give a list, such as {list(parameter.options)!r}."
        )
    if change[0] == change[1]:
        return _changed(parameter, change[0])
    if parameter.log and change[0] <= 0:
        raise InputError(
            f"The range of {parameter.name!r} is {change!r}, but its scale is logarithmic: begin above 0."
        )
    low, high = (_suited(parameter, end) for end in change)
    return replace(parameter, low=low, high=high)


def _suited(parameter: Parameter, value: Value) -> Any:
    """Return the value in the parameter's own type."""
    if isinstance(parameter, Choice):
        return _suited_option(parameter, value)
    if not _is_number(value):
        _refuse(parameter, value, "a number")
    if parameter.limits is None and parameter.log and value <= 0:
        _refuse(parameter, value, "a number above 0")
    _check_limits(parameter, value)
    if isinstance(parameter, Float):
        return float(value)
    if value != round(value):
        _refuse(parameter, value, "a whole number")
    return round(value)


def _suited_option(parameter: Choice, value: Value) -> Value:
    types = {type(option) for option in parameter.options}
    if type(value) is int and int not in types and float in types:
        value = float(value)
    known = (*parameter.options, *parameter.others)
    is_unknown_text = isinstance(value, str) and value not in known
    if type(value) not in types or is_unknown_text:
        _refuse(parameter, value, f"one {'of' if is_unknown_text else 'like'} {', '.join(map(repr, known))}")
    if _is_number(value):
        _check_limits(parameter, value)
    return value


def _check_limits(parameter: Parameter, value: float) -> None:
    least, most = parameter.limits or (-math.inf, math.inf)
    if not least <= value <= most:
        _refuse(parameter, value, f"values from {least:,g} {'up' if most == math.inf else f'to {most:,}'}")


def _refuse(parameter: Parameter, value: Value, wanted: str) -> NoReturn:
    raise InputError(f"Hyperparameter {parameter.name!r} cannot be {value!r}; give {wanted}.")


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _spaced(parameter: Float | Integer, most: int) -> list[float]:
    low, high = float(parameter.low), float(parameter.high)
    if most == 1:
        return [math.sqrt(low * high) if parameter.log else (low + high) / 2]
    spaced = np.geomspace(low, high, most) if parameter.log else np.linspace(low, high, most)
    return [float(point) for point in spaced]
