"""Score a file of any size into another, chunk by chunk."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tabular_automl.core.errors import InputError, SchemaError
from tabular_automl.core.run import Run
from tabular_automl.core.schema import SchemaReport
from tabular_automl.ingest import read_chunks
from tabular_automl.scoring.check_deviating_share import check_deviating_share
from tabular_automl.scoring.score import ensemble_predictions, labels_of, probabilities_of
from tabular_automl.scoring.sink import PARQUET_ENDINGS, check_output, open_sink


@dataclass(frozen=True)
class ScoreOptions:
    """What `score_file` may be told.

    Attributes
    ----------
    chunk_rows
        Rows in memory at a time.
    proba
        Also write ``probability_<class>`` for every class.
    keep
        Columns of the source to copy in front of the predictions, such as a key to join by.
    max_deviating_share
        Fail, and write nothing, when in any column a larger share of cells is of no use to the model: see
        `check_deviating_share`.
    """

    chunk_rows: int = 50_000
    proba: bool = False
    keep: tuple[str, ...] = ()
    max_deviating_share: float | None = None


@dataclass(frozen=True)
class ScoreSummary:
    """What was scored, how long it took and how well the rows fit the training schema."""

    destination: Path
    n_rows: int
    seconds: float
    report: SchemaReport


def score_file(
    run: Run, source: str | Path, destination: str | Path, options: ScoreOptions | None = None
) -> ScoreSummary:
    """Score CSV (.gz) or Parquet into CSV (.gz) or Parquet, by the endings of the names.

    Memory does not grow with the file, and chunks cannot disagree on types: the schema stored with the model
    decides what each cell means. The destination is written beside its place and renamed: whole or
    absent.

    Returns
    -------
    ScoreSummary
        The destination has the kept columns and ``predicted_<target>``, in the order of the source's rows.

    Raises
    ------
    InputError
        If the source cannot be read, the destination's format is unknown, or an option makes no sense.
    SchemaError
        If columns are missing, or too many rows deviate (``max_deviating_share``).
    WriteError
        If the destination cannot be written.
    """
    options = options or ScoreOptions()
    # Wall time for the summary only: scoring has no budget.
    started = time.perf_counter()
    target = check_output(destination)
    _check(run, options, Path(source), target)
    report = SchemaReport(0)
    with open_sink(target, _source_types(Path(source), options.keep)) as sink:
        for chunk in read_chunks(source, options.chunk_rows):
            scored, part = _score_chunk(run, chunk, options)
            sink.write(scored)
            report = report + part
        check_deviating_share(report, options.max_deviating_share)
    return ScoreSummary(target, report.n_rows, time.perf_counter() - started, report)


def _check(run: Run, options: ScoreOptions, source: Path, target: Path) -> None:
    if options.chunk_rows < 1:
        raise InputError(f"chunk_rows is {options.chunk_rows}; it must be 1 or more.")
    check_deviating_share(SchemaReport(0), options.max_deviating_share)
    if options.proba and not run.task.kind.is_classification:
        raise InputError(
            f"'{run.task.target}' is a number (regression), which has no classes. Leave out proba."
        )
    if target == source.expanduser().resolve():
        raise InputError(f"'{source}' is both the rows to score and the output. Choose another output file.")
    clash = sorted(set(options.keep) & set(_output_names(run, options)))
    if clash:
        raise InputError(
            f"Column '{clash[0]}' is kept, and the output has a column of that name too. Don't keep it."
        )


def _output_names(run: Run, options: ScoreOptions) -> list[str]:
    classes = [f"probability_{label}" for label in run.task.classes] if options.proba else []
    return [f"predicted_{run.task.target}", *classes]


def _score_chunk(run: Run, chunk: pd.DataFrame, options: ScoreOptions) -> tuple[pd.DataFrame, SchemaReport]:
    by_text = {str(name): name for name in chunk.columns}
    missing = [name for name in options.keep if name not in by_text]
    if missing:
        raise SchemaError(f"Cannot keep {', '.join(map(repr, missing))}: the file has no such column.")
    predictions, report = ensemble_predictions(run, chunk)
    label_name, *class_names = _output_names(run, options)
    scored = {name: chunk[by_text[name]] for name in options.keep}
    scored[label_name] = labels_of(run.task, predictions, chunk.index)
    if options.proba:
        probabilities = probabilities_of(run.task, predictions, chunk.index)
        scored |= {name: probabilities.iloc[:, i] for i, name in enumerate(class_names)}
    return pd.DataFrame(scored), report


def _source_types(source: Path, keep: tuple[str, ...]) -> dict[str, Any]:
    """Return the Arrow types of kept columns of a Parquet file, so that no chunk changes them."""
    if not keep or not source.is_file() or not source.name.lower().endswith(PARQUET_ENDINGS):
        return {}
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(source)
    except pa.ArrowInvalid:  # not Parquet after all: the reader says so with its hint
        return {}
    return {field.name: field.type for field in schema if field.name in keep}
