import importlib
import signal
import sys
import threading
import time

import pytest

from tabular_automl.crossfit import first_ctrl_c


def nothing():
    pass


@pytest.fixture
def handler():
    """Keeps what the caller's own handler was before."""
    before = signal.getsignal(signal.SIGINT)
    yield before
    signal.signal(signal.SIGINT, before)


def test_the_first_calls_and_the_second_interrupts(handler):
    calls = []
    with first_ctrl_c(lambda: calls.append("asked")):
        signal.raise_signal(signal.SIGINT)
        assert calls == ["asked"]
        with pytest.raises(KeyboardInterrupt, match=r"^$"):
            signal.raise_signal(signal.SIGINT)
    assert calls == ["asked"]


@pytest.mark.parametrize("ends", ["normally", "by an error"])
def test_a_persons_own_handler_is_set_again(handler, ends):
    def own(number, frame):
        pass

    signal.signal(signal.SIGINT, own)
    if ends == "normally":
        with first_ctrl_c(nothing):
            assert signal.getsignal(signal.SIGINT) is not own
    else:
        with pytest.raises(RuntimeError, match="told to"), first_ctrl_c(nothing):
            raise RuntimeError("told to")
    assert signal.getsignal(signal.SIGINT) is own


def test_the_second_goes_to_a_persons_own_handler_and_stops_even_if_that_returns(handler):
    seen = []
    signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    with first_ctrl_c(nothing):
        signal.raise_signal(signal.SIGINT)
        assert seen == []
        with pytest.raises(KeyboardInterrupt, match=r"^$"):
            signal.raise_signal(signal.SIGINT)
    assert seen == [signal.SIGINT]


def test_the_second_lets_an_import_finish(handler, tmp_path, monkeypatch):
    press = "import signal\nsignal.raise_signal(signal.SIGINT)\n"
    (tmp_path / "pressed_twice_meanwhile.py").write_text(
        f"{press}signal.raise_signal(signal.SIGINT)\nwhole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def import_and_wait():
        with first_ctrl_c(nothing):
            importlib.import_module("pressed_twice_meanwhile")
            time.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        import_and_wait()
    assert sys.modules.pop("pressed_twice_meanwhile").whole


def test_the_second_is_not_put_off_by_an_import_around(handler, tmp_path, monkeypatch):
    (tmp_path / "fits_when_imported.py").write_text(
        "import signal\n"
        "from tabular_automl.crossfit import first_ctrl_c\n"
        "with first_ctrl_c(lambda: None):\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    raise RuntimeError('went on')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        importlib.import_module("fits_when_imported")


def test_what_a_persons_own_handler_raises_is_what_comes(handler):
    def leave(number, frame):
        raise SystemExit("bye")

    signal.signal(signal.SIGINT, leave)
    with first_ctrl_c(nothing):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(SystemExit, match="bye"):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("other", [signal.SIG_IGN, signal.SIG_DFL])
def test_only_what_is_ignored_stays_ignored(handler, other):
    calls = []
    signal.signal(signal.SIGINT, other)
    with first_ctrl_c(lambda: calls.append("asked")):
        signal.raise_signal(signal.SIGINT)
    assert calls == ([] if other is signal.SIG_IGN else ["asked"])
    assert signal.getsignal(signal.SIGINT) is other


def test_handlers_stay_outside_the_main_thread(handler):
    found = []

    def run():
        with first_ctrl_c(nothing):
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [handler]
