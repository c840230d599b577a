"""AutoML for tables: one call turns a table into a final ensemble and says honestly how good it is.

>>> import tabular_automl as ta
>>> model = ta.fit(df, target="price", time_limit=300)  # doctest: +SKIP
>>> model.predict(new_df)  # doctest: +SKIP

Importing this package does nothing and loads nothing: what is named here is imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tabular_automl.automl import Model as Model
    from tabular_automl.automl import fit as fit
    from tabular_automl.automl import history as history
    from tabular_automl.automl import load as load
    from tabular_automl.core.candidate import Candidate as Candidate
    from tabular_automl.core.errors import ArtifactError as ArtifactError
    from tabular_automl.core.errors import InputError as InputError
    from tabular_automl.core.errors import SchemaError as SchemaError
    from tabular_automl.core.errors import StoreError as StoreError
    from tabular_automl.core.errors import TabularAutoMLError as TabularAutoMLError
    from tabular_automl.core.errors import WriteError as WriteError
    from tabular_automl.core.search import Search as Search
    from tabular_automl.estimators import TabularClassifier as TabularClassifier
    from tabular_automl.estimators import TabularRegressor as TabularRegressor

__version__ = "0.1.0"

__all__ = [
    "ArtifactError",
    "Candidate",
    "InputError",
    "Model",
    "SchemaError",
    "Search",
    "StoreError",
    "TabularAutoMLError",
    "TabularClassifier",
    "TabularRegressor",
    "WriteError",
    "__version__",
    "fit",
    "history",
    "load",
]

_HOME = {
    "ArtifactError": "tabular_automl.core.errors",
    "Candidate": "tabular_automl.core.candidate",
    "InputError": "tabular_automl.core.errors",
    "Model": "tabular_automl.automl",
    "SchemaError": "tabular_automl.core.errors",
    "Search": "tabular_automl.core.search",
    "StoreError": "tabular_automl.core.errors",
    "TabularAutoMLError": "tabular_automl.core.errors",
    "TabularClassifier": "tabular_automl.estimators",
    "TabularRegressor": "tabular_automl.estimators",
    "WriteError": "tabular_automl.core.errors",
    "fit": "tabular_automl.automl",
    "history": "tabular_automl.automl",
    "load": "tabular_automl.automl",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    if name not in _HOME:
        offered = ", ".join(__all__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}. It offers: {offered}.")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
