"""Decide what each column is, with a reason, and with overrides by the user."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabular_automl.core.did_you_mean import did_you_mean
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.schema import ColumnSchema, Finding, Kind, Schema, Severity
from tabular_automl.ingest.canonical import canonical_numbers, canonical_texts, zoned_cells
from tabular_automl.ingest.cells import EXACT_INTEGERS, Cells, Form, Texts
from tabular_automl.ingest.frames import shown_name
from tabular_automl.ingest.na_texts import levels_lost, without_na_texts
from tabular_automl.preprocessing.parsing import guess_rule, is_missing_token

MANY_KEYS = 0.05
"""With a larger share of whole numbers that float64 does not hold exactly, a column is one of keys."""

MANY_NA_TEXTS = 0.1
"""With at least this share of "NA" taken for missing, a person is told while the fit runs."""

IDENTIFIER_SHARE = 0.95
"""Strings are taken for identifiers when at least this share of them is distinct."""

MIN_ROWS_TO_JUDGE = 20
"""With fewer rows, distinct strings are no sign of an identifier."""

TITLE_WORDS, TEXT_WORDS = 2.0, 3.0
"""(Nearly) distinct strings of at least two words on average are free text, not identifiers; repeated ones
are free text, not categories, from three words on."""

_ID_WORDS = frozenset(
    {"id", "ids", "key", "index", "idx", "uuid", "guid", "uid", "unnamed", "rownames", "rowid"}
)
_NOT_IDS = frozenset(
    {"paid", "prepaid", "bid", "grid", "humid", "acid", "solid", "fluid", "valid", "invalid", "covid"}
)
_WHOLE = re.compile(r"\s*[+-]?\d{16,}\s*")
_DEFAULT_RULE = {
    Form.NUMBER: "number",
    Form.BOOLEAN: "bool",
    Form.DATETIME: "datetime",
    Form.TIMEDELTA: "timedelta",
    Form.TEXT: "string",
}


@dataclass(frozen=True)
class _Decision:
    """What a column is taken for."""

    kind: Kind
    parse: str
    reason: str


def infer_schema(
    frame: pd.DataFrame, cells: Mapping[str, Cells], overrides: Mapping[Any, str]
) -> tuple[Schema, tuple[Finding, ...]]:
    """Infer the kind of every feature column.

    Parameters
    ----------
    frame
        The feature columns, in order; only their names are used.
    cells
        The columns' cells by internal id ``c0``, ``c1``, ….
    overrides
        Kinds set by the user, by column name.

    Returns
    -------
    schema, findings
        Findings are warnings for columns that don't become features and where much "NA" was taken for
        missing, notices where text was read as numbers, and errors for overrides that cannot be followed.
    """
    findings = _check_overrides(frame, overrides)
    columns = []
    for name, (id_, given) in zip(frame.columns, cells.items(), strict=True):
        wanted = overrides.get(name)
        of_column = replace(given, is_declared=True) if wanted == Kind.CATEGORICAL else given
        if wanted is not None and wanted in set(Kind):
            decision = _follow(of_column, Kind(wanted))
            findings.extend(_check_followed(of_column, decision, name))
        else:
            decision = _decide(of_column, str(name))
        column = _column_schema(of_column, decision, name, id_)
        columns.append(column)
        if wanted is None:
            findings.extend(_column_findings(column, of_column))
        findings.extend(_on_levels_lost(column, of_column))
    return Schema(tuple(columns)), tuple(findings)


def _decide(cells: Cells, name: str) -> _Decision:
    if cells.form is Form.TEXT:
        return _decide_text(cells, name)
    values = cells.numbers()
    distinct = pd.unique(values[np.isfinite(values)])
    parse = _DEFAULT_RULE[cells.form]
    missing = not np.isfinite(values).all()
    if len(distinct) == 0:
        return _Decision(Kind.CONSTANT, parse, "Every cell is missing.")
    if len(distinct) == 1 and not missing:
        return _Decision(Kind.CONSTANT, parse, f"Every cell is {_shown(cells, distinct)}.")
    if cells.is_category and cells.form is not Form.BOOLEAN:
        rule = "number" if cells.form is Form.NUMBER else "string"
        return _Decision(Kind.CATEGORICAL, rule, "Its type is a category.")
    if cells.form is Form.NUMBER:
        return _decide_number(values, distinct, name)
    kind, reason = {
        Form.BOOLEAN: (Kind.BINARY, "Its type is boolean."),
        Form.DATETIME: (Kind.DATETIME, "Its type is a point in time."),
        Form.TIMEDELTA: (Kind.NUMERIC, "Its type is a duration, taken in seconds."),
    }[cells.form]
    return _Decision(kind, parse, reason)


def _decide_number(values: NDArray[np.float64], distinct: NDArray[np.float64], name: str) -> _Decision:
    n_present = int(np.isfinite(values).sum())
    if len(distinct) <= 2:
        shown = " and ".join(f"{value:g}" for value in np.sort(distinct))
        return _Decision(Kind.BINARY, "number", f"It holds {shown} alone.")
    keys = n_present >= MIN_ROWS_TO_JUDGE and len(distinct) == n_present and bool((distinct % 1 == 0).all())
    if keys and is_id_name(name):
        return _Decision(
            Kind.IDENTIFIER,
            "number",
            f"All {n_present} whole numbers are distinct and its name is that of a key.",
        )
    return _Decision(Kind.NUMERIC, "number", "Its type is a number.")


def _decide_text(cells: Cells, name: str) -> _Decision:
    codes, levels = without_na_texts(cells)
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    present = counts > 0
    levels, counts = levels[present], counts[present]
    if len(levels) == 0:
        return _Decision(Kind.CONSTANT, "string", "Every cell is missing.")
    if len(levels) == 1 and counts.sum() == len(codes):
        return _Decision(Kind.CONSTANT, "string", f"Every cell is {levels[0]!r}.")
    if cells.is_category:
        return _Decision(Kind.CATEGORICAL, "string", "Its type is a category.")
    rule = guess_rule(levels, counts)
    if rule is None:
        return _decide_string(levels, counts)
    if rule == "number" and _share_of_keys(levels, counts) > MANY_KEYS:
        keys = _decide_string(levels, counts)
        return replace(keys, reason=f"Whole numbers beyond 2^53 are taken for keys. {keys.reason}")
    parsed = cells.parsed_levels(rule)[present]
    return _decide_parsed(levels, counts, parsed, rule, key_name=name if (counts == 1).all() else "")


def _share_of_keys(levels: Texts, counts: NDArray[np.intp]) -> float:
    """Return the share of rows with a whole number that float64 does not hold exactly."""
    large = [
        bool(_WHOLE.fullmatch(text)) and (len(text) > 25 or abs(int(text)) > EXACT_INTEGERS)
        for text in levels
    ]
    return float(np.average(large, weights=counts))


def _decide_parsed(
    levels: Texts, counts: NDArray[np.intp], parsed: FloatArray, rule: str, *, key_name: str
) -> _Decision:
    head, _, form = rule.partition(":")
    if head == "number" and key_name:
        as_number = _decide_number(parsed, parsed[np.isfinite(parsed)], key_name)
        if as_number.kind is Kind.IDENTIFIER:
            return replace(as_number, parse="string")
    n_distinct = len(np.unique(parsed[np.isfinite(parsed)]))
    share = _share_in_words(levels, counts, parsed)
    if head == "bool":
        return _Decision(Kind.BINARY, rule, f"Its texts are {levels[0]!r} and {levels[1]!r}.")
    if head == "datetime":
        shown = f"{form} dates" if form else "ISO dates"
        return _Decision(Kind.DATETIME, rule, f"Texts of which {share} are {shown}, such as {levels[0]!r}.")
    if n_distinct <= 1:
        return _Decision(Kind.BINARY, "string", "It holds one text, or is missing.")
    kind = Kind.BINARY if n_distinct == 2 else Kind.NUMERIC
    what = "times, taken in seconds" if head == "timedelta" else "numbers"
    decimal = " with a decimal comma" if form == "comma" else ""
    return _Decision(kind, rule, f"Texts of which {share} are {what}{decimal}, such as {levels[0]!r}.")


def _share_in_words(levels: Texts, counts: NDArray[np.intp], parsed: FloatArray) -> str:
    """Say how many of the rows with a text follow the rule, never rounding up to all of them."""
    bad = np.isnan(parsed) & [not is_missing_token(text) for text in levels]
    kept = ~np.isnan(parsed) | bad
    share = float(np.average(~bad[kept], weights=counts[kept]))
    return "all" if not bad.any() else f"{np.floor(1000 * share) / 10:g}%"


def _decide_string(levels: Texts, counts: NDArray[np.intp]) -> _Decision:
    n_present = int(counts.sum())
    if len(levels) <= 2:
        return _Decision(
            Kind.BINARY, "string", f"It holds {len(levels)} texts: {' and '.join(map(repr, levels))}."
        )
    sample = levels[np.linspace(0, len(levels) - 1, 1000).astype(np.intp)]
    words = float(np.mean([len(text.split()) for text in sample]))
    distinct_share = len(levels) / n_present
    facts = f"{len(levels)} distinct texts in {n_present} rows, {words:.1f} words each on average"
    if n_present >= MIN_ROWS_TO_JUDGE:
        needed = TITLE_WORDS if distinct_share >= IDENTIFIER_SHARE else TEXT_WORDS
        if words >= needed and distinct_share > 0.2 and len(levels) > 50:
            return _Decision(Kind.TEXT, "string", f"Free text: {facts}.")
        if distinct_share >= IDENTIFIER_SHARE:
            return _Decision(Kind.IDENTIFIER, "string", f"(Nearly) all texts differ: {facts}.")
    return _Decision(Kind.CATEGORICAL, "string", f"{len(levels)} distinct texts in {n_present} rows.")


def is_id_name(name: str) -> bool:
    """Say whether a column's name is that of a key.

    >>> [is_id_name(name) for name in ("PassengerId", "customer_id", "Unnamed: 0", "humid", "width")]
    [True, True, True, False, False]
    """
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    lower = [word.lower() for word in words]
    if any(word in _ID_WORDS for word in lower):
        return True
    return bool(lower) and lower[-1].endswith("id") and lower[-1] not in _NOT_IDS


def _follow(cells: Cells, kind: Kind) -> _Decision:
    """Take a column for what the user says it is."""
    reason = "Set by you."
    if kind in {Kind.TEXT, Kind.IDENTIFIER, Kind.CONSTANT, Kind.LEFT_OUT}:
        return _Decision(kind, "string", reason)
    if kind is Kind.CATEGORICAL:
        return _Decision(kind, "number" if cells.form is Form.NUMBER else "string", reason)
    if cells.form is not Form.TEXT:
        return _Decision(kind, "datetime" if kind is Kind.DATETIME else _DEFAULT_RULE[cells.form], reason)
    codes, levels = cells.texts()
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    rule = guess_rule(levels, counts) or "string"
    if kind is Kind.DATETIME:
        return _Decision(kind, rule if rule.startswith("datetime") else "datetime", reason)
    if kind is Kind.BINARY or rule.startswith("number"):
        return _Decision(kind, rule, reason)
    parsed = {rule: np.isfinite(cells.parsed_levels(rule)).sum() for rule in ("number", "number:comma")}
    return _Decision(kind, max(parsed, key=lambda rule: parsed[rule]), reason)


def _check_followed(cells: Cells, decision: _Decision, name: object) -> list[Finding]:
    kind = decision.kind
    way_out = (
        f"Take another kind for it in schema={{...}}, or leave it out: by itself it is "
        f"{_decide(cells, '').kind}."
    )
    if kind is Kind.BINARY and _count_distinct(cells, decision) > 2:
        n_distinct = _count_distinct(cells, decision)
        message = f"Column {str(name)!r} cannot be binary: it holds {n_distinct} distinct values."
        return [Finding("schema_override", Severity.ERROR, message, way_out, str(name))]
    if kind in {Kind.NUMERIC, Kind.DATETIME}:
        values, bad = canonical_numbers(cells, decision.parse)
        if bad.any() and np.isnan(values).all():
            message = f"Column {str(name)!r} cannot be {kind}: none of its cells can be read so."
            return [Finding("schema_override", Severity.ERROR, message, way_out, str(name))]
    return []


def _count_distinct(cells: Cells, decision: _Decision) -> int:
    if decision.parse == "string" or cells.is_category:
        codes, _ = cells.texts()
        return len(np.unique(codes[codes >= 0]))
    values, _ = canonical_numbers(cells, decision.parse)
    return len(pd.unique(values[np.isfinite(values)]))


def _column_schema(cells: Cells, decision: _Decision, name: Any, id_: str) -> ColumnSchema:
    draft = ColumnSchema(
        name=name,
        id=id_,
        kind=decision.kind,
        dtype=cells.dtype,
        missing_share=0.0,
        n_unique=0,
        reason=decision.reason,
        parse=decision.parse,
    )
    if decision.kind in {Kind.CATEGORICAL, Kind.BINARY} and (
        decision.parse == "string" or decision.kind is Kind.CATEGORICAL
    ):
        return _with_categories(draft, cells)
    if decision.parse == "string":
        codes, levels = cells.texts()
        return replace(draft, missing_share=_share(codes < 0), n_unique=len(levels))
    values, _ = canonical_numbers(cells, decision.parse)
    finite = np.isfinite(values)
    zoned = _zoned(cells, finite) if decision.kind is Kind.DATETIME else None
    n_unique = len(pd.unique(values[finite]))
    return replace(draft, missing_share=_share(~finite), n_unique=n_unique, zoned=zoned)


def _zoned(cells: Cells, present: NDArray[np.bool_]) -> bool | None:
    """Say whether points in time carry a time zone; None where only some of them do."""
    zoned = zoned_cells(cells)
    found = set() if zoned is None else set(zoned[present].tolist())
    return found.pop() if len(found) == 1 else None


def _with_categories(draft: ColumnSchema, cells: Cells) -> ColumnSchema:
    codes, levels = (
        without_na_texts(cells) if draft.parse == "string" else canonical_texts(cells, draft.parse)
    )
    used = np.bincount(codes[codes >= 0], minlength=len(levels)) > 0
    seen = list(dict.fromkeys(levels[used]))
    # Numbers in their own order, texts as declared or by alphabet: the order of rows must not matter.
    if draft.parse == "number":
        seen = sorted(seen, key=float)
    elif not cells.ordered:
        seen = sorted(seen)
    return replace(draft, missing_share=_share(codes < 0), n_unique=len(seen), categories=tuple(seen))


def _check_overrides(frame: pd.DataFrame, overrides: Mapping[Any, str]) -> list[Finding]:
    findings = []
    kinds = [str(kind) for kind in Kind]
    names = {str(name): name for name in frame.columns}
    for name, kind in overrides.items():
        if name not in frame.columns:
            near = get_close_matches(str(name), list(names), n=1)
            hint = (
                f"Did you mean {shown_name(names[near[0]])}?"
                if near
                else f"The feature columns are: {', '.join(list(names)[:20])}."
            )
            message = f"schema names column {shown_name(name)}, which is not a feature column of df."
            findings.append(Finding("schema_override", Severity.ERROR, message, hint, str(name)))
        if str(kind) not in kinds:
            message = f"schema sets column {str(name)!r} to {str(kind)!r}, which is not a kind of column."
            way_out = f"{did_you_mean(kind, kinds)} Use one of: {', '.join(kinds)}.".lstrip()
            findings.append(Finding("schema_override", Severity.ERROR, message, way_out, str(name)))
    return findings


def _column_findings(column: ColumnSchema, cells: Cells) -> list[Finding]:
    name = str(column.name)
    if column.kind is Kind.CONSTANT:
        check = "all_missing_column" if column.missing_share == 1 else "constant_column"
        message = f"Column {name!r} is not used: {column.reason[0].lower()}{column.reason[1:]}"
        way_out = "Remove it from df to silence this."
        return [Finding(check, Severity.WARNING, message, way_out, name)]
    if column.kind is Kind.IDENTIFIER:
        message = f"Column {name!r} is not used, it looks like an identifier. {column.reason}"
        override = "numeric" if column.parse == "number" else "categorical"
        way_out = f"If it means something, say schema={{{name!r}: {override!r}}}; else remove it from df."
        return [Finding("identifier_column", Severity.WARNING, message, way_out, name)]
    if cells.form is Form.TEXT and column.parse != "string" and column.kind is not Kind.CATEGORICAL:
        what = {"bool": "true and false", "datetime": "points in time"}.get(
            column.parse.partition(":")[0], "numbers"
        )
        message = f"Column {name!r} holds text and is read as {what}. {column.reason}"
        way_out = f"If these are mere labels, say schema={{{name!r}: 'categorical'}}."
        return [Finding("parsed_text", Severity.NOTICE, message, way_out, name)]
    return []


def _on_levels_lost(column: ColumnSchema, cells: Cells) -> list[Finding]:
    if column.categories is None or column.parse != "string":
        return []
    lost, name = levels_lost(cells), str(column.name)
    if not lost:
        return []
    n_rows, n_lost = len(cells.texts()[0]), sum(lost.values())
    message = (
        f"Column {name!r} holds {' and '.join(map(repr, lost))} in {n_lost} of {n_rows} rows "
        f"({n_lost / n_rows:.1%}), which is taken for missing."
    )
    override = f"schema={{{shown_name(column.name)}: 'categorical'}}"
    way_out = f"If it is a level, say {override}, or make the column a category."
    severity = Severity.WARNING if n_lost >= MANY_NA_TEXTS * n_rows else Severity.NOTICE
    return [Finding("na_texts", severity, message, way_out, name)]


def _shown(cells: Cells, values: NDArray[np.float64]) -> str:
    return str(Cells(cells.form, cells.dtype, values[:1], is_single=cells.is_single).texts()[1][0])


def _share(rows: NDArray[np.bool_]) -> float:
    return float(rows.mean()) if len(rows) else 0.0
