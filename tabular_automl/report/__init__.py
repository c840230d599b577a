"""What a person reads about a run: the leaderboard and the summary in text."""

from tabular_automl.report.leaderboard import leaderboard
from tabular_automl.report.text import TextReport, text_report

__all__ = ["TextReport", "leaderboard", "text_report"]
