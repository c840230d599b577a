"""The arguments of the command line, and a help that teaches."""

import argparse
import math
from typing import Literal

from tabular_automl import __version__
from tabular_automl.cli.search_arguments import add_search

_DESCRIPTION = """\
From a table to an ensemble you can trust.

  fit      learn to predict one column of a table, within a time you choose
  score    predict that column for new rows; files of any size
  report   show what a saved model is, and what to expect of it
  history  show what the runs of a run folder tried, also while one works in it
"""

_EXAMPLES = """\
a first walk:
  tabular-automl fit train.csv --target price --out price_model --time-limit 60
  tabular-automl score price_model new_rows.csv --out predictions.csv
  tabular-automl report price_model

exit codes:
  0 done   1 failed on good input (no fit succeeded, disk full, run folder in use, a bug)
  2 bad usage or bad input   3 damaged model   130 interrupted
"""

_FIT_EXAMPLES = """\
examples:
  Five minutes for a price, from a CSV file:
    tabular-automl fit train.csv --target price --out price_model --time-limit 300

  A class, judged by log-loss; every customer's rows stay in one fold:
    tabular-automl fit visits.parquet --target churned --metric log_loss --groups customer --out churn_model

  Rows in time, so that no fold looks into the future:
    tabular-automl fit sales.csv.gz --target units --time-column date --out sales_model

  The same model every time, on any machine speed:
    tabular-automl fit train.csv --target price --out price_model --max-candidates 10 --seed 7

  Small trees of one family, and none of another:
    tabular-automl fit train.csv --target price --out m --without xgboost --space catboost.depth=4:6

  Keep all fits, so that a run that was stopped goes on where it was:
    tabular-automl fit train.csv --target price --out price_model --run-dir price_run

Ctrl-C ends the search early and saves the best model so far; a second one gives up.
"""

_SCORE_EXAMPLES = """\
examples:
  Predict, and carry the key along to join by:
    tabular-automl score price_model new_rows.parquet --out predictions.parquet --keep id

  Probabilities of all classes beside the predicted one:
    tabular-automl score churn_model visits.csv --out churn.csv.gz --proba

  A nightly job that should fail when more than 5% of some column cannot be used:
    tabular-automl score price_model new_rows.csv --out predictions.csv --max-deviating-share 0.05

Columns are found by name: their order doesn't matter, further columns are ignored, missing ones are an error.
Categories not seen in training, text among numbers and the like count as missing and are listed at the end.
The output appears when it is complete, never in part.
"""

_REPORT_EXAMPLES = """\
examples:
  tabular-automl report price_model
  tabular-automl report price_model --out report.txt
"""


_HISTORY_EXAMPLES = """\
examples:
  What was tried so far, while the fit with --run-dir price_run still runs, or later:
    tabular-automl history price_run

  Every candidate with its hyperparameters, for a notebook:
    tabular-automl history price_run --show candidates --format csv --out candidates.csv

  Why candidates failed, with tracebacks:
    tabular-automl history price_run --show failures --format json

Nothing in the folder is changed. Times are UTC.
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``tabular-automl``."""
    parser = argparse.ArgumentParser(
        prog="tabular-automl",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.set_defaults(traceback=False)
    commands = parser.add_subparsers(dest="command", metavar="{fit,score,report,history}")
    _add_fit(_command(commands, "fit", "learn to predict one column of a table", _FIT_EXAMPLES))
    _add_score(_command(commands, "score", "predict for new rows, from file to file", _SCORE_EXAMPLES))
    _add_report(_command(commands, "report", "show what a saved model is", _REPORT_EXAMPLES))
    _add_history(_command(commands, "history", "show what the runs of a run folder tried", _HISTORY_EXAMPLES))
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str, examples: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--traceback", action="store_true", help="show where in the program an error arose")
    return command


def _add_fit(command: argparse.ArgumentParser) -> None:
    command.add_argument("train", help="the training table: .csv, .csv.gz or .parquet")
    command.add_argument("--target", required=True, metavar="COLUMN", help="the column to predict")
    command.add_argument("--out", required=True, metavar="FOLDER", help="where the model is saved")
    command.add_argument("--overwrite", action="store_true", help="replace a model saved there before")
    command.add_argument(
        "--time-limit",
        type=_time_limit,
        default="auto",
        metavar="SECONDS",
        help="until the model is there, everything included; none: no limit (default: 300, none with "
        "--max-candidates)",
    )
    command.add_argument(
        "--max-candidates",
        type=_positive,
        metavar="N",
        help="bound the run by counts instead: repeatable exactly",
    )
    _add_problem(command.add_argument_group("what to solve"))
    add_search(command.add_argument_group("how to search"))
    _add_running(command.add_argument_group("how to run"))


def _add_problem(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--task",
        choices=["classification", "binary", "multiclass", "regression"],
        help="default: inferred from the target",
    )
    group.add_argument(
        "--metric", metavar="NAME", help="what to be good at (default: roc_auc, log_loss or rmse, by task)"
    )
    group.add_argument("--weight", metavar="COLUMN", help="how much each row counts")
    group.add_argument("--groups", metavar="COLUMN", help="rows of equal value stay in one fold")
    group.add_argument("--time-column", metavar="COLUMN", help="the order in time; folds never look ahead")
    group.add_argument(
        "--folds",
        type=_positive,
        metavar="N",
        help="how many folds to validate on (default: by rows, up to 8)",
    )
    group.add_argument("--strict", action="store_true", help="stop on warnings about the data, too")
    group.add_argument(
        "--missing-target",
        choices=["error", "drop"],
        default="error",
        help="stop at rows without a target (default), or leave them out",
    )


def _add_running(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--n-jobs", type=int, default=-1, metavar="N", help="worker processes (default: all cores)"
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of all randomness (default: 0)")
    group.add_argument(
        "--run-dir", metavar="FOLDER", help="keep all fits there; a later run goes on from them"
    )
    group.add_argument(
        "--quiet", action="store_true", help="neither progress nor warnings; results are still printed"
    )


def _add_score(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", help="the folder that fit saved")
    command.add_argument("rows", help="the rows to score: .csv, .csv.gz or .parquet")
    command.add_argument(
        "--out", required=True, metavar="FILE", help="predictions: .csv, .csv.gz or .parquet"
    )
    command.add_argument("--proba", action="store_true", help="add the probability of each class")
    command.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="COLUMN",
        help="copy a column; may be given several times",
    )
    command.add_argument(
        "--chunk-rows",
        type=_positive,
        default=50_000,
        metavar="N",
        help="rows in memory at a time (default: 50000)",
    )
    command.add_argument(
        "--max-deviating-share",
        type=float,
        metavar="SHARE",
        help="fail when more of a column cannot be used (0 to 1)",
    )
    command.add_argument("--quiet", action="store_true", help="print nothing but errors")


def _add_report(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", help="the folder that fit saved")
    command.add_argument("--out", metavar="FILE", help="write the report to a text file instead")


def _add_history(command: argparse.ArgumentParser) -> None:
    command.add_argument("run_dir", metavar="RUN_DIR", help="the folder that fit --run-dir was given")
    command.add_argument(
        "--show",
        choices=["runs", "candidates", "folds", "curves", "failures", "events", "environment"],
        help="one table in full (default: an overview; with csv and json, candidates)",
    )
    command.add_argument(
        "--format",
        choices=["text", "csv", "json"],
        default="text",
        help="default: text, which leaves hyperparameters, settings and tracebacks out",
    )
    command.add_argument("--out", metavar="FILE", help="write to a file instead")


def _time_limit(text: str) -> float | Literal["auto"] | None:
    if text.lower() == "none":
        return None
    if text == "auto":
        return "auto"
    seconds = float(text)
    if not (seconds > 0 and math.isfinite(seconds)):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return seconds


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


# argparse names a type by its function in messages such as "invalid seconds value: 'soon'".
_time_limit.__name__, _positive.__name__ = "seconds", "whole number"
