"""Optuna without its voice: a run speaks to its user through events alone."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# What Optuna logs to, and Alembic, whose level Optuna sets when it opens a database.
LOGGERS = ("optuna", "alembic")
_lock = threading.Lock()
_filters = threading.RLock()
_levels: list[tuple[int, ...]] = []
_n_inside = 0


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna from logging below errors; levels are as before when the last one of several leaves.

    Levels are set around calls and not once and for all: whoever uses Optuna beside us keeps its lines.
    """
    import optuna  # noqa: F401 - sets its level when it is loaded, which must have happened

    global _n_inside  # noqa: PLW0603 - loggers are shared by all threads, and so is who is inside
    with _lock:
        if not _n_inside:
            _levels.append(tuple(logging.getLogger(name).level for name in LOGGERS))
            for name in LOGGERS:
                logging.getLogger(name).setLevel(logging.ERROR)
        _n_inside += 1
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            if not _n_inside:
                for name, level in zip(LOGGERS, _levels.pop(), strict=True):
                    logging.getLogger(name).setLevel(level)


@contextmanager
def unwarned_optuna() -> Iterator[None]:
    """Keep Optuna from logging and from warning, as of what is experimental; one thread at a time.

    Filters of warnings are shared by all threads: of two that overlap, the first to leave would take them
    from the other, and the last would leave them behind.
    """
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Within: in a notebook without ipywidgets the first import warns, too (tqdm).
        with quiet_optuna():
            yield
