"""``tabular-automl score``: from a file of new rows to a file of predictions."""

import argparse

from tabular_automl.artifact import load_run
from tabular_automl.cli.show import show
from tabular_automl.core.schema import Deviation, SchemaReport
from tabular_automl.scoring import ScoreOptions, score_file

_MEANINGS = {
    "unseen_category": "rows with a category not seen in training",
    "unparseable": "rows that could not be read as the column's type",
    "infinite": "rows with an infinite value",
    "new_missing": "rows missing, none was in training",
    "changed_dtype": "rows of another type than in training, converted",
    "changed_zone": "rows whose times have gained or lost a time zone",
    "extra_column": "not in training, ignored",
}


def score_command(options: argparse.Namespace) -> None:
    """Score a file and print how well its rows fit the training schema."""
    run = load_run(options.model)
    told = ScoreOptions(options.chunk_rows, options.proba, tuple(options.keep), options.max_deviating_share)
    summary = score_file(run, options.rows, options.out, told)
    if options.quiet:
        return
    show(f"Scored {summary.n_rows} rows in {summary.seconds:.1f} s into {options.out}.")
    show(schema_report_text(summary.report))


def schema_report_text(report: SchemaReport) -> str:
    """Return a schema report as lines, the most frequent deviation first."""
    if not report.deviations:
        return "Schema: all rows fit what the model was trained on."
    ordered = sorted(report.deviations, key=lambda deviation: -deviation.n_rows)
    return "\n".join(["Schema: what differs from training:", *(_line(deviation) for deviation in ordered)])


def _line(deviation: Deviation) -> str:
    count = f"{deviation.n_rows} " if deviation.n_rows else ""
    meaning = _MEANINGS.get(deviation.what, deviation.what.replace("_", " "))
    examples = f" (such as {', '.join(map(repr, deviation.examples))})" if deviation.examples else ""
    return f"  {deviation.column}: {count}{meaning}{examples}"
