"""What the command line may say about the search."""

import argparse
import json
from typing import cast

from tabular_automl.core.candidate import Value
from tabular_automl.core.search import PRUNERS, SAMPLERS, Change, Search

_SPACE_FORM = "FAMILY.PARAMETER=LOW:HIGH, =[A,B] or =VALUE"


def add_search(group: "argparse._ArgumentGroup") -> None:
    """Add the arguments of the search."""
    group.add_argument(
        "--sampler", choices=SAMPLERS, default=SAMPLERS[0], help="who proposes candidates (default: tpe)"
    )
    group.add_argument(
        "--pruner",
        choices=PRUNERS,
        default=PRUNERS[0],
        help="who leaves candidates that do badly on the first folds (default: wilcoxon)",
    )
    group.add_argument(
        "--without",
        action="extend",
        type=_names,
        default=[],
        metavar="FAMILY",
        help="a learner family not to fit; may be given several times",
    )
    group.add_argument(
        "--space",
        action="append",
        type=_change,
        default=[],
        metavar="CHANGE",
        help=f"a range, options or a value of a hyperparameter, as {_SPACE_FORM}; may be given several times",
    )


def read_search(options: argparse.Namespace) -> Search:
    """Return what was said about the search.

    Raises
    ------
    InputError
        If anything of it has no meaning.
    """
    spaces: dict[str, dict[str, Change]] = {}
    for family, name, change in cast("list[tuple[str, str, Change]]", options.space):
        spaces.setdefault(family, {})[name] = change
    return Search(options.sampler, options.pruner, spaces, options.without)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _change(text: str) -> tuple[str, str, Change]:
    """Read ``lightgbm.num_leaves=8:64``; a family of one's own has dots of its own."""
    names, equals, change = text.partition("=")
    family, dot, name = names.strip().rpartition(".")
    if not (equals and dot and family and name and change.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form {_SPACE_FORM}")
    return family, name, _read(change.strip())


def _read(text: str) -> Change:
    if text.startswith("[") and text.endswith("]"):
        return [_value(option.strip()) for option in text[1:-1].split(",") if option.strip()]
    low, colon, high = text.partition(":")
    ends = _value(low), _value(high)
    if colon and all(isinstance(end, int | float) for end in ends):
        return cast("tuple[float, float]", ends)
    return _value(text)


def _value(text: str) -> Value:
    """Return a number, true, false or null as JSON writes them; anything else is a text."""
    try:
        value = json.loads(text.lower() if text.lower() in {"true", "false", "none", "null"} else text)
    except ValueError:
        return None if text.lower() == "none" else text
    return value if isinstance(value, str | int | float | bool | None) else text
