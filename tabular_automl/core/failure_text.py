"""What is kept of an exception's text: all of it, unless it is very long."""

import traceback

# Characters of a reason, which a person reads, and of a traceback.
MOST_OF_REASON = 2_000
MOST_OF_TRACEBACK = 20_000


def reason_of(error: BaseException) -> str:
    """Return an exception's type and text, or of one that fails to give a text its type.

    Examples
    --------
    >>> reason_of(ValueError("no rows")), reason_of(KeyError())
    ('ValueError: no rows', 'KeyError')
    >>> len(reason_of(ValueError("x" * 5_000_000))) < 2_100
    True
    """
    return _shortened(f"{type(error).__name__}: {_text_of(error)}".strip().rstrip(":"), MOST_OF_REASON)


def traceback_of(error: BaseException) -> str:
    """Return an exception's traceback."""
    return _shortened("".join(traceback.format_exception(error)), MOST_OF_TRACEBACK)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a third-party exception may fail at this as well
        return "(its text cannot be had)"


def _shortened(text: str, most: int) -> str:
    """Return a text without its middle: what it is about stands at either end."""
    left_out = len(text) - most
    if left_out <= 0:
        return text
    return f"{text[: most // 2]} ... ({left_out} characters left out) ... {text[-(most // 2) :]}"
