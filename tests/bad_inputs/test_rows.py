"""Every row of the list has its tests, every test its row."""

import ast
import re
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
    """A test that says which row it belongs to; ``texts``: its name, and all it says or uses."""

    name: str
    row: str
    stages: frozenset[str]
    module: Path
    texts: str


@cache
def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def functions_of(module: Path) -> Iterator[ast.FunctionDef]:
    tree = tree_of(module)
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
                    texts = [function.name.replace("_", " "), *texts_of(function, definitions_of(module))]
                    yield Covering(function.name, ast.literal_eval(row), named, module, "\n".join(texts))


@cache
def definitions_of(module: Path) -> dict[str, ast.stmt]:
    """The module's own constants, functions and fixtures, by name."""
    definitions: dict[str, ast.stmt] = {}
    for node in tree_of(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            definitions |= {target.id: node for target in targets if isinstance(target, ast.Name)}
    return definitions


def texts_of(start: ast.stmt, definitions: dict[str, ast.stmt]) -> Iterator[str]:
    """The constants of a test and of the definitions that it uses, directly or not."""
    waiting, seen = [start], {start}
    while waiting:
        for node in ast.walk(waiting.pop()):
            if isinstance(node, ast.Constant):
                yield str(node.value)
            name = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else ""
            used = definitions.get(name)
            if used is not None and used not in seen:
                seen.add(used)
                waiting.append(used)


def is_in(item: str, texts: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(item)}(?!\w)", texts) is not None


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_tested_wherever_it_must_be(name: str) -> None:
    tests = [covering for covering in coverings() if covering.row == name]
    assert {stage for covering in tests for stage in covering.stages} >= set(ROWS[name].stages)
    assert [item for item in ROWS[name].items if not any(is_in(item, test.texts) for test in tests)] == []


def test_an_item_counts_only_where_a_test_says_or_uses_it(tmp_path: Path) -> None:
    module = tmp_path / "test_made_up.py"
    module.write_text(
        '"""Zeros."""\nKINDS = {"inf": 1}\nOTHER = "NaN"\ndef test_it():\n    print(KINDS, "floats")\n'
    )
    (function,) = functions_of(module)
    texts = "\n".join(texts_of(function, definitions_of(module)))
    assert [item for item in ("inf", "Zeros", "NaN", "float") if is_in(item, texts)] == ["inf"]


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
