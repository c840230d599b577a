"""Every shipped family, and the fake one, keeps the contract of a learner."""

import pytest

from tabular_automl.learners import FAMILIES, learner_for
from tabular_automl.testing import FAKE_FAMILY, learner_checks


@pytest.mark.parametrize("family", [*FAMILIES, FAKE_FAMILY])
@pytest.mark.parametrize("check", learner_checks(), ids=lambda check: check.__name__)
def test_contract(check, family):
    check(learner_for(family))
