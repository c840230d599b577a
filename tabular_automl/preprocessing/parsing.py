"""Rules that turn text into numbers, points in time and booleans; ingest and scoring share them.

Every rule looks at one text alone, so that a row parses the same in a batch of one and of a million.
Guessing which rule a column follows looks at all its texts once, at training time; the rule is then kept in
the schema.
"""

import re
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Texts = NDArray[np.object_]

PARSED_SHARE = 0.95
"""A column follows a rule when at least this share of its rows parse."""

MISSING_TOKENS = frozenset(
    {"na", "n/a", "nan", "null", "none", "<na>", "#n/a", "nat", "-", "--", "?", "#value!"}
)
"""Texts that stand for "missing" (in lower case) in columns of numbers, dates and booleans."""

_TRUE = frozenset({"true", "t", "yes", "y", "on", "1", "1.0"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0", "0.0"})
_WORDS = frozenset({"true", "t", "yes", "y", "on", "false", "f", "no", "n", "off"})

_PLAIN = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_PLAIN_COMMA = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:,\d*)?|,\d+)(?:[eE][+-]?\d+)?")
_GROUPED = re.compile(
    r"[+-]?[1-9]\d{0,2}(?:([,'’ \u00a0\u202f])\d{3})(?:\1\d{3})*(?:\.\d*)?"
    r"|[+-]?[1-9]\d?(?:,\d{2})+,\d{3}(?:\.\d*)?"  # as in India: 12,34,567
)
_GROUPED_PLAIN = re.compile(r"[+-]?[1-9]\d{0,2}(?:(['’ \u00a0\u202f])\d{3})(?:\1\d{3})*(?:\.\d*)?")
_GROUPED_COMMA = re.compile(r"[+-]?[1-9]\d{0,2}(?:([.'’ \u00a0\u202f])\d{3})(?:\1\d{3})*(?:,\d*)?")
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_DECORATION = re.compile(r"[$€£¥₹₽₩₺₴₫฿%]+|\b(?:USD|EUR|GBP|CHF|JPY|INR|CAD|AUD|kr)\b|Rs\.?", re.IGNORECASE)
_LEADING_ZERO = re.compile(r"[+-]?0\d+")
_MARKS = str.maketrans("", "", "'’ \u00a0\u202f")
_MINUS = "\u2212"

_ISO = re.compile(
    r"[+-]?\d{4}-\d{1,2}(?:-\d{1,2})?"
    r"(?:[T ]\d{1,2}(?::?\d{2}){0,2}(?:[.,]\d+)?\s*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?"
)
_CLOCK = re.compile(r"\d{1,2}:\d{2}")
_TIME_OF_DAY = re.compile(
    r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?"
    r"|-?\d+ days?(?: [+-]?\d{1,2}:\d{2}:\d{2}(?:\.\d+)?)?"  # a duration as pandas writes it
)
_OWN_ISO = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z")
_YEAR = re.compile(r"\d{4}")
_QUARTER = re.compile(r"([+-]?\d{4})Q([1-4])")
_SPAN = re.compile(r"(\d{4}-\d{2}-\d{2})/\d{4}-\d{2}-\d{2}")
_ZONE = re.compile(r"[T :]\d.*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})$")
_FAR_YEAR = re.compile(
    r"(?<!\d)(?:0\d{3}|1[0-5]\d{2}|16[0-7]\d|2262|226[3-9]|22[7-9]\d|2[3-9]\d{2}|[3-9]\d{3})(?!\d)"
)
_NAMED_UTC = re.compile(r"\s*(?:UTC|GMT)$")
_NANOSECONDS = re.compile(r"(\.\d{6})\d+")
_DATE_LIKE = re.compile(r"\d.*[-/.: ].*\d|[A-Za-z]{3,9}\.? \d")
_DATES = (
    *("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d"),
    *(
        "%m/%d/%y",
        "%d/%m/%y",
        "%d.%m.%y",
        "%d-%b-%Y",
        "%d-%b-%y",
        "%d %b %Y",
        "%d %B %Y",
        "%b %d, %Y",
        "%B %d, %Y",
    ),
    *("%d-%B-%Y", "%b-%d-%Y", "%Y-%b-%d", "%d/%b/%Y", "%b %d %Y", "%B %d %Y"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
_SAMPLE = 300


def parse_numbers(
    texts: Sequence[str] | Texts, *, decimal: str = ".", comma_groups: bool = True
) -> FloatArray:
    """Parse numbers with currency signs, percent signs and thousands marks; NaN where that fails.

    A number with superfluous leading zeros ("00123") is an identifier, not a number. Percentages are
    taken as written ("12%" is 12); an amount in parentheses is negative.

    Parameters
    ----------
    texts
        Shape (n,).
    decimal
        The decimal mark, "." or ",".
    comma_groups
        Whether "1,234" is 1234. Without, it is no number: where training saw typed numbers alone, a file
        with decimal commas may mean 1.234 by it.

    Examples
    --------
    >>> parse_numbers(["$1,234.50", "12%", "(3)", "00123"]).tolist()
    [1234.5, 12.0, -3.0, nan]
    >>> parse_numbers(["1.234,5", "7"], decimal=",").tolist()
    [1234.5, 7.0]
    """
    comma = decimal == ","
    plain, grouped = (_PLAIN_COMMA, _GROUPED_COMMA) if comma else (_PLAIN, _GROUPED)
    grouped = grouped if comma_groups else _GROUPED_PLAIN

    def number(text: str) -> float:
        if plain.fullmatch(text):
            return float(text.replace(",", ".") if comma else text)
        bare = _DECORATION.sub("", text).strip().replace(_MINUS, "-")
        if bare.startswith("(") and bare.endswith(")"):
            bare = "-" + bare[1:-1]
        if plain.fullmatch(bare):
            return float(bare.replace(",", ".") if comma else bare)
        if grouped.fullmatch(bare):
            bare = bare.translate(_MARKS)
            return float(bare.replace(".", "").replace(",", ".") if comma else bare.replace(",", ""))
        return _special_number(bare)

    return np.fromiter((number(text) for text in texts), np.float64, len(texts))


def parse_booleans(texts: Sequence[str] | Texts) -> FloatArray:
    """Parse true/false, yes/no, t/f, y/n, on/off and 1/0 in any case as 1 and 0; NaN where that fails.

    >>> parse_booleans(["Yes", "no", "maybe"]).tolist()
    [1.0, 0.0, nan]
    """

    def truth(text: str) -> float:
        token = text.strip().lower()
        if token in _TRUE:
            return 1.0
        return 0.0 if token in _FALSE else np.nan

    return np.fromiter((truth(text) for text in texts), np.float64, len(texts))


def parse_datetimes(texts: Sequence[str] | Texts, format: str = "") -> FloatArray:  # noqa: A002 (as in pandas)
    """Parse points in time as seconds since 1970 in UTC; NaN where that fails. Naive times count as UTC.

    Parameters
    ----------
    texts
        Shape (n,).
    format
        A `strptime` format; empty for ISO 8601.

    Examples
    --------
    >>> parse_datetimes(["1970-01-02", "1970-01-01T00:00:01+00:00", "soon"]).tolist()
    [86400.0, 1.0, nan]
    >>> parse_datetimes(["31/12/1970"], "%d/%m/%Y").tolist()
    [31449600.0]
    """
    stripped = np.array([_period_start(str(text).strip()) for text in texts], dtype=object)
    seconds = np.full(len(stripped), np.nan)
    # The text that ingest makes of a date object is understood under any format: columns may mix both.
    own = _matches(stripped, _OWN_ISO) if format else _matches(stripped, _ISO)
    seconds[own] = _to_seconds(stripped[own], "ISO8601")
    if format:
        seconds[~own] = _to_seconds(stripped[~own], format)
    if "%y" in format:  # spreadsheets write years of two and of four digits into one column
        rest = np.isnan(seconds)
        seconds[rest] = _to_seconds(stripped[rest], format.replace("%y", "%Y"))
    return seconds


def parse_timedeltas(texts: Sequence[str] | Texts) -> FloatArray:
    """Parse durations and times of day ("1 days 02:00:00", "17:30") as seconds; NaN where that fails.

    >>> parse_timedeltas(["1 days 00:00:01", "17:30"]).tolist()
    [86401.0, 63000.0]
    """
    full = [f"{text.strip()}:00" if _CLOCK.fullmatch(text.strip()) else text for text in texts]
    words = np.array([text if ":" in text or "day" in text else None for text in full], dtype=object)
    with warnings.catch_warnings():
        # Some letters are deprecated as units: "S0:" parses, or does not, whatever pandas says about it.
        for category in (DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        parsed = pd.to_timedelta(pd.Series(words, dtype=object), errors="coerce")
    return np.asarray(parsed.dt.total_seconds(), dtype=np.float64)


def parse_texts(texts: Sequence[str] | Texts, rule: str) -> FloatArray:
    """Parse texts by a rule of the schema (`ColumnSchema.parse`, all but ``string``).

    ``number:plain`` is for text where training saw typed numbers: see `parse_numbers`.

    >>> parse_texts(["1,5"], "number:comma").tolist()
    [1.5]
    """
    if rule == "number:plain":
        return parse_numbers(texts, comma_groups=False)
    if rule in {"number", "number:comma"}:
        return parse_numbers(texts, decimal="," if rule == "number:comma" else ".")
    if rule == "bool":
        return parse_booleans(texts)
    if rule == "timedelta":
        return parse_timedeltas(texts)
    return parse_datetimes(texts, rule.partition(":")[2])


def has_zone(texts: Sequence[str] | Texts) -> NDArray[np.bool_]:
    """Say which texts of points in time carry a time zone.

    >>> has_zone(["2020-01-01 05:00+09:00", "2020-01-01T05:00Z", "2020-01-01 05:00"]).tolist()
    [True, True, False]
    """
    return np.fromiter((_ZONE.search(text.strip()) is not None for text in texts), bool, len(texts))


def is_missing_token(text: str) -> bool:
    """Say whether a text only stands for "missing".

    >>> [is_missing_token(text) for text in (" ", "N/A", "0")]
    [True, True, False]
    """
    token = text.strip().lower()
    return not token or token in MISSING_TOKENS


def guess_rule(texts: Texts, counts: NDArray[np.intp]) -> str | None:
    """Return the rule by which at least 95% of the rows parse, or None for a column of plain strings.

    Parameters
    ----------
    texts
        The distinct texts of a column.
    counts
        In how many rows each occurs.

    Examples
    --------
    >>> texts = np.array(["$5", "1,200", "n/a"], dtype=object)
    >>> guess_rule(texts, np.array([1, 1, 1]))
    'number'
    >>> guess_rule(np.array(["00123", "11111"], dtype=object), np.array([1, 1])) is None
    True
    """
    kept = np.fromiter((not is_missing_token(text) for text in texts), bool, len(texts))
    texts, counts = texts[kept], counts[kept]
    if not len(texts):
        return None
    if len(texts) == 2 and _is_boolean_pair(texts):
        return "bool"
    sample = np.unique(np.linspace(0, len(texts) - 1, _SAMPLE).astype(np.intp))
    for rule in _number_rules(texts) + _time_rules(texts[sample], counts[sample]):
        # Texts seldom are numbers or dates in part: a sample rejects most rules cheaply.
        if _share(texts[sample], counts[sample], rule) >= PARSED_SHARE - 0.1 and (
            _share(texts, counts, rule) >= PARSED_SHARE
        ):
            return rule
    return None


def _special_number(text: str) -> float:
    """Return infinities, and truth values (a column may mix them with numbers), else NaN."""
    if _INFINITE.fullmatch(text):
        return float(text)
    return {"True": 1.0, "False": 0.0}.get(text, np.nan)


def _is_boolean_pair(texts: Texts) -> bool:
    tokens = [text.strip().lower() for text in texts]
    parsed = parse_booleans(texts)
    # 0 and 1 alone stay numbers; "n" beside "1" would be an odd pair, but harmless.
    return set(tokens) <= _WORDS and bool(np.isfinite(parsed).all()) and parsed[0] != parsed[1]


def _number_rules(texts: Texts) -> list[str]:
    if any(_LEADING_ZERO.fullmatch(text.strip()) for text in texts):
        return []
    return ["number", "number:comma"]


def _time_rules(texts: Texts, counts: NDArray[np.intp]) -> list[str]:
    """Return the rules of time that parse much of a sample, the best first (earlier in the list on ties)."""
    if np.average(_matches(texts, _TIME_OF_DAY), weights=counts) >= PARSED_SHARE - 0.1:
        return ["timedelta"]
    if np.average(_matches(texts, _ISO), weights=counts) >= PARSED_SHARE - 0.1:
        return ["datetime"]
    if np.average([bool(_DATE_LIKE.search(text)) for text in texts], weights=counts) < PARSED_SHARE - 0.1:
        return []
    few = texts[:5]
    formats = [
        date + time
        for date in _DATES
        for time in _TIMES
        if ("%H" in time or "%I" in time) == (":" in few[0])
        and np.isfinite(_to_seconds(few, date + time)).any()
    ]
    shares = [_share(texts, counts, f"datetime:{form}") for form in formats]
    order = sorted(range(len(formats)), key=lambda i: -shares[i])
    return [f"datetime:{formats[i]}" for i in order if shares[i] >= PARSED_SHARE - 0.1]


def _share(texts: Texts, counts: NDArray[np.intp], rule: str) -> float:
    return float(np.average(~np.isnan(parse_texts(texts, rule)), weights=counts))


def _matches(texts: Texts, pattern: re.Pattern[str]) -> NDArray[np.bool_]:
    return np.fromiter((pattern.fullmatch(text) is not None for text in texts), bool, len(texts))


def _to_seconds(texts: Texts, form: str) -> FloatArray:
    seconds = np.full(len(texts), np.nan)
    # pandas 2 reads a naive time by the zone of the one before it, so the two are told apart here.
    aware = has_zone(texts)
    for rows in (aware, ~aware):
        seconds[rows] = _all_to_seconds(texts[rows], form)
    for row in np.flatnonzero(np.isnan(seconds)):
        seconds[row] = _far_seconds(texts[row], form)
    return seconds


def _all_to_seconds(texts: Texts, form: str) -> FloatArray:
    if not len(texts):
        return np.zeros(0)
    # Digits below microseconds would change the unit of the whole batch.
    cut = pd.Series(
        [_plain_iso(text) if "." in text or text[-1:] in "CT" else text for text in texts], dtype=object
    )
    stamps = pd.to_datetime(cut, format=form, utc=True, errors="coerce").dt.tz_localize(None)
    micros = stamps.to_numpy(dtype="datetime64[us]")
    return np.where(np.isnat(micros), np.nan, micros.astype(np.int64) / 1e6)


def _far_seconds(text: str, form: str) -> float:
    """Read a date that nanoseconds cannot hold, and pandas 2 therefore neither; NaN for any other."""
    if not _FAR_YEAR.search(text):
        return np.nan
    try:
        is_iso = form == "ISO8601"
        moment = datetime.fromisoformat(_plain_iso(text)) if is_iso else datetime.strptime(text, form)
    except ValueError:
        return np.nan
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()


def _period_start(text: str) -> str:
    """Return the date on which a period in pandas' writing starts: a year, a quarter, a span of two dates."""
    if _YEAR.fullmatch(text):
        return f"{text}-01"
    quarter = _QUARTER.fullmatch(text)
    if quarter:
        return f"{quarter[1]}-{3 * int(quarter[2]) - 2:02d}"
    span = _SPAN.fullmatch(text)
    return span[1] if span else text


def _plain_iso(text: str) -> str:
    return _NAMED_UTC.sub("Z", _NANOSECONDS.sub(r"\1", text))
