"""The extension point: one file a learner family, found by name through the registry."""

from tabular_automl.learners.base import Capabilities, Learner, Limits
from tabular_automl.learners.registry import FAMILIES, import_ahead, learner_for
from tabular_automl.learners.space import Choice, Float, Integer, Parameter, Space, When

__all__ = [
    "FAMILIES",
    "Capabilities",
    "Choice",
    "Float",
    "Integer",
    "Learner",
    "Limits",
    "Parameter",
    "Space",
    "When",
    "import_ahead",
    "learner_for",
]
