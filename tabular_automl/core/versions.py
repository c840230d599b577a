"""Versions of installed libraries."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution; None where there is none of that name."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
