"""Shows what a run is doing: live in terminals and notebooks, else in lines; rich lives only here."""

from tabular_automl.progress.open_display import open_display, watched_live

__all__ = ["open_display", "watched_live"]
