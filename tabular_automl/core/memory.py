"""How much memory there is for a fit."""

import os
from contextlib import suppress
from pathlib import Path

_GROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_limit() -> int | None:
    """Return the bytes this process may use: the machine's, or its container's if that allows less.

    It is what there is, not what is free at the moment, so that a run does not depend on its neighbours. None
    where the system does not say.
    """
    limits = [_group_limit(Path(path)) for path in _GROUP_LIMITS]
    with suppress(AttributeError, OSError, ValueError):  # Windows
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min((limit for limit in limits if limit is not None), default=None)


def _group_limit(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None  # "max" is no limit
