"""Tells a terminal from any other stream."""


def is_terminal(stream: object) -> bool:
    """Return whether a stream is a terminal; None, a closed one and one that can only write are none.

    Examples
    --------
    >>> is_terminal(None)
    False
    """
    try:
        return bool(getattr(stream, "isatty", bool)())
    except ValueError:  # it is closed
        return False
