"""How much memory there is, and what processes hold of it."""

import os
from contextlib import suppress
from pathlib import Path

from tabular_automl.core.cgroup import SYSTEM, group_memory, unescaped

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


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
    """Return the bytes a process holds for itself alone; None where the system does not say.

    Pages of files that it has mapped, as libraries and matrices are, do not count: there is one copy of them
    for all processes, and under pressure the kernel drops them. Those of files that are in memory it cannot
    drop; they count once for all processes (`bytes_in_memory`).
    """
    try:
        text = (system / f"proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    sizes = {name: rest.split() for name, _, rest in (line.partition(":") for line in text.splitlines())}
    held = sizes.get("RssAnon", [""])[0]
    return int(held) * 1024 if held.isdecimal() else None


def bytes_in_memory(folder: Path, system: Path = SYSTEM) -> int:
    """Return the bytes of memory that a folder's files take for good: all of them on a tmpfs, else none."""
    if not is_in_memory(folder, system):
        return 0
    found = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # it may be gone by now
            found += path.stat().st_size if path.is_file() else 0
    return found


def is_in_memory(folder: Path, system: Path = SYSTEM) -> bool:
    """Return whether a folder lies on a file system that is kept in memory; False where that is unknown."""
    return _file_system(folder.resolve(), system) in _IN_MEMORY


def _file_system(folder: Path, system: Path) -> str:
    """Return the kind of file system at a folder; empty if the system does not say."""
    try:
        lines = (system / "proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    kinds: dict[Path, str] = {}
    for line in lines:
        mount, _, source = line.partition(" - ")
        fields = mount.split()
        if len(fields) > 4 and source:
            # Of several at one place the last one is seen.
            kinds[Path(unescaped(fields[4]))] = source.split()[0]
    return next((kinds[place] for place in (folder, *folder.parents) if place in kinds), "")
