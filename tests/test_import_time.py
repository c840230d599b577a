"""`import tabular_automl` is quick because it loads next to nothing: modules are counted, not seconds."""

import json
import subprocess
import sys
from typing import Any

import pytest

ENGINES = ["catboost", "lightgbm", "optuna", "xgboost"]
HEAVY = [
    *ENGINES, "IPython", "joblib", "loky", "matplotlib", "multiprocessing", "narwhals", "numpy", "pandas",
    "plotly", "polars", "pyarrow", "rich", "scipy", "sklearn", "sqlite3",
]  # fmt: skip


def in_new_process(code: str) -> Any:
    """Run code that sets `answer` in a fresh interpreter and return the answer."""
    script = f"import json, sys\n{code}\nprint(json.dumps(answer))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def loaded(code: str, names: list[str]) -> list[str]:
    return in_new_process(f"{code}\nanswer = [name for name in {names!r} if name in sys.modules]")


def test_import_loads_nothing_heavy() -> None:
    assert loaded("import tabular_automl", HEAVY) == []


def test_import_loads_the_standard_library_and_itself_only() -> None:
    code = """
before = set(sys.modules)
import tabular_automl
tops = {name.split(".")[0] for name in set(sys.modules) - before}
answer = sorted(tops - sys.stdlib_module_names)
"""
    assert in_new_process(code) == ["tabular_automl"]


@pytest.mark.parametrize(
    "name",
    ["Candidate", "Model", "Search", "TabularClassifier", "TabularRegressor", "fit", "history", "load"],
)
def test_public_names_load_no_engine(name: str) -> None:
    assert loaded(f"import tabular_automl\ntabular_automl.{name}", [*ENGINES, "matplotlib", "plotly"]) == []


def test_a_fit_that_nobody_watches_loads_no_display() -> None:
    code = """
import pandas, tabular_automl
frame = pandas.DataFrame({"x": range(40), "y": [0, 1] * 20})
tabular_automl.fit(frame, "y", max_candidates=1, n_jobs=1, families=["linear"], splitter=2, progress=False)
"""
    assert loaded(code, ["rich", "IPython"]) == []


def test_import_has_no_side_effects() -> None:
    code = """
import logging, signal, threading, warnings

def world():
    root = logging.getLogger()
    return [
        repr(root.handlers), root.level, repr(warnings.filters), threading.active_count(),
        repr(signal.getsignal(signal.SIGINT)),
    ]

before = world()
import tabular_automl
answer = [before, world()]
"""
    before, after = in_new_process(code)
    assert before == after


def test_public_names_are_listed_and_unknown_names_explained() -> None:
    import tabular_automl as ta
    from tabular_automl.core import errors

    assert set(ta.__all__) <= set(dir(ta))
    assert all(getattr(ta, name) is not None for name in ta.__all__)
    # What docstrings name under "Raises".
    for name in ("ArtifactError", "InputError", "SchemaError", "StoreError", "WriteError"):
        assert getattr(ta, name) is getattr(errors, name)
    with pytest.raises(AttributeError, match=r"no attribute 'fitt'\. It offers: .*\bfit\b"):
        ta.fitt  # noqa: B018  # the access is what is tested
