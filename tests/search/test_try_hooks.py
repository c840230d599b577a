"""What families say of themselves, asked before any fit."""

import sys
from typing import Any

import pytest

from tabular_automl.core.errors import InputError, UnsupportedProblemError
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import FAMILIES, Limits
from tabular_automl.search.try_hooks import try_hooks
from tabular_automl.testing import FakeLearner

SHAPE = ProblemShape(TaskKind.BINARY, 5_000, 10, 4, 1)
HOOKS = (
    "require", "space", "defaults", "recipe", "limits", "expected_rounds", "cost", "progress", "hasten",
)  # fmt: skip


class Own(FakeLearner):
    """A learner that a test spoils."""


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(sys.modules, "own_learner", sys.modules[__name__])
    return "own_learner:Own"


def spoil(hook: str, monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    """Let a hook give an answer, or raise it if it is an error."""

    def spoilt(*_: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    spoilt.__name__ = hook
    monkeypatch.setattr(Own, hook, spoilt)


@pytest.mark.parametrize("shipped", FAMILIES)
def test_shipped_families_pass(shipped: str) -> None:
    for task in TaskKind:
        for n_rows in (20, 1_000_000):
            try_hooks(shipped, ProblemShape(task, n_rows, 10, 4, 3 if task is TaskKind.MULTICLASS else 1))


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_that_raises_is_named_with_its_learner(
    hook: str, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    try_hooks(family, SHAPE)
    spoil(hook, monkeypatch, RuntimeError("no licence"))
    with pytest.raises(InputError, match=rf"'{family}' .* its {hook}\(\) failed with RuntimeError: no lic"):
        try_hooks(family, SHAPE)


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_error_without_a_text_is_told_by_its_type(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil("cost", monkeypatch, SpeechlessError())
    with pytest.raises(
        InputError, match=r"its cost\(\) failed with SpeechlessError: \(its text cannot be had\)"
    ):
        try_hooks(family, SHAPE)


@pytest.mark.parametrize(
    ("hook", "answer", "message"),
    [
        ("cost", float("nan"), "returned nan"),
        ("cost", -1.0, "returned -1.0"),
        ("cost", None, "returned None"),
        ("expected_rounds", float("inf"), "returned inf"),
        ("progress", 0.0, "returned 0.0"),
        ("limits", Limits(-1, None), r"returned Limits\(max_rounds=-1"),
        ("limits", (10, None), r"returned \(10, None\)"),
        ("space", None, "returned None"),
        ("defaults", None, "returned None"),
        ("recipe", "ordinal", "returned 'ordinal'"),
    ],
)
def test_an_answer_without_meaning_is_shown(
    hook: str, answer: object, message: str, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(hook, monkeypatch, answer)
    with pytest.raises(InputError, match=rf"its {hook}\(\) {message}.* leave the family out"):
        try_hooks(family, SHAPE)


def test_what_a_family_says_it_cannot_fit_is_no_fault(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil("require", monkeypatch, UnsupportedProblemError("not mine"))
    with pytest.raises(UnsupportedProblemError, match="not mine"):
        try_hooks(family, SHAPE)
