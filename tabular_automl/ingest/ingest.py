"""The first stage of a fit: from a table and the user's wishes to the problem that is solved."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
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
    raise_errors,
    read_all_cells,
)
from tabular_automl.ingest.duplicates import check_duplicates, find_duplicates
from tabular_automl.ingest.frames import is_path, plain_name, to_pandas
from tabular_automl.ingest.giveaways import check_giveaways
from tabular_automl.ingest.infer_schema import infer_schema
from tabular_automl.ingest.infer_task import infer_task
from tabular_automl.ingest.plan_folds import RowStructure, plan_folds
from tabular_automl.ingest.read import read_table
from tabular_automl.ingest.roles import (
    check_existing,
    check_names,
    row_groups,
    row_times,
    row_weights,
    split_roles,
)
from tabular_automl.ingest.screen_columns import screen_columns
from tabular_automl.ingest.usable_rows import usable_rows


@dataclass(frozen=True, eq=False)
class _Loaded:
    """A frame whose columns can be told apart."""

    frame: pd.DataFrame
    findings: tuple[Finding, ...]


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
    options = _plainly_named(df, options)
    loaded = _load(df, options)
    check_existing(options.existing, len(loaded.frame), loaded.frame.index)
    usable = usable_rows(split_roles(loaded.frame, options), options)
    roles = usable.roles
    screened = screen_columns(roles.features, (*options.schema, options.time_column), memory_limit())
    raise_errors(screened.findings)
    cells, unreadable = read_all_cells(screened.frame, screened.places)
    raise_errors([*check_target(roles.target, options.target), *unreadable])
    inferred, on_schema = infer_schema(screened.frame, cells, options.schema)
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
        *loaded.findings,
        *usable.findings,
        *on_task,
        *check_classes(task, y),
        *on_schema,
        *check_cells(report),
        *screened.findings,
        *check_features(schema, len(y)),
        *check_giveaways(table, y, schema, task, seed=options.seed),
        *check_duplicates(copies, len(y)),
        *on_folds,
    )
    raise_errors(findings, strict=options.strict)
    return Problem(table, y, weight, schema, task, folds, findings, usable.kept)


def _in_order(columns: Iterable[ColumnSchema]) -> tuple[ColumnSchema, ...]:
    return tuple(sorted(columns, key=lambda column: int(column.id[1:])))


def _plainly_named(df: Any, options: Options) -> Options:
    """Replace tuples that name columns of several levels by the joined names."""
    return replace(
        options,
        target=plain_name(df, options.target),
        weight=plain_name(df, options.weight),
        groups=plain_name(df, options.groups),
        time_column=plain_name(df, options.time_column),
        schema={plain_name(df, name): kind for name, kind in options.schema.items()},
    )


def _load(df: Any, options: Options) -> _Loaded:
    frame = read_table(Path(df)) if is_path(df) else to_pandas(df)
    findings: list[Finding] = []
    if isinstance(df, pd.DataFrame) and isinstance(df.columns, pd.MultiIndex):
        message = (
            f"df has columns of {df.columns.nlevels} levels; their names are joined, as in "
            f"{frame.columns[0]!r}."
        )
        findings.append(
            Finding("joined_names", Severity.NOTICE, message, "Name a column so, or by its tuple of levels.")
        )
    on_frame = check_frame(frame)
    raise_errors(
        on_frame
        if any(found.check == "duplicate_column" for found in on_frame)
        else _named(on_frame, frame, options)
    )
    return _Loaded(frame, tuple(findings))


def _named(on_frame: list[Finding], frame: pd.DataFrame, options: Options) -> Iterable[Finding]:
    """Add unknown names, which only make sense where there are columns."""
    return [*on_frame, *check_names(frame, options)] if len(frame.columns) else on_frame
