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
    told = capsys.readouterr().err
    assert "--space of lightgbm: " in told
    assert "from high to low; swap the two. The form is FAMILY.PARAMETER=LOW:HIGH" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--space", "lightgbm.a=1", "--space", "lightgbm.a=2"], "--space is given twice for lightgbm.a"),
        (["--most-candidates", "a=1", "--most-candidates", "a=2"], "--most-candidates is given twice for a"),
        (["--most-candidates", "a=1", "--without", "a"], "most_candidates speaks of 'a', which without"),
    ],
)
def test_what_is_said_twice_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*FIT, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_bounds_and_the_portfolio_can_be_said() -> None:
    search = said("--most-candidates", "linear=2", "--most-candidates", "catboost=1", "--no-portfolio")
    assert search.most_candidates == {"linear": 2, "catboost": 1}
    assert not search.portfolio


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linear", ("linear", {})),
        ("lightgbm:num_leaves=7,extra_trees=true", ("lightgbm", {"num_leaves": 7, "extra_trees": True})),
        ("my.package:Own", ("my.package:Own", {})),
        ("my.package:Own:a=sqrt", ("my.package:Own", {"a": "sqrt"})),
    ],
)
def test_a_candidate_is_a_family_with_values(text: str, expected: object) -> None:
    assert build_parser().parse_args([*FIT, "--candidate", text]).candidate == [expected]


@pytest.mark.parametrize("text", ["a=1", "lightgbm:a=1,a=2", "lightgbm:a=", "lightgbm:a=1,,b=2"])
def test_a_candidate_of_another_form_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        build_parser().parse_args([*FIT, "--candidate", text])
    assert "is not of the form FAMILY or FAMILY:NAME=VALUE" in capsys.readouterr().err
