"""How much memory there is, and what processes hold of it."""

import os
from contextlib import suppress
from pathlib import Path

from tabular_automl.core.cgroup import SYSTEM, group_memory


def memory_limit(system: Path = SYSTEM) -> int | None:
    """Return the bytes this process may use: the machine's, or its container's if that allows less.

    It is what there is, not what is free at the moment, so that a run does not depend on its neighbours. None
    where the system does not say. ``system`` is the root of the file system, as in `group_memory`.
    """
    limits = [group_memory(system)]
    with suppress(AttributeError, OSError, ValueError):  # Windows
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min((limit for limit in limits if limit is not None), default=None)


def held_memory(process: int, system: Path = SYSTEM) -> int | None:
    """Return the bytes a process holds that the kernel cannot take back; None where the system does not say.

    Pages of files that it has mapped, as libraries and matrices are, do not count: there is one copy of them
    for all processes, and under pressure the kernel drops them.
    """
    try:
        text = (system / f"proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    sizes = {name: rest.split() for name, _, rest in (line.partition(":") for line in text.splitlines())}
    held = [sizes.get(name, [""])[0] for name in ("RssAnon", "RssShmem")]
    return sum(int(kilobytes) * 1024 for kilobytes in held) if all(map(str.isdecimal, held)) else None
