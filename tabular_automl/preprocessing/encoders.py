"""Recipes by name: how a canonical table becomes the matrix a learner is fed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from tabular_automl.core.candidate import Recipe
from tabular_automl.core.errors import InputError
from tabular_automl.core.fitting import Encoder, FeatureSpec, FloatArray
from tabular_automl.core.state import State
from tabular_automl.core.table import Table
from tabular_automl.preprocessing.linear import LinearEncoder
from tabular_automl.preprocessing.ordinal import OrdinalEncoder


def fit_encoder(recipe: Recipe, table: Table) -> Encoder:
    """Fit a recipe on the features of all training rows; the target is never seen.

    Raises
    ------
    InputError
        If there is no recipe of that name; names the ones there are.
    """
    return _kind_of(recipe).fit(recipe, table)


def encoder_from_state(recipe: Recipe, state: State) -> Encoder:
    """Return the encoder whose `Encoder.state` this is."""
    return _kind_of(recipe).from_state(recipe, state)


def recipe_version(name: str) -> int:
    """Return the code version of a recipe; it changes whenever the same table may give another matrix."""
    return _kind_of(Recipe(name)).version


@dataclass(frozen=True)
class NoneEncoder:
    """Look at no column: one column of zeros, as a matrix without columns cannot be memory-mapped."""

    features: FeatureSpec = field(default_factory=lambda: FeatureSpec(("none",)))

    def transform(self, table: Table) -> FloatArray:
        """Return zeros, shape (n_rows, 1)."""
        return np.zeros((table.n_rows, 1))

    def state(self) -> State:
        """Return the empty state."""
        return State()


@dataclass(frozen=True)
class _RecipeKind:
    version: int
    fit: Callable[[Recipe, Table], Encoder]
    from_state: Callable[[Recipe, State], Encoder]


_KINDS = MappingProxyType(
    {
        "none": _RecipeKind(1, lambda _recipe, _table: NoneEncoder(), lambda _recipe, _state: NoneEncoder()),
        "ordinal": _RecipeKind(1, OrdinalEncoder.fit, OrdinalEncoder.from_state),
        "linear": _RecipeKind(2, LinearEncoder.fit, LinearEncoder.from_state),
    }
)


def _kind_of(recipe: Recipe) -> _RecipeKind:
    if recipe.name not in _KINDS:
        raise InputError(
            f"There is no preprocessing recipe {recipe.name!r}. Known recipes: {', '.join(_KINDS)}."
        )
    return _KINDS[recipe.name]
