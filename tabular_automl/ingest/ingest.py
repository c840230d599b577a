"""The first stage of a fit: from a table and the user's wishes to the problem that is solved."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from tabular_automl.core.memory import memory_limit
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.schema import ColumnSchema, Finding, Schema, Severity
from tabular_automl.ingest.canonical import canonical_table
from tabular_automl.ingest.check_folds import check_folds
from tabular_automl.ingest.checks import (
    check_cells,
    check_classes,
    check_features,
    check_frame,
    check_target,
    check_weighted_target,
    raise_errors,
    read_all_cells,
)
from tabular_automl.ingest.duplicates import check_duplicates, find_duplicates
from tabular_automl.ingest.frames import is_path, name_reader, to_pandas
from tabular_automl.ingest.giveaways import check_giveaways
from tabular_automl.ingest.infer_schema import infer_schema
from tabular_automl.ingest.infer_task import infer_task
from tabular_automl.ingest.plan_folds import RowStructure, plan_folds
from tabular_automl.ingest.read import read_table
from tabular_automl.ingest.roles import (
    check_existing,
    check_names,
    named_features,
    row_groups,
    row_times,
    row_weights,
    split_roles,
)
from tabular_automl.ingest.screen_columns import screen_columns
from tabular_automl.ingest.usable_rows import usable_rows


def ingest(df: Any, options: Options) -> Problem:
    """Read a table, infer schema and task, check the data and plan the folds.

    Parameters
    ----------
    df
        A pandas frame, any frame narwhals knows, or the path of a CSV or Parquet file. Not changed.
    options
        What the user said.

    Returns
    -------
    Problem
        With warnings and notices among its findings.

    Raises
    ------
    InputError
        If something makes the data or an option unusable; one message tells everything that was found.
    """
    frame = read_table(Path(df)) if is_path(df) else to_pandas(df)
    options = _plainly_named(df, frame, options)
    raise_errors(_on_columns(df, frame, options))
    check_existing(options.existing, len(frame), frame.index)
    usable = usable_rows(split_roles(frame, options), options)
    roles = usable.roles
    screened = screen_columns(roles.features, named_features(options), memory_limit())
    raise_errors(screened.findings)
    cells, unreadable = read_all_cells(screened.frame, screened.places)
    raise_errors([*check_target(roles.target, options.target), *unreadable])
    inferred, on_schema = infer_schema(screened.frame, cells, options.kinds)
    raise_errors(on_schema)
    schema = Schema(_in_order((*inferred, *screened.left_out)), roles.names)
    task, y, on_task = infer_task(roles.target, options)
    table, report = canonical_table(cells, schema, len(y))
    weight = row_weights(roles.weight)
    copies = find_duplicates(table, y)
    structure = RowStructure(row_groups(roles.groups), copies.blocks, row_times(roles.time), usable.splitter)
    planned = plan_folds(
        y, structure, options.seed, is_classification=task.kind.is_classification, weight=weight
    )
    folds, on_folds = check_folds(planned, structure.groups, weight)
    findings = (
        *_on_joined_names(df, frame),
        *usable.findings,
        *on_task,
        *check_weighted_target(task, y, weight),
        *check_classes(task, y, weight),
        *on_schema,
        *check_cells(report),
        *screened.findings,
        *check_features(schema, len(y)),
        *check_giveaways(table, y, schema, task, seed=options.seed),
        *check_duplicates(copies, folds),
        *on_folds,
    )
    raise_errors(findings, strict=options.strict)
    return Problem(table, y, weight, schema, task, folds, findings, usable.kept)


def _in_order(columns: Iterable[ColumnSchema]) -> tuple[ColumnSchema, ...]:
    return tuple(sorted(columns, key=lambda column: int(column.id[1:])))


def _plainly_named(df: Any, frame: pd.DataFrame, options: Options) -> Options:
    """Replace the caller's names of columns by those they have in the frame."""
    read = name_reader(df, frame)
    roles = {"weight": options.weight, "groups": options.groups, "time_column": options.time_column}
    return replace(
        options,
        target=read(options.target),
        schema={read(name): kind for name, kind in options.kinds.items()},
        # A role of None is none, even where a column has that name.
        **{role: read(value) for role, value in roles.items() if value is not None},
    )


def _on_columns(df: Any, frame: pd.DataFrame, options: Options) -> list[Finding]:
    """Check the frame, and the user's names of columns where there are columns that can be told apart."""
    found = check_frame(frame, df)
    is_nameless = not len(frame.columns) or any(finding.check == "duplicate_column" for finding in found)
    return found if is_nameless else [*found, *check_names(frame, options)]


def _on_joined_names(df: Any, frame: pd.DataFrame) -> tuple[Finding, ...]:
    if not isinstance(df, pd.DataFrame) or not isinstance(df.columns, pd.MultiIndex):
        return ()
    message = (
        f"df has columns of {df.columns.nlevels} levels; their names are joined, as in {frame.columns[0]!r}."
    )
    way_out = "Name a column so, or by its tuple of levels."
    return (Finding("joined_names", Severity.NOTICE, message, way_out),)
