import argparse
import shlex

import pytest

from tabular_automl.cli import parser as room
from tabular_automl.cli.parser import build_parser
from tabular_automl.core.options import TASK_NAMES

TEXTS = (room._EXAMPLES, room._FIT_EXAMPLES, room._SCORE_EXAMPLES, room._REPORT_EXAMPLES)
EXAMPLES = [line.strip() for text in TEXTS for line in text.splitlines() if "  tabular-automl" in line]


@pytest.mark.parametrize("line", EXAMPLES)
def test_the_examples_in_the_help_parse(line: str) -> None:
    program, *arguments = shlex.split(line)
    assert program == "tabular-automl"
    assert build_parser().parse_args(arguments).command in {"fit", "score", "report"}


def test_every_option_says_what_it_is() -> None:
    commands = next(
        action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    for command in commands.choices.values():
        assert all(action.help for action in command._actions)


@pytest.mark.parametrize("task", TASK_NAMES)
def test_every_task_may_be_named(task: str) -> None:
    arguments = ["fit", "train.csv", "--target", "y", "--out", "model", "--task", task]
    assert build_parser().parse_args(arguments).task == task
