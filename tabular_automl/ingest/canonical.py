"""The one path from a user's cells to canonical columns, at training and at scoring time."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabular_automl.core.errors import SchemaError
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.schema import ColumnSchema, Deviation, Kind, Schema, SchemaReport
from tabular_automl.core.table import Column, Table
from tabular_automl.ingest.cells import Cells, Form, Texts, number_texts, read_cells
from tabular_automl.preprocessing.parsing import has_zone, is_missing_token

READ_AS_TEXT = "tabular_automl_read_as_text"
"""Mark in `DataFrame.attrs`: every cell is text because the file holds nothing else."""


def canonicalise(frame: pd.DataFrame, schema: Schema) -> tuple[Table, SchemaReport]:
    """Turn a user's frame into the canonical table of a schema, and count every deviation from it.

    Columns are found by name; their order and further columns don't matter. Whatever a training column could
    not hold becomes missing: unseen categories (code -1), unparseable cells, infinities. Each row is
    converted on its own: a row gives the same values in a batch of one and of a million.

    Parameters
    ----------
    frame
        New rows; not changed.
    schema
        The columns as they were in training.

    Raises
    ------
    SchemaError
        If feature columns are missing (all are named), a needed column is there twice, or cells cannot be
        read.
    """
    places = _locate(frame, schema)
    cells = {
        column.id: read_cells(frame.iloc[:, places[column.id]], column.name) for column in schema.features
    }
    deviations = list(_extra_columns(frame, schema))
    as_text = bool(frame.attrs.get(READ_AS_TEXT, False))
    columns = []
    for column in schema.features:
        canonical, found = canonical_column(cells[column.id], column)
        columns.append(canonical)
        deviations.extend(found)
        if not as_text:
            deviations.extend(_changed_dtype(cells[column.id], column))
    return Table(tuple(columns), len(frame)), SchemaReport(len(frame), tuple(deviations))


def canonical_table(cells: Mapping[str, Cells], schema: Schema, n_rows: int) -> tuple[Table, SchemaReport]:
    """Do the same with cells already read, by column id; training uses it so that cells are read once."""
    pairs = [canonical_column(cells[column.id], column) for column in schema.features]
    deviations = tuple(deviation for _, found in pairs for deviation in found)
    return Table(tuple(column for column, _ in pairs), n_rows), SchemaReport(n_rows, deviations)


def canonical_column(cells: Cells, column: ColumnSchema) -> tuple[Column, list[Deviation]]:
    """Return one canonical column and how its cells deviate from the schema."""
    if column.kind is Kind.TEXT:
        codes, levels = cells.texts()
        missing = _new_missing(codes < 0, column)
        return Column(column.id, column.kind, codes.astype(np.int32), tuple(levels)), missing
    if column.categories is not None:
        return _coded(cells, column, column.categories)
    values, bad = canonical_numbers(cells, _rule(cells, column))
    deviations = _new_missing(np.isnan(values) & ~bad, column)
    if bad.any():
        deviations.append(_deviation(column, "unparseable", cells, bad))
    infinite = np.isinf(values)
    if infinite.any():
        deviations.append(_deviation(column, "infinite", cells, infinite))
        values = np.where(infinite, np.nan, values)
    deviations.extend(_changed_zone(cells, column, ~np.isnan(values)))
    return Column(column.id, column.kind, values), deviations


def canonical_numbers(cells: Cells, rule: str) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return cells as numbers by a rule of the schema, and which of them could not be parsed (NaN there)."""
    head = rule.partition(":")[0]
    if cells.codes is not None and cells.levels is not None:
        parsed = np.append(cells.parsed_levels(rule), np.nan)
        bad = np.isnan(parsed)
        bad[-1] = False
        bad[:-1] &= np.fromiter(
            (not is_missing_token(text) for text in cells.levels), bool, len(cells.levels)
        )
        return parsed[cells.codes], bad[cells.codes]
    values = cells.numbers()
    understood = {
        "number": {Form.NUMBER, Form.BOOLEAN},
        "datetime": {Form.DATETIME},
        "timedelta": {Form.TIMEDELTA},
        "bool": {Form.BOOLEAN, Form.NUMBER},
    }[head]
    bad = np.zeros(len(values), dtype=bool)
    if cells.form not in understood:
        bad = ~np.isnan(values)
    elif head == "bool":
        bad = ~np.isnan(values) & (values != 0) & (values != 1)
    return np.where(bad, np.nan, values) if bad.any() else values, bad


def zoned_cells(cells: Cells) -> NDArray[np.bool_] | None:
    """Return which points in time carry a time zone; None where that is not known.

    Among text, a date object has become a text in UTC, whatever it was.
    """
    if cells.form is not Form.TEXT or cells.numbers_among is not None:
        return cells.zoned
    codes, levels = cells.texts()
    return np.append(has_zone(levels), False)[codes]


def _rule(cells: Cells, column: ColumnSchema) -> str:
    """Return the column's rule; text is read more strictly where training saw typed numbers."""
    typed = column.parse == "number" and _family(column.dtype) in {"integer", "float", "boolean"}
    return "number:plain" if typed and cells.form is Form.TEXT else column.parse


def canonical_texts(cells: Cells, rule: str) -> tuple[NDArray[np.intp], Texts]:
    """Return cells as category texts by a rule of the schema: codes (-1 where missing) and levels.

    Where training categories were numbers, texts such as "1.0" count by value, too.
    """
    if rule == "number" and cells.form is Form.BOOLEAN:
        cells = replace(cells, form=Form.NUMBER)
    codes, levels = cells.texts()
    if rule != "number" or cells.form is not Form.TEXT:
        return codes, levels
    numbers = cells.parsed_levels(rule)
    by_value = np.where(np.isnan(numbers), levels, number_texts(np.nan_to_num(numbers)))
    return codes, by_value.astype(object)


def _coded(cells: Cells, column: ColumnSchema, categories: tuple[str, ...]) -> tuple[Column, list[Deviation]]:
    codes, levels = canonical_texts(cells, column.parse)
    of_level = np.fromiter((column.code_of.get(text, -1) for text in levels), np.int32, len(levels))
    unseen_level = of_level < 0
    gone = np.fromiter(
        (bad and is_missing_token(text) for bad, text in zip(unseen_level, levels, strict=True)), bool
    )
    values = np.append(of_level, np.int32(-1))[codes].astype(np.int32)
    missing = np.append(gone, True)[codes]
    deviations = _new_missing(missing, column)
    unseen = np.append(unseen_level & ~gone, False)[codes]
    if unseen.any():
        deviations.append(_deviation(column, "unseen_category", cells, unseen))
    return Column(column.id, column.kind, values, categories), deviations


def _new_missing(missing: NDArray[np.bool_], column: ColumnSchema) -> list[Deviation]:
    if column.missing_share > 0 or not missing.any():
        return []
    return [Deviation(str(column.name), "new_missing", int(missing.sum()))]


def _changed_zone(cells: Cells, column: ColumnSchema, present: NDArray[np.bool_]) -> list[Deviation]:
    """Count points in time with a zone where training had none, or the reverse: they may be hours off."""
    zoned = None if column.zoned is None else zoned_cells(cells)
    changed = present & (zoned != column.zoned) if zoned is not None else np.zeros(0)
    if not changed.any():
        return []
    told = "with a time zone → without, taken as UTC" if column.zoned else "taken as UTC → with a time zone"
    return [Deviation(str(column.name), "changed_zone", int(changed.sum()), (told,))]


def _deviation(column: ColumnSchema, what: str, cells: Cells, rows: NDArray[np.bool_]) -> Deviation:
    if cells.codes is not None and cells.levels is not None:
        examples = [str(cells.levels[code]) for code in pd.unique(cells.codes[rows][:1000])[:3]]
    else:
        values = pd.unique(cells.numbers()[rows][:1000])[:3]
        shown = Cells(cells.form, cells.dtype, values, is_single=cells.is_single)
        examples = [str(text) for text in shown.texts()[1]]
    return Deviation(str(column.name), what, int(rows.sum()), tuple(examples))


def _locate(frame: pd.DataFrame, schema: Schema) -> dict[str, int]:
    """Return the position of each feature; a file's header may hold a numeric name as text."""
    names: Sequence[Hashable] = list(frame.columns)
    by_text = {str(name): place for place, name in enumerate(names)}
    by_name: dict[Any, int] = {name: place for place, name in enumerate(names)}
    places = {c.id: by_name.get(c.name, by_text.get(str(c.name))) for c in schema.features}
    absent = [repr(str(column.name)) for column in schema.features if places[column.id] is None]
    if absent:
        some = ", ".join(absent)
        there = f": {', '.join(repr(str(name)) for name in names[:20])}" if names else " no columns"
        raise SchemaError(
            f"{len(absent)} of {len(schema.features)} columns the model was trained with "
            f"{'is' if len(absent) == 1 else 'are'} missing: {some}. The new rows have"
            f"{there}{', …' if len(names) > 20 else ''}. "
            "Add the missing columns (missing cells are allowed)."
        )
    if len(by_name) < len(names):
        needed = {column.name for column in schema.features}
        twice = sorted({str(name) for name in names if name in needed and names.count(name) > 1})
        if twice:
            raise SchemaError(
                f"Columns appear more than once: {', '.join(map(repr, twice))}. Keep one of each."
            )
    return {column: place for column, place in places.items() if place is not None}


def _extra_columns(frame: pd.DataFrame, schema: Schema) -> list[Deviation]:
    known = {str(column.name) for column in schema} | {str(name) for name in schema.roles}
    return [Deviation(str(name), "extra_column", 0) for name in frame.columns if str(name) not in known]


def _changed_dtype(cells: Cells, column: ColumnSchema) -> list[Deviation]:
    """Compare families of types: int32 for int64, or whole numbers as floats, are no change."""
    before, now = _family(column.dtype), _family(cells.dtype)
    if now == "object":
        now = {Form.TEXT: "text", Form.NUMBER: "float"}.get(cells.form, "object")
    if before == "object" and column.parse == "string":
        before = "text"
    if (
        "object" in {before, now}
        or before == now
        or ({before, now} == {"float", "integer"} and before == "float")
    ):
        return []
    if cells.form is Form.TEXT:
        present = (cells.codes if cells.codes is not None else np.zeros(0)) >= 0
    else:
        values = cells.numbers()
        present = ~np.isnan(values)
        if before == "integer" and now == "float":
            present &= np.floor(values) != values
    if not present.any():
        return []
    return [
        Deviation(str(column.name), "changed_dtype", int(present.sum()), (f"{column.dtype} → {cells.dtype}",))
    ]


def _family(dtype: str) -> str:
    name = dtype.lower().removeprefix("sparse[")
    for family, starts in {
        "integer": ("int", "uint"),
        "float": ("float", "double", "half", "decimal"),
        "boolean": ("bool",),
        "datetime": ("datetime", "timestamp", "date", "period"),
        "timedelta": ("timedelta", "duration"),
        "text": ("str", "large_string"),
    }.items():
        if name.startswith(starts):
            return family
    return "object"
