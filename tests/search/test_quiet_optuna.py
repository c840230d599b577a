"""Optuna without its voice, and with it again."""

import logging
import subprocess
import sys
import threading
import warnings

import optuna

from tabular_automl.search.quiet_optuna import LOGGERS, quiet_optuna, unwarned_optuna


def levels() -> list[int]:
    return [logging.getLogger(name).level for name in LOGGERS]


def test_levels_and_filters_are_set_back(capfd):
    before, filters = levels(), list(warnings.filters)
    with unwarned_optuna(), quiet_optuna():
        optuna.create_study()
        optuna.samplers.TPESampler(multivariate=True, group=True)
        logging.getLogger("alembic").setLevel(logging.WARNING)
    assert (levels(), warnings.filters) == (before, filters)
    assert capfd.readouterr().err == ""


def test_the_last_of_several_threads_sets_them_back():
    before = levels()
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with quiet_optuna():
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=other)
    with quiet_optuna():
        thread.start()
        assert entered.wait(30)
    assert levels() != before, "the other one still needs silence"
    leave.set()
    thread.join(30)
    assert levels() == before


def test_threads_that_overlap_leave_the_filters_of_warnings_as_they_were():
    filters = list(warnings.filters)
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with unwarned_optuna():
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=other)
    with unwarned_optuna():
        thread.start()
        entered.wait(0.2)  # in vain: the other one comes in when this one has left
    leave.set()
    thread.join(30)
    assert warnings.filters == filters


def test_optuna_speaks_to_its_other_users_as_ever():
    """Also where it is loaded in silence: it sets its level when it is loaded."""
    code = (
        "from tabular_automl.search.quiet_optuna import quiet_optuna\n"
        "with quiet_optuna():\n    import optuna; optuna.create_study(study_name='ours')\n"
        "optuna.create_study(study_name='theirs')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603
    assert "theirs" in done.stderr
    assert "ours" not in done.stderr
