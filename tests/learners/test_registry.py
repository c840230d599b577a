"""Families by name."""

import subprocess
import sys

import pytest

from tabular_automl.core.errors import InputError
from tabular_automl.learners import FAMILIES, import_ahead, learner_for
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
        (":", "':' cannot be imported: ValueError: Empty module name. Name it as 'package.module:Class'"),
        (".own:Own", r"'\.own:Own' cannot be imported: TypeError"),
        ("tabular_automl.learners:Learner", "'tabular_automl.learners:Learner' cannot be made: TypeError"),
    ],
)
def test_what_is_wrong_is_said(family, message):
    with pytest.raises(InputError, match=message):
        learner_for(family)


def test_a_module_that_fails_on_import_is_said_to(tmp_path, monkeypatch):
    (tmp_path / "fails_on_import.py").write_text("1 / 0", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        InputError, match="'fails_on_import:Own' cannot be imported: ZeroDivisionError: division"
    ):
        learner_for("fails_on_import:Own")


PLANNING = """
import sys
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import FAMILIES, import_ahead, learner_for

shape = ProblemShape(TaskKind.BINARY, 1_000, 5, 2, 1)
late = set()
for family in FAMILIES:
    learner = learner_for(family)
    learner.require(shape)
    params = learner.defaults(shape)
    learner.space(shape), learner.recipe(params), learner.limits(shape, params)
    learner.cost(shape, params, learner.expected_rounds(shape, params))
    late.update(learner.late_imports)
found = late & set(sys.modules)
"""


def test_whoever_plans_imports_no_library_of_a_learner():
    code = f"{PLANNING}sys.exit(f'imported: {{found}}' if found or not late else 0)"
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own interpreter


def test_ahead_all_of_them_are_imported():
    code = f"{PLANNING}[import_ahead(one) for one in FAMILIES]; sys.exit(not late <= set(sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own interpreter


class OfNoLibrary(FakeLearner):
    """Its library is not installed."""

    late_imports = ("no_such_library.inner",)


def test_a_family_whose_library_is_not_installed_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "of_no_library", sys.modules[__name__])
    with pytest.raises(InputError, match=r"cannot be imported: No module named 'no_such_library.inner'"):
        learner_for("of_no_library:OfNoLibrary")
    import_ahead("of_no_library:OfNoLibrary")  # says nothing: the family itself will
