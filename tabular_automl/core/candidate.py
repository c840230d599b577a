"""Unfitted models: what is tried."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from tabular_automl.core.digest import Json, digest_json

Value = str | int | float | bool | None
Params = tuple[tuple[str, Value], ...]


def freeze_params(params: Mapping[str, Value | np.generic]) -> Params:
    """Return hyperparameters as a tuple sorted by name, numpy's scalars as plain values."""
    return tuple(sorted((name, _plain(value)) for name, value in params.items()))


def _plain(value: Value | np.generic) -> Value:
    plain: Value = value.item() if isinstance(value, np.generic) else value
    return plain


@dataclass(frozen=True)
class Recipe:
    """How a canonical table becomes the matrix a learner is fed: a transformer's name and its settings."""

    name: str
    params: Params = ()

    @cached_property
    def key(self) -> str:
        """Short content hash, also the name of the encoded matrix in the run store."""
        return digest_json([self.name, self.params])[:16]


class Origin(StrEnum):
    """Who proposed a candidate."""

    BASELINE = "baseline"
    DEFAULT = "default"
    PORTFOLIO = "portfolio"
    TUNED = "tuned"
    USER = "user"
    STACKED = "stacked"


@dataclass(frozen=True)
class Candidate:
    """A learner family with its hyperparameters and preprocessing recipe; hashable and unfitted.

    Attributes
    ----------
    family
        Name of a shipped learner (``lightgbm``), or ``package.module:Class`` for one of your own.
    params
        Hyperparameters, sorted by name (`freeze_params`).
    recipe
        The preprocessing that feeds it.
    origin
        Who proposed it; not part of its identity.
    level
        1 for models on the table itself, 2 and up for stacked models.
    parents
        Keys of the candidates whose out-of-fold predictions a stacked model reads.
    label
        What the leaderboard calls it; not part of its identity.
    hastened
        Whether its steps were made bigger for want of time; its hyperparameters say so, too.
    """

    family: str
    params: Params
    recipe: Recipe
    origin: Origin = Origin.DEFAULT
    level: int = 1
    parents: tuple[str, ...] = ()
    label: str = ""
    hastened: bool = False

    def describe(self) -> dict[str, Json]:
        """Return what identifies it, as JSON."""
        return {
            "family": self.family,
            "params": dict(self.params),
            "recipe": [self.recipe.name, dict(self.recipe.params)],
            "level": self.level,
            "parents": list(self.parents),
        }

    @cached_property
    def key(self) -> str:
        """Content hash of family, hyperparameters, recipe, level and parents."""
        return digest_json(self.describe())[:16]

    @property
    def name(self) -> str:
        """Readable and unique in a run, such as ``lightgbm/default`` or ``lightgbm/3f2a``."""
        return f"{self.family}/{self.label or self.key[:6]}"
