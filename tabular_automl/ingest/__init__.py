"""Reads a table, infers schema and task, checks the data and plans the folds."""

from tabular_automl.ingest.canonical import canonicalise
from tabular_automl.ingest.frames import to_pandas
from tabular_automl.ingest.infer_schema import infer_schema
from tabular_automl.ingest.infer_task import infer_task
from tabular_automl.ingest.ingest import ingest
from tabular_automl.ingest.plan_folds import RowStructure, plan_folds
from tabular_automl.ingest.read import read_chunks, read_table

__all__ = [
    "RowStructure",
    "canonicalise",
    "infer_schema",
    "infer_task",
    "ingest",
    "plan_folds",
    "read_chunks",
    "read_table",
    "to_pandas",
]
