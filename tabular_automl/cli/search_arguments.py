"""What the command line may say about the search."""

import argparse
import json
from typing import cast

from tabular_automl.core.candidate import Value
from tabular_automl.core.errors import InputError
from tabular_automl.core.search import PRUNERS, SAMPLERS, Change, Search, read_change

_SPACE_FORM = "FAMILY.PARAMETER=LOW:HIGH, =[A,B] or =VALUE"
_CANDIDATE_FORM = "FAMILY or FAMILY:NAME=VALUE,..."
_BOUND_FORM = "FAMILY=N"


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
        "--no-portfolio",
        dest="portfolio",
        action="store_false",
        help="after the first candidate of each family nothing but what the sampler proposes",
    )
    group.add_argument(
        "--families",
        action="extend",
        type=_names,
        metavar="A,B",
        help="learner families to use, such as lightgbm,linear; may be given several times",
    )
    group.add_argument(
        "--without",
        action="extend",
        type=_names,
        default=[],
        metavar="A,B",
        help="learner families not to fit; may be given several times",
    )
    group.add_argument(
        "--most-candidates",
        action="append",
        type=_bound,
        default=[],
        metavar=_BOUND_FORM,
        help="how many candidates a family may have; may be given several times",
    )
    group.add_argument(
        "--candidate",
        action="append",
        type=_candidate,
        default=[],
        metavar="CANDIDATE",
        help=f"a candidate of your own, fitted first, as {_CANDIDATE_FORM}; may be given several times",
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
        if name in spaces.setdefault(family, {}):
            raise InputError(f"--space is given twice for {family}.{name}. Say it once, as {_SPACE_FORM}.")
        spaces[family][name] = change
        try:
            read_change(name, change)
        except InputError as error:
            raise InputError(f"--space of {family}: {error} The form is {_SPACE_FORM}.") from error
    bounds: dict[str, int] = {}
    for family, bound in cast("list[tuple[str, int]]", options.most_candidates):
        if family in bounds:
            raise InputError(f"--most-candidates is given twice for {family}. Say it once.")
        bounds[family] = bound
    return Search(options.sampler, options.pruner, spaces, options.without, bounds or None, options.portfolio)


def _bound(text: str) -> tuple[str, int]:
    family, _, number = (part.strip() for part in text.partition("="))
    if not (family and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form {_BOUND_FORM}")
    return family, int(number)


def _candidate(text: str) -> tuple[str, dict[str, Value]]:
    """Read ``lightgbm:num_leaves=7,extra_trees=true``; a family of one's own has a colon of its own."""
    head, equals, _ = text.partition("=")
    named = head.rpartition(":")[0] if equals else text
    family = named.strip()
    changes: dict[str, Value] = {}
    for part in text[len(named) + 1 :].split(",") if equals else ():
        name, is_set, value = (piece.strip() for piece in part.partition("="))
        if not (name and is_set and value) or name in changes:
            raise argparse.ArgumentTypeError(f"{text!r} is not of the form {_CANDIDATE_FORM}, each name once")
        changes[name] = _value(value)
    if not family:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form {_CANDIDATE_FORM}")
    return family, changes


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
