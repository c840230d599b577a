"""Families by name."""

import subprocess
import sys

import pytest

from tabular_automl.core.errors import InputError
from tabular_automl.learners import FAMILIES, learner_for
from tabular_automl.testing import FAKE_FAMILY, FakeLearner


@pytest.mark.parametrize("family", FAMILIES)
def test_shipped_families_are_found_by_name(family):
    assert learner_for(family).family == family


def test_a_family_of_your_own_is_imported():
    assert isinstance(learner_for(FAKE_FAMILY), FakeLearner)


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ("lightgmb", r"no learner family 'lightgmb'\. Did you mean 'lightgbm'\?"),
        ("no_such_package:Learner", "cannot be imported: No module named 'no_such_package'"),
        ("tabular_automl.testing:Nothing", "cannot be imported"),
        ("tabular_automl.testing:FakeClock", "not a subclass of Learner"),
    ],
)
def test_what_is_wrong_is_said(family, message):
    with pytest.raises(InputError, match=message):
        learner_for(family)


def test_no_booster_is_imported_before_it_is_asked_for():
    code = "import sys; from tabular_automl.learners import learner_for; learner_for('prior')"
    code += "; sys.exit('lightgbm' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own interpreter
