"""The thread that keeps a display up to date."""

import importlib
import threading

import numpy as np
import pandas as pd

import tabular_automl as ta
from tabular_automl.core.progress import Event, Status
from tabular_automl.progress import live
from tabular_automl.progress.live import Live

# The room's door gives the function of that name.
open_display = importlib.import_module("tabular_automl.progress.open_display")


class Recorded:
    """Notes what it is told, and on which thread."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.threads: set[int] = set()
        self.twice = threading.Event()

    def event(self, event: Event) -> None:
        self._note(event.message)

    def status(self, status: Status) -> None:
        self._note("status")
        if self.told.count("status") > 1:
            self.twice.set()

    def close(self) -> None:
        self._note("closed")

    def _note(self, what: str) -> None:
        self.told.append(what)
        self.threads.add(threading.get_ident())


def test_status_is_asked_for_again_and_again_though_nothing_happens() -> None:
    display = Recorded()
    with Live(display, lambda: Status("fit", 1.0)):
        assert display.twice.wait(60)
    assert display.threads.isdisjoint({threading.get_ident()})
    assert len(display.threads) == 1


def test_events_come_in_order_and_all_of_them_before_the_end() -> None:
    display = Recorded()
    with Live(display, lambda: Status("fit", 1.0)) as shown:
        for number in range(5):
            shown.event(Event("fit", str(number), 1.0))
    assert [told for told in display.told if told.isdigit()] == ["0", "1", "2", "3", "4"]
    assert display.told[-2:] == ["status", "closed"]


def test_a_screen_that_takes_nothing_holds_nothing_up(monkeypatch) -> None:
    """As a terminal after Ctrl-S."""
    monkeypatch.setattr(live, "CLOSE_SECONDS", 0.01)
    freed = threading.Event()

    class Stopped(Recorded):
        def status(self, status: Status) -> None:
            freed.wait(60)

    display = Stopped()
    with Live(display, lambda: Status("fit", 1.0)) as shown:
        shown.event(Event("fit", "unseen", 1.0))
    assert "closed" not in display.told
    freed.set()


def test_a_run_that_is_watched_comes_to_the_same_model(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 2)), columns=["x", "z"])
    frame["y"] = frame["x"] + rng.normal(size=60)
    display = Recorded()
    models = []
    for screen in (None, lambda: display):
        monkeypatch.setattr(open_display, "_screen", lambda screen=screen: screen)
        models.append(
            ta.fit(frame, "y", families=["linear"], max_candidates=1, n_jobs=1, splitter=2, progress=True)
        )
    assert display.told[-1] == "closed"
    assert display.told.count("status") > 1
    unwatched, watched = (model.predict(frame) for model in models)
    pd.testing.assert_series_equal(unwatched, watched, check_exact=True)
