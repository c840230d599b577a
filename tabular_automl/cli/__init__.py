"""The command line: fit, score, report, history."""

from tabular_automl.cli.main import main

__all__ = ["main"]
