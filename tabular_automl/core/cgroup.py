"""What the control groups of this process allow: the limits that containers and batch systems set.

Groups form trees. In version 2 one tree limits everything, in version 1 each controller has its own, and a
machine may mix both. A process is held to the limits of its own group and of every group above it.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

SYSTEM = Path("/")
# Version 1 says "no limit" by the largest multiple of a page below 2**63.
_NO_LIMIT = 2**60


def group_cores(system: Path = SYSTEM) -> float | None:
    """Return how many cores' time this process may take, 1.5 for one and a half; None without a limit.

    What cannot be read or understood sets no limit. ``system`` is the root of the file system.
    """
    quotas = [_quota(group) for group in _groups("cpu", system)]
    return min((quota for quota in quotas if quota is not None), default=None)


def group_memory(system: Path = SYSTEM) -> int | None:
    """Return the bytes beyond which the kernel ends processes of this one's group; None without a limit.

    What cannot be read or understood sets no limit. ``system`` is the root of the file system.
    """
    limits = [_bytes(group) for group in _groups("memory", system)]
    return min((limit for limit in limits if limit is not None), default=None)


def group_oom_kills(system: Path = SYSTEM) -> int | None:
    """Return how many processes of this one's own group the kernel has ended for memory; None if unknown.

    ``system`` is the root of the file system, as in `group_memory`.
    """
    counts = [_oom_kills(group) for group in _groups("memory", system)]
    # The own group comes last: neighbours count in those above it.
    return next((count for count in reversed(counts) if count is not None), None)


class _Mount(NamedTuple):
    """A mounted tree of groups: which of its groups is mounted where, and what it controls.

    ``controllers`` is empty for version 2, whose one tree has them all.
    """

    root: PurePosixPath
    point: PurePosixPath
    controllers: frozenset[str]


def _groups(controller: str, system: Path) -> Iterator[Path]:
    """Yield the folders of this process's own group and those above it, as far as they are mounted."""
    paths, mounted = _own_paths(system), _mounts(system)
    for mounts, path in (
        ([mount for mount in mounted if controller in mount.controllers], paths.get(controller)),
        ([mount for mount in mounted if not mount.controllers], paths.get("")),
    ):
        # A tree may be mounted several times, also other people's branches of it.
        own = [mount for mount in mounts if path is not None and path.is_relative_to(mount.root)]
        for mount in own or mounts:
            folder = system / mount.point.relative_to("/")
            # A container may see its group's path from outside: then what is mounted is its group.
            below = path.relative_to(mount.root).parts if own and path is not None else ()
            yield folder
            for place in range(len(below)):
                yield folder.joinpath(*below[: place + 1])


def _own_paths(system: Path) -> dict[str, PurePosixPath]:
    """Return the path of this process's group by controller; that of version 2 by the empty name."""
    paths: dict[str, PurePosixPath] = {}
    for line in _text(system / "proc/self/cgroup").splitlines():
        _, found, rest = line.partition(":")
        controllers, separator, path = rest.partition(":")
        if found and separator and path.startswith("/"):
            paths |= dict.fromkeys(controllers.split(","), PurePosixPath(path))
    return paths


def _mounts(system: Path) -> list[_Mount]:
    mounts = []
    for line in _text(system / "proc/self/mountinfo").splitlines():
        mounted, found, source = line.partition(" - cgroup")
        fields, origin = mounted.split(), f"cgroup{source}".split()
        if not found or len(fields) < 5 or not fields[4].startswith("/"):
            continue
        root, point = (PurePosixPath(unescaped(field)) for field in fields[3:5])
        if origin[0] == "cgroup2":
            mounts.append(_Mount(root, point, frozenset()))
        elif origin[0] == "cgroup":
            mounts.append(_Mount(root, point, frozenset(origin[-1].split(","))))
    return mounts


def unescaped(field: str) -> str:
    """Return a path of ``mountinfo``, which writes blanks as octal codes."""
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), field)


def _quota(group: Path) -> float | None:
    words = _text(group / "cpu.max").split()
    if not words:
        files = (group / "cpu.cfs_quota_us", group / "cpu.cfs_period_us")
        words = [_text(file).strip() for file in files]
    # Without a limit the quota reads "max" or -1.
    if len(words) == 2 and all(word.isdecimal() and int(word) > 0 for word in words):
        return int(words[0]) / int(words[1])
    return None


def _bytes(group: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        text = _text(group / name).strip()
        if text.isdecimal() and 0 < int(text) < _NO_LIMIT:
            return int(text)
    return None


def _oom_kills(group: Path) -> int | None:
    for name in ("memory.events", "memory.oom_control"):
        for line in _text(group / name).splitlines():
            key, _, count = line.partition(" ")
            if key == "oom_kill" and count.isdecimal():
                return int(count)
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
