"""Search: baselines, the portfolio to start from, and the allocation of time."""

from tabular_automl.search.baselines import fit_baselines
from tabular_automl.search.first_wave import first_wave
from tabular_automl.search.grow import grow
from tabular_automl.search.portfolio import (
    PRIOR,
    allowed_families,
    check_families,
    default_candidate,
    static_portfolio,
)
from tabular_automl.search.recall import recall
from tabular_automl.search.repeat import repeat

__all__ = [
    "PRIOR",
    "allowed_families",
    "check_families",
    "default_candidate",
    "first_wave",
    "fit_baselines",
    "grow",
    "recall",
    "repeat",
    "static_portfolio",
]
