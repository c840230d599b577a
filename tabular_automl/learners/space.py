"""Conditional search spaces, as data: any tuner can read them, none is imported here."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tabular_automl.core.candidate import Params, Value, freeze_params


@dataclass(frozen=True)
class When:
    """A parameter counts only where an earlier one has one of these values."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Float:
    """A real parameter in [low, high], on a logarithmic scale if ``log``."""

    name: str
    low: float
    high: float
    log: bool = False
    when: When | None = None

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


@dataclass(frozen=True)
class Integer:
    """A whole-number parameter in [low, high], on a logarithmic scale if ``log``."""

    name: str
    low: int
    high: int
    log: bool = False
    when: When | None = None

    def contains(self, value: Value) -> bool:
        """Return whether the value is a whole number within the bounds."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def sample(self, rng: np.random.Generator) -> Value:
        """Draw a value uniformly on the parameter's scale."""
        if not self.log:
            return int(rng.integers(self.low, self.high + 1))
        drawn = np.exp(rng.uniform(np.log(self.low - 0.5), np.log(self.high + 0.5)))
        return int(np.clip(round(float(drawn)), self.low, self.high))


@dataclass(frozen=True)
class Choice:
    """A parameter that takes one of a few values."""

    name: str
    options: tuple[Value, ...]
    when: When | None = None

    def contains(self, value: Value) -> bool:
        """Return whether the value is one of the options, of the same type."""
        return any(value == option and type(value) is type(option) for option in self.options)

    def sample(self, rng: np.random.Generator) -> Value:
        """Draw an option uniformly."""
        return self.options[int(rng.integers(len(self.options)))]


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
        values: dict[str, Value] = {}
        drawn: set[str] = set()
        for parameter in self.parameters:
            when = parameter.when
            if when is None or (when.name in drawn and values[when.name] in when.values):
                values[parameter.name] = parameter.sample(rng)
                drawn.add(parameter.name)
        return freeze_params(values)
