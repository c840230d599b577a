"""A path as somebody gives it."""

import os
from contextlib import suppress
from pathlib import Path
from stat import S_ISLNK

from tabular_automl.core.errors import InputError


def given_path(path: str | os.PathLike[str], called: str) -> Path:
    """Return the absolute form of a path, without links; nothing need be there.

    Parameters
    ----------
    path
        What was given.
    called
        What messages call it.

    Raises
    ------
    InputError
        If nothing can have that path here.

    Examples
    --------
    >>> given_path("wine_run", "run_dir").is_absolute()
    True
    """
    try:
        if isinstance(path, str) and not path.strip():
            raise ValueError("it is empty")
        found = Path(path).expanduser().resolve()
        with suppress(OSError):  # whether it is there, and can be used, is another matter
            if S_ISLNK(found.lstat().st_mode):  # left by newer Pythons
                raise RuntimeError("its links lead in a circle")
    except (RuntimeError, TypeError, ValueError) as error:  # also nobody's home, or a character of no path
        shown = str(path) if isinstance(path, os.PathLike) else path
        raise InputError(
            f"{called} is {shown!r}, which is no path: {str(error).rstrip('.')}. Give one such as "
            "'results/wine'."
        ) from error
    return found
