"""Learner families by name; a family's module is imported when it is asked for, its libraries even later."""

import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType

from tabular_automl.core.did_you_mean import did_you_mean
from tabular_automl.core.errors import InputError
from tabular_automl.core.failure_text import reason_of
from tabular_automl.learners.base import Learner

_SHIPPED = MappingProxyType(
    {
        "lightgbm": "tabular_automl.learners.lightgbm:LightGBM",
        "catboost": "tabular_automl.learners.catboost:CatBoost",
        "xgboost": "tabular_automl.learners.xgboost:XGBoost",
        "extra_trees": "tabular_automl.learners.extra_trees:ExtraTrees",
        "random_forest": "tabular_automl.learners.random_forest:RandomForest",
        "linear": "tabular_automl.learners.linear:Linear",
        "prior": "tabular_automl.learners.prior:Prior",
    }
)

FAMILIES: tuple[str, ...] = tuple(_SHIPPED)


def learner_for(family: str) -> Learner:
    """Return the learner of a shipped family, or of your own named ``package.module:Class``.

    Raises
    ------
    InputError
        If there is no such family, what the name leads to is not a `Learner` or cannot be imported or made,
        or a library of its is missing.

    Examples
    --------
    >>> learner_for("prior").family
    'prior'
    """
    path = _SHIPPED.get(family, family)
    module_name, colon, class_name = path.partition(":")
    if not colon:
        hint = did_you_mean(family, FAMILIES)
        raise InputError(
            f"There is no learner family {family!r}.{hint} Shipped: {', '.join(FAMILIES)}. "
            "Name one of your own as 'package.module:Class'."
        )
    try:
        found = getattr(import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"Learner family {family!r} cannot be imported: {error}. Is its package installed here?"
        ) from error
    except Exception as error:  # third-party code, or a name that is none, as in ":Class"
        raise InputError(
            f"Learner family {family!r} cannot be imported: {reason_of(error)}. Name it as "
            "'package.module:Class', and see whether that module can be imported by itself."
        ) from error
    if not (isinstance(found, type) and issubclass(found, Learner)):
        raise InputError(
            f"Learner family {family!r} is {found!r}, not a subclass of Learner. Derive it from that."
        )
    if missing := [name for name in found.late_imports if not _is_installed(name.partition(".")[0])]:
        raise InputError(
            f"Learner family {family!r} cannot be imported: No module named {missing[0]!r}. Is its package "
            "installed here?"
        )
    try:
        return found()
    except Exception as error:  # third-party code
        raise InputError(
            f"Learner family {family!r} cannot be made: {reason_of(error)}. A learner is made "
            "without arguments, and has all methods that Learner demands."
        ) from error


def import_ahead(family: str) -> None:
    """Import what fits and models of a family need, before anybody waits for it; again it costs nothing.

    A family that cannot be imported says so when it is used.
    """
    with suppress(Exception):
        for name in learner_for(family).late_imports:
            import_module(name)


@cache
def _is_installed(module: str) -> bool:
    return module in sys.modules or find_spec(module) is not None
