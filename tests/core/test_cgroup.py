"""Limits of control groups, on file systems made up as kernels and container engines show them."""

from pathlib import Path

import pytest

from tabular_automl.core import budget
from tabular_automl.core.budget import available_cores
from tabular_automl.core.cgroup import group_cores, group_memory, group_oom_kills

GB = 2**30
V1_NONE = "9223372036854771712"
V2_MOUNT = "30 20 0:26 {root} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1_CPU = "31 20 0:27 {root} /sys/fs/cgroup/cpu,cpuacct rw shared:5 - cgroup cgroup rw,cpu,cpuacct"
V1_MEMORY = "32 20 0:28 {root} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"


def system(tmp_path: Path, groups: list[str], mounts: list[str], files: dict[str, str]) -> Path:
    """Make a file system; ``files`` are below its ``/sys/fs/cgroup``."""
    own = tmp_path / "proc" / "self"
    own.mkdir(parents=True)
    (own / "cgroup").write_text("".join(f"{line}\n" for line in groups))
    disk = "20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"
    (own / "mountinfo").write_text("".join(f"{line}\n" for line in [disk, *mounts]))
    for name, text in files.items():
        path = tmp_path / "sys" / "fs" / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return tmp_path


def limits(root: Path) -> tuple[float | None, int | None]:
    return group_cores(root), group_memory(root)


def test_version_2_in_a_container_with_a_name_space_of_its_own(tmp_path):
    files = {"cpu.max": "150000 100000", "memory.max": str(2 * GB), "memory.high": str(GB)}
    root = system(tmp_path, ["0::/"], [V2_MOUNT.format(root="/")], files)
    assert limits(root) == (1.5, 2 * GB)


def test_version_1_in_a_container_that_sees_its_path_from_outside(tmp_path):
    files = {
        "cpu,cpuacct/cpu.cfs_quota_us": "250000",
        "cpu,cpuacct/cpu.cfs_period_us": "100000",
        "memory/memory.limit_in_bytes": str(3 * GB),
    }
    groups = ["4:memory:/docker/abc", "3:cpu,cpuacct:/docker/abc", "1:name=systemd:/docker/abc", "0::/"]
    mounts = [V1_CPU.format(root="/docker/abc"), V1_MEMORY.format(root="/docker/abc")]
    assert limits(system(tmp_path, groups, mounts, files)) == (2.5, 3 * GB)


def test_a_path_that_is_not_below_the_mount_leaves_the_mounts_own_group(tmp_path):
    files = {"cpu.max": "200000 100000", "memory.max": str(GB)}
    for number, path in enumerate(("/kubepods/pod1/abc", "/../../other")):
        mount = V2_MOUNT.format(root="/" if number == 0 else "/kubepods/pod2")
        root = system(tmp_path / str(number), [f"0::{path}"], [mount], files)
        assert limits(root) == (2.0, GB)


def test_every_group_above_limits_as_well(tmp_path):
    files = {
        "user.slice/cpu.max": "100000 100000",
        "user.slice/memory.max": "max",
        "user.slice/job 1/cpu.max": "max 100000",
        "user.slice/job 1/memory.max": str(4 * GB),
        "user.slice/job 1/step/cpu.max": "400000 100000",
        "user.slice/job 1/step/memory.max": str(6 * GB),
        "user.slice/other/cpu.max": "1000 100000",
        "user.slice/other/memory.max": "4096",
    }
    root = system(tmp_path, ["0::/user.slice/job 1/step"], [V2_MOUNT.format(root="/")], files)
    assert limits(root) == (1.0, 4 * GB)


def test_a_machine_may_mix_both_versions(tmp_path):
    unified = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw"
    files = {
        "memory/memory.limit_in_bytes": V1_NONE,
        "memory/batch/memory.limit_in_bytes": V1_NONE,
        "memory/batch/7/memory.limit_in_bytes": str(5 * GB),
        "unified/service/cpu.max": "300000 100000",
    }
    mounts = [V1_MEMORY.format(root="/"), unified]
    root = system(tmp_path, ["4:memory:/batch/7", "0::/service"], mounts, files)
    assert limits(root) == (3.0, 5 * GB)


def test_a_mount_that_holds_the_own_group_counts_and_somebody_elses_does_not(tmp_path):
    elsewhere = V2_MOUNT.format(root="/machine/guest").replace("/sys/fs/cgroup", "/sys/fs/cgroup/guest")
    files = {"own/memory.max": str(GB), "guest/memory.max": "4096"}
    root = system(tmp_path, ["0::/own"], [elsewhere, V2_MOUNT.format(root="/")], files)
    assert limits(root) == (None, GB)


def test_a_mount_point_may_have_a_blank(tmp_path):
    mount = V2_MOUNT.format(root="/").replace("/sys/fs/cgroup", r"/sys/fs/cgroup/my\040groups")
    assert limits(system(tmp_path, ["0::/"], [mount], {"my groups/memory.max": str(GB)})) == (None, GB)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"cpu.max": "max 100000", "memory.max": "max"},
        {"cpu.max": "", "memory.max": ""},
        {"cpu.max": "0 0", "memory.max": "0"},
        {"cpu.max": "many 100000", "memory.max": "-5"},
        {"cpu.max": "100000", "memory.max": "1.5e9"},
        {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000", "memory.limit_in_bytes": V1_NONE},
        {"cpu.cfs_quota_us": "100000", "memory.limit_in_bytes": "none"},
    ],
)
def test_no_limit_and_what_is_malformed_are_no_limit(tmp_path, files):
    assert limits(system(tmp_path, ["0::/"], [V2_MOUNT.format(root="/")], files)) == (None, None)


@pytest.mark.parametrize("broken", ["cgroup", "mountinfo"])
def test_malformed_lines_are_passed_over(tmp_path, broken):
    root = system(tmp_path, ["0::/"], [V2_MOUNT.format(root="/")], {"memory.max": str(GB)})
    path = root / "proc" / "self" / broken
    path.write_text("\nnonsense\n1:2\n3 - cgroup\n4 5 6 7 8 - cgroup2\n\x00\n" + path.read_text())
    assert limits(root) == (None, GB)


def test_files_that_cannot_be_read_set_no_limit(tmp_path):
    root = system(tmp_path, ["0::/a"], [V2_MOUNT.format(root="/")], {"memory.max": str(GB)})
    # A folder in place of a file: reading it fails for every user, root too.
    (root / "sys/fs/cgroup/a/memory.max").mkdir(parents=True)
    (root / "sys/fs/cgroup/a/cpu.max").mkdir()
    assert limits(root) == (None, GB)


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert limits(tmp_path) == (None, None)
    assert limits(system(tmp_path, [], [], {})) == (None, None)


@pytest.mark.parametrize(
    ("quota", "expected"), [(None, 3), (0.2, 1), (1.0, 1), (1.01, 2), (2.5, 3), (64.0, 3)]
)
def test_cores_are_the_quota_rounded_up_and_never_more_than_are_bound(monkeypatch, quota, expected):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 2, 5}, raising=False)
    monkeypatch.setattr(budget, "group_cores", lambda: quota)
    assert available_cores() == expected


def test_this_machine_answers_sensibly():
    cores, memory = limits(Path("/"))
    assert cores is None or 0 < cores < 10_000
    assert memory is None or 2**20 < memory < 2**50
    assert available_cores() >= 1


def test_processes_ended_for_memory_are_counted_in_the_own_group_alone(tmp_path):
    of_all = "low 0\nhigh 0\nmax 12\noom 9\noom_kill 9\noom_group_kill 0"
    files = {"memory.events": of_all, "box/memory.events": "max 3\noom 1\noom_kill 2"}
    root = system(tmp_path / "v2", ["0::/box"], [V2_MOUNT.format(root="/")], files)
    assert group_oom_kills(root) == 2
    files = {"memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 5"}
    root = system(tmp_path / "v1", ["4:memory:/"], [V1_MEMORY.format(root="/")], files)
    assert group_oom_kills(root) == 5


def test_processes_ended_for_memory_may_be_unknown(tmp_path):
    assert group_oom_kills(tmp_path) is None
    files = {"memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0"}  # as kernels before 4.13 have it
    assert group_oom_kills(system(tmp_path, ["4:memory:/"], [V1_MEMORY.format(root="/")], files)) is None
