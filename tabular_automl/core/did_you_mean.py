"""The known name that somebody may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return a sentence that names what is nearest, to follow another one; nothing where nothing is near.

    >>> did_you_mean("lightgbn", ["catboost", "lightgbm"]), did_you_mean("cow", ["catboost"])
    (" Did you mean 'lightgbm'?", '')
    """
    near = get_close_matches(str(name), list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
