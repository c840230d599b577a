"""The command line: fit, score, report."""

from tabular_automl.cli.main import main

__all__ = ["main"]
