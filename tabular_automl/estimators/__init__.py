"""The engine as scikit-learn estimators: `fit(X, y)` in, arrays out."""

from tabular_automl.estimators.classifier import TabularClassifier
from tabular_automl.estimators.regressor import TabularRegressor

__all__ = ["TabularClassifier", "TabularRegressor"]
