"""A space as Optuna asks for it: parameter by parameter, those that are not active left out."""

from typing import TYPE_CHECKING

from tabular_automl.core.candidate import Params, Value
from tabular_automl.learners import Choice, Float, Integer, Parameter, Space

if TYPE_CHECKING:
    from optuna import Trial


def suggest(space: Space, trial: "Trial") -> Params:
    """Return what a trial suggests for the parameters that are active."""
    return space.filled(lambda parameter: _suggested(parameter, trial))


def _suggested(parameter: Parameter, trial: "Trial") -> Value:
    match parameter:
        case Float(name, low, high, log):
            return trial.suggest_float(name, low, high, log=log)
        case Integer(name, low, high, log):
            return trial.suggest_int(name, low, high, log=log)
        case Choice(name, options):
            value: Value = trial.suggest_categorical(name, options)
            return value
