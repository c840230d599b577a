import os
import subprocess
import sys
from pathlib import Path

import pytest

from tabular_automl.core.memory import bytes_in_memory, held_memory, is_in_memory, memory_limit


def test_it_is_no_more_than_the_machine_has() -> None:
    limit = memory_limit()
    assert limit is None or 2**20 < limit < 2**50


@pytest.mark.parametrize(("text", "expected"), [("4096\n", 4096), ("max\n", None)])
def test_a_container_may_allow_less(tmp_path: Path, text: str, expected: int | None) -> None:
    machine = memory_limit(tmp_path)
    own = tmp_path / "proc" / "self"
    own.mkdir(parents=True)
    (own / "cgroup").write_text("0::/box\n", encoding="ascii")
    (own / "mountinfo").write_text("30 20 0:26 / /groups rw - cgroup2 cgroup2 rw\n", encoding="ascii")
    (tmp_path / "groups" / "box").mkdir(parents=True)
    (tmp_path / "groups" / "box" / "memory.max").write_text(text, encoding="ascii")
    assert memory_limit(tmp_path) == (expected if expected is not None else machine)


def test_it_may_be_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr("os.sysconf", fail)
    assert memory_limit(tmp_path) is None


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the system does not say what processes hold"
)
def test_a_process_holds_what_it_allocates_and_not_what_it_maps(tmp_path: Path) -> None:
    size = 64 * 2**20
    (tmp_path / "file").write_bytes(bytes(size))
    code = (
        "import mmap, sys\n"
        "def step():\n    print(flush=True); sys.stdin.readline()\n"
        "step(); file = open(sys.argv[1], 'rb')\n"
        "mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
        "read = sum(mapped[::4096]); step(); held = bytearray(b'x') * len(mapped); step()"
    )
    with subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", code, str(tmp_path / "file")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        held = []
        for _ in range(3):
            child.stdout.readline()
            held.append(held_memory(child.pid) or 0)
            child.stdin.write(b"\n")
            child.stdin.flush()
    start, mapped, allocated = held
    assert mapped - start < size / 2
    assert allocated - mapped > 0.9 * size


def test_what_a_process_holds_may_be_unknown(tmp_path: Path) -> None:
    assert held_memory(os.getpid(), tmp_path) is None
    (tmp_path / "proc" / "1").mkdir(parents=True)
    (tmp_path / "proc" / "1" / "status").write_text("Name:\tinit\nVmRSS:\t 10 kB\n", encoding="ascii")
    assert held_memory(1, tmp_path) is None


def test_pages_shared_with_others_are_not_held(tmp_path: Path) -> None:
    (tmp_path / "proc" / "7").mkdir(parents=True)
    status = "RssAnon:\t 10 kB\nRssFile:\t 50 kB\nRssShmem:\t 900 kB\n"
    (tmp_path / "proc" / "7" / "status").write_text(status, encoding="ascii")
    assert held_memory(7, tmp_path) == 10 * 1024


def test_files_in_memory_take_their_size_of_it_once(tmp_path: Path) -> None:
    disk, fast = tmp_path / "a disk", tmp_path / "a disk" / "fast one"
    (fast / "below").mkdir(parents=True)
    (fast / "below" / "matrix").write_bytes(bytes(5_000))
    (fast / "model").write_bytes(bytes(70))
    assert bytes_in_memory(fast, tmp_path) == 0  # the system does not say
    mounts = tmp_path / "proc" / "self" / "mountinfo"
    mounts.parent.mkdir(parents=True)
    escaped = str(fast.resolve()).replace(" ", "\\040")
    lines = ["21 1 0:19 / / rw - ext4 /dev/sda1 rw", f"22 21 0:20 / {escaped} rw shared:1 - tmpfs tmpfs rw"]
    mounts.write_text("\n".join(lines), encoding="utf-8")
    assert bytes_in_memory(fast, tmp_path) == 5_070
    assert bytes_in_memory(fast / "below", tmp_path) == 5_000
    assert bytes_in_memory(disk, tmp_path) == 0
    assert (is_in_memory(fast, tmp_path), is_in_memory(disk, tmp_path)) == (True, False)
    assert bytes_in_memory(fast / "gone", tmp_path) == 0
