"""``tabular-automl report``: what a saved model is, as text."""

import argparse
from pathlib import Path

from tabular_automl.artifact import load_run
from tabular_automl.core.errors import InputError
from tabular_automl.report import text_report


def report_command(options: argparse.Namespace) -> None:
    """Print the report of a saved model, or write it to a file."""
    text = str(text_report(load_run(options.model)))
    if options.out is None:
        print(text)
        return
    path = Path(options.out)
    try:
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write '{path}': {error.strerror}. Choose another path.") from error
    print(f"Report written to {path}.")
