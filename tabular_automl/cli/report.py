"""``tabular-automl report``: what a saved model is, as text."""

import argparse

from tabular_automl.artifact import check_parent, load_run
from tabular_automl.cli.show import show
from tabular_automl.core.errors import WriteError
from tabular_automl.report import text_report


def report_command(options: argparse.Namespace) -> None:
    """Print the report of a saved model, or write it to a file."""
    # Asked first: loading a large model takes a while.
    path = None if options.out is None else check_parent(options.out)
    text = str(text_report(load_run(options.model)))
    if path is None:
        show(text)
        return
    try:
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise WriteError(f"Cannot write '{path}': {error.strerror}. Choose another path.") from error
    show(f"Report written to {options.out}.")
