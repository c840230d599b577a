"""Shows what a run is doing: live in terminals and notebooks, else in lines; rich lives only here."""

from tabular_automl.progress.open_display import open_display, watched_live
from tabular_automl.progress.wording import printable

__all__ = ["open_display", "printable", "watched_live"]
