"""Weigh candidates: greedy selection, the honest score, comparisons with the baselines, predictions."""

from tabular_automl.ensemble.greedy import greedy_selection
from tabular_automl.ensemble.predict import predict_ensemble
from tabular_automl.ensemble.weigh import Weighed, weigh

__all__ = ["Weighed", "greedy_selection", "predict_ensemble", "weigh"]
