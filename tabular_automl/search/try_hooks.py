"""What a family says of itself, asked once before any fit: a learner of one's own may be wrong there."""

import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from tabular_automl.core.candidate import Params, Recipe, freeze_params
from tabular_automl.core.errors import InputError, UnsupportedProblemError
from tabular_automl.core.failure_text import reason_of
from tabular_automl.core.problem import ProblemShape
from tabular_automl.learners import Limits, Space, learner_for


def try_hooks(family: str, shape: ProblemShape, params: Params | None = None) -> None:
    """Ask a family all that a run plans by, as later it would end the run and not only the family.

    Parameters
    ----------
    family, shape
        Whom to ask, and of what problem.
    params
        Hyperparameters to ask about; None: the family's defaults.

    Raises
    ------
    UnsupportedProblemError
        If it cannot fit a problem of this shape.
    InputError
        If one of its hooks raises an error, or returns what cannot be planned by.
    """
    learner = learner_for(family)

    def asked(hook: str, *given: object, is_sound: Callable[[Any], bool]) -> Any:
        try:
            answer = getattr(learner, hook)(*given)
        except UnsupportedProblemError:
            raise
        except Exception as error:  # noqa: BLE001 - a third-party learner may fail in any way
            wrong = f"failed with {reason_of(error)}"
        else:
            if is_sound(answer):
                return answer
            wrong = f"returned {answer!r}"
        raise InputError(
            f"Learner family {family!r} cannot be used on this table: its {hook}() {wrong}. Mend it "
            "(tabular_automl.testing.learner_checks may help), or leave the family out."
        )

    asked("require", shape, is_sound=lambda answer: answer is None)
    asked("space", shape, is_sound=lambda answer: isinstance(answer, Space))
    defaults = asked("defaults", shape, is_sound=_are_params)
    params = freeze_params(dict(defaults)) if params is None else params
    asked("recipe", params, is_sound=lambda answer: isinstance(answer, Recipe))
    asked(
        "limits",
        shape,
        params,
        is_sound=lambda answer: isinstance(answer, Limits) and _is_amount(answer.max_rounds),
    )
    rounds = asked("expected_rounds", shape, params, is_sound=_is_amount)
    asked("cost", shape, params, rounds, is_sound=_is_amount)
    asked("progress", params, is_sound=lambda answer: _is_amount(answer) and answer > 0)
    asked("hasten", params, 2.0, is_sound=_are_params)


def _are_params(answer: object) -> bool:
    pairs = tuple(answer.items()) if isinstance(answer, Mapping) else answer
    return isinstance(pairs, tuple) and all(
        isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs
    )


def _is_amount(answer: object) -> bool:
    return isinstance(answer, Real) and 0 <= float(answer) < math.inf
