from pathlib import Path

import pytest

from tabular_automl.core import memory as room
from tabular_automl.core.memory import memory_limit


def test_it_is_no_more_than_the_machine_has() -> None:
    limit = memory_limit()
    assert limit is None or 2**20 < limit < 2**50


@pytest.mark.parametrize(("text", "expected"), [("4096\n", 4096), ("max\n", None)])
def test_a_container_may_allow_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: int | None
) -> None:
    (tmp_path / "memory.max").write_text(text, encoding="ascii")
    machine = memory_limit()
    monkeypatch.setattr(room, "_GROUP_LIMITS", (str(tmp_path / "memory.max"), str(tmp_path / "none")))
    assert memory_limit() == (expected if expected is not None else machine)


def test_it_may_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(room, "_GROUP_LIMITS", ())
    monkeypatch.setattr("os.sysconf", fail)
    assert memory_limit() is None
