"""Preprocessing recipes with state that saves without pickle, and the parsing rules that ingest uses too."""

from tabular_automl.preprocessing.encoders import encoder_from_state, fit_encoder, recipe_version

__all__ = ["encoder_from_state", "fit_encoder", "recipe_version"]
