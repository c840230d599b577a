"""What the command line may say about the search."""

import pytest

from tabular_automl.cli import main
from tabular_automl.cli.parser import build_parser
from tabular_automl.cli.search_arguments import read_search
from tabular_automl.core.search import Change, Search

FIT = ["fit", "train.csv", "--target", "y", "--out", "model"]


def said(*arguments: str) -> Search:
    return read_search(build_parser().parse_args([*FIT, *arguments]))


def test_nothing_said_is_the_default() -> None:
    assert said() == Search()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8:64", (8, 64)),
        ("1e-3:0.5", (1e-3, 0.5)),
        ("[4,8]", [4, 8]),
        ("[sqrt, 0.5]", ["sqrt", 0.5]),
        ("[True]", [True]),
        ("true", True),
        ("none", None),
        ("0.05", 0.05),
        ("Depthwise", "Depthwise"),
        ("8:x", "8:x"),
    ],
)
def test_a_change_is_a_range_options_or_a_value(text: str, expected: Change) -> None:
    (changes,) = said("--space", f"lightgbm.p={text}").spaces.values()
    assert changes == {"p": expected}
    assert type(changes["p"]) is type(expected)


def test_changes_and_families_add_up() -> None:
    spaces = ["--space", "lightgbm.a=1", "--space", "lightgbm.b=2", "--space", "my.package:Own.c=3"]
    search = said(*spaces, "--without", "catboost", "--without", "linear,xgboost")
    assert search.spaces == {"lightgbm": {"a": 1, "b": 2}, "my.package:Own": {"c": 3}}
    assert search.without == ("catboost", "linear", "xgboost")


@pytest.mark.parametrize("text", ["num_leaves=8:64", "lightgbm.num_leaves", "lightgbm.=8", "lightgbm.a="])
def test_a_change_of_another_form_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        build_parser().parse_args([*FIT, "--space", text])
    assert "is not of the form FAMILY.PARAMETER=LOW:HIGH" in capsys.readouterr().err


def test_a_change_without_meaning_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FIT, "--space", "lightgbm.num_leaves=64:8"]) == 2
    assert "from high to low; swap the two" in capsys.readouterr().err
