"""Every row of the list has its tests, every test its row."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_input_rows import FIT, PREDICT, ROWS, covers  # type: ignore[import-not-found]
from front_door import small_table, unchanged  # type: ignore[import-not-found]

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Covering:
    """A test that says which row it belongs to."""

    name: str
    row: str
    stages: frozenset[str]
    module: Path


def functions_of(module: Path) -> Iterator[ast.FunctionDef]:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return (
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


@cache
def coverings() -> tuple[Covering, ...]:
    return tuple(_coverings())


def _coverings() -> Iterator[Covering]:
    for module in sorted(HERE.glob("test_*.py")):
        for function in functions_of(module):
            for call in function.decorator_list:
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "covers":
                    row, *stages = (ast.unparse(argument) for argument in call.args)
                    named = frozenset(stage.lower() for stage in stages)
                    yield Covering(function.name, ast.literal_eval(row), named, module)


@cache
def texts_of(module: Path) -> str:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return "\n".join(str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant))


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_tested_wherever_it_must_be(name: str) -> None:
    tests = [covering for covering in coverings() if covering.row == name]
    assert {stage for covering in tests for stage in covering.stages} >= set(ROWS[name].stages)
    texts = "\n".join(texts_of(module) for module in {covering.module for covering in tests})
    assert [item for item in ROWS[name].items if item not in texts] == []


def test_every_test_belongs_to_a_row() -> None:
    covering = {(test.module, test.name) for test in coverings()}
    modules = [module for module in sorted(HERE.glob("test_*.py")) if module.name != "test_rows.py"]
    assert modules
    for module in modules:
        names = {function.name for function in functions_of(module)}
        assert {name for name in names if (module, name) not in covering} == set(), module.name


@covers("the caller's frame", FIT, PREDICT)
@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.iloc.__setitem__((0, 0), -1.0),
        lambda frame: frame.insert(0, "new", 1),
        lambda frame: setattr(frame, "columns", ["Size", *frame.columns[1:]]),
        lambda frame: frame.__setitem__("rooms", frame["rooms"].astype(float)),
        lambda frame: setattr(frame.index, "name", "row"),
        lambda frame: frame.attrs.__setitem__("mark", 1),
    ],
    ids=["cell", "column", "name", "type", "index", "attribute"],
)
def test_a_changed_frame_would_be_noticed(change) -> None:
    frame = small_table()
    with pytest.raises(AssertionError, match="changed"), unchanged(frame):
        change(frame)


@covers("the caller's frame", FIT, PREDICT)
def test_a_frame_that_lets_nobody_write_is_enough(door) -> None:
    """A "changed frame" is impossible where its arrays are read-only."""
    frame = small_table().astype({"city": object, "label": object})
    for name in frame.columns:
        frame[name].to_numpy().flags.writeable = False
    model = door.fit(frame)
    assert np.isfinite(door.numbers(model, frame)).all()
    pd.testing.assert_frame_equal(frame, small_table().astype({"city": object, "label": object}))
