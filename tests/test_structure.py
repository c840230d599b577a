"""Tests that guard how the code is built: sizes, names and the shape of the story."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = sorted((ROOT / "tabular_automl").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
MAX_STORY_LINES = 45
BANNED_NAMES = {"base_utils", "common", "helper", "helpers", "misc", "tools", "util", "utilities", "utils"}
BRANCHES = (
    ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.Match, ast.ListComp,
    ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip

Function = ast.FunctionDef | ast.AsyncFunctionDef

each_module = pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT)))
each_file = pytest.mark.parametrize("path", PACKAGE + TESTS, ids=lambda path: str(path.relative_to(ROOT)))


def functions(path: Path) -> Iterator[Function]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def body_without_docstring(function: Function) -> list[ast.stmt]:
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def body_lines(function: Function) -> int:
    """Lines from the first statement to the last; the docstring doesn't count."""
    body = body_without_docstring(function)
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@each_file
def test_file_is_within_500_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES


@each_file
def test_function_bodies_are_within_60_lines(path: Path) -> None:
    sizes = {function.name: body_lines(function) for function in functions(path)}
    assert {name: lines for name, lines in sizes.items() if lines > MAX_FUNCTION_LINES} == {}


@each_file
def test_name_says_what_is_inside(path: Path) -> None:
    parts = {part.strip("_") for part in path.relative_to(ROOT).with_suffix("").parts}
    assert parts.isdisjoint(BANNED_NAMES)
    assert not any(re.search(r"_part_?\d*$", part) for part in parts)


@each_module
def test_no_function_takes_keywords_it_does_not_name(path: Path) -> None:
    assert [function.name for function in functions(path) if function.args.kwarg is not None] == []


@pytest.fixture
def story() -> Function:
    """The body of `automl.fit`: the story of one fit, told top to bottom."""
    path = ROOT / "tabular_automl" / "automl.py"
    return next(function for function in functions(path) if function.name == "fit")


def test_the_story_is_short(story: Function) -> None:
    assert body_lines(story) < MAX_STORY_LINES


def test_the_story_has_no_branches(story: Function) -> None:
    nodes = [node for statement in body_without_docstring(story) for node in ast.walk(statement)]
    assert [(type(node).__name__, node.lineno) for node in nodes if isinstance(node, BRANCHES)] == []
