"""Weigh candidates: greedy selection, the honest score, comparisons with the baselines, predictions."""

from tabular_automl.ensemble.choose import Chosen, choose, longest_of_each
from tabular_automl.ensemble.greedy import greedy_selection
from tabular_automl.ensemble.kept_for_refits import kept_for_refits
from tabular_automl.ensemble.marginal_gain import marginal_gain
from tabular_automl.ensemble.predict import predict_ensemble
from tabular_automl.ensemble.weigh import Weighed, weigh

__all__ = [
    "Chosen",
    "Weighed",
    "choose",
    "greedy_selection",
    "kept_for_refits",
    "longest_of_each",
    "marginal_gain",
    "predict_ensemble",
    "weigh",
]
