import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular_automl.preprocessing import parsing
from tabular_automl.preprocessing.parsing import (
    guess_rule,
    is_missing_token,
    parse_booleans,
    parse_datetimes,
    parse_numbers,
    parse_texts,
    parse_timedeltas,
)

RULES = ["number", "number:comma", "bool", "datetime", "datetime:%d/%m/%Y", "datetime:%m/%d/%y", "timedelta"]
CELLS = st.one_of(
    st.text(max_size=12),
    st.floats().map(str),
    st.integers().map(str),
    st.dates().map(str),
    st.datetimes().map(str),
    st.sampled_from(
        ["$1,200", "1.200,5", "(3)", "12%", "yes", "12/31/2020", "2020-01-01T00:00:00.1234567Z", "17:30"]
    ),
)


def guess(*texts: str) -> str | None:
    return guess_rule(np.array(texts, dtype=object), np.ones(len(texts), dtype=np.intp))


@pytest.mark.parametrize("rule", RULES)
@given(texts=st.lists(CELLS, min_size=1, max_size=6))
def test_each_text_parses_alone_as_in_a_batch(rule: str, texts: list[str]) -> None:
    together = parse_texts(np.array(texts, dtype=object), rule)
    alone = [parse_texts(np.array([text], dtype=object), rule)[0] for text in texts]
    np.testing.assert_array_equal(together, alone)


@given(st.floats(allow_nan=False))
def test_every_number_survives_its_own_text(value: float) -> None:
    assert parse_numbers([repr(value)])[0] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234,567.5", 1234567.5),
        ("€ 5", 5.0),
        ("1 234.5", 1234.5),
        ("12,34,567.5", 1234567.5),
        ("\u22123.5", -3.5),
        ("1'234", 1234.0),
        ("-$3", -3.0),
        ("(1,000)", -1000.0),
        ("12.5 %", 12.5),
        ("1e-3", 1e-3),
        (" 7 ", 7.0),
        ("USD 12", 12.0),
        ("Rs. 1,200", 1200.0),
        ("True", 1.0),
        ("inf", np.inf),
    ],
)
def test_numbers_in_the_dress_of_money(text: str, value: float) -> None:
    assert parse_numbers([text])[0] == value


@pytest.mark.parametrize("text", ["00123", "1,23", "12a", "", "1_000", "٣", "0x10", "1.2.3", "nan", "--5"])
def test_what_is_no_number_is_missing(text: str) -> None:
    assert np.isnan(parse_numbers([text])[0])


@pytest.mark.parametrize(
    ("text", "value"), [("1.234,5", 1234.5), ("0,5", 0.5), ("1.234", 1234.0), ("-7", -7.0)]
)
def test_decimal_comma(text: str, value: float) -> None:
    assert parse_numbers([text], decimal=",")[0] == value


@pytest.mark.parametrize(
    ("text", "value"), [("1234", 1234.0), ("1'234", 1234.0), ("$5", 5.0), ("-1.5", -1.5)]
)
def test_plain_numbers_are_read_without_groups_by_comma(text: str, value: float) -> None:
    assert parse_texts(np.array([text], dtype=object), "number:plain")[0] == value
    for grouped in ("1,234", "12,34,567", "-1,234.5"):
        assert np.isnan(parse_texts(np.array([grouped], dtype=object), "number:plain")[0])


def test_booleans_in_any_case() -> None:
    assert parse_booleans(["TRUE", "f", " Y ", "0", "2"]).tolist()[:4] == [1.0, 0.0, 1.0, 0.0]
    assert np.isnan(parse_booleans(["2"])[0])


@pytest.mark.parametrize(
    ("text", "start"),
    [("1970Q2", "1970-04-01"), ("1971", "1971-01-01"), ("1970-01-05/1970-01-11", "1970-01-05")],
)
def test_a_period_as_pandas_writes_it_is_its_start(text: str, start: str) -> None:
    assert parse_datetimes([text])[0] == parse_datetimes([start])[0]


def test_a_naive_time_is_not_read_by_the_zone_of_the_one_before() -> None:
    texts = [
        "1970-01-01 09:00:10+09:00",
        "1970-01-01 00:00:10",
        "1970-01-01T00:00:10Z",
        "1970-01-01 00:00:10",
    ]
    assert parse_datetimes(texts).tolist() == [10.0] * 4


@pytest.mark.parametrize(
    "aware", ["1970-01-01T09+09:00", "1970-01-01 0900+0900", "1970-01-01T00Z", "1970-01-01 00 UTC"]
)
def test_times_with_a_zone_are_read_apart_from_those_without(
    aware: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[list[str]] = []
    read = parsing._all_to_seconds

    def noted(texts: parsing.Texts, form: str) -> parsing.FloatArray:
        batches.append(list(texts))
        return read(texts, form)

    monkeypatch.setattr(parsing, "_all_to_seconds", noted)
    naive = ["1970-01-01", "1970-01-01T00", "1970-01-01 00:00", "1970-01"]
    assert parse_datetimes([aware, *naive]).tolist() == [0.0] * 5
    assert batches == [[aware], naive]


@pytest.mark.parametrize(
    ("text", "form"), [("1500-06-01", ""), ("1500-06-01T02:00:00+02:00", ""), ("01.06.1500", "%d.%m.%Y")]
)
def test_dates_that_nanoseconds_cannot_hold(text: str, form: str) -> None:
    assert parse_datetimes([text], form).tolist() == [-14818723200.0]
    assert np.isnan(parse_datetimes(["1500-13-01", "the year 1500"], form)).all()


def test_datetimes_are_utc_seconds() -> None:
    texts = ["1970-01-01 01:00:00+01:00", "1970-01-01 00:00:10 UTC", "1970-01", "19700101", "1970-02-30"]
    np.testing.assert_array_equal(parse_datetimes(texts), [0.0, 10.0, 0.0, np.nan, np.nan])


def test_years_of_two_and_four_digits_may_mix() -> None:
    np.testing.assert_array_equal(parse_datetimes(["1/2/70", "1/2/1970"], "%m/%d/%y"), [86400.0, 86400.0])


def test_times_of_day() -> None:
    np.testing.assert_array_equal(
        parse_timedeltas(["00:01", "00:00:01", "2 days", "7"]), [60.0, 1.0, 172800.0, np.nan]
    )


@pytest.mark.parametrize(
    ("texts", "rule"),
    [
        (("1", "2.5", "n/a"), "number"),
        (("$1,200", "$3"), "number"),
        (("1,5", "2,25", "3"), "number:comma"),
        (("1.200,50", "7"), "number:comma"),
        (("01234", "12345", "99999"), None),
        (("yes", "No"), "bool"),
        (("t", "f", "NA"), "bool"),
        (("0", "1"), "number"),
        (("yes", "true"), None),
        (("2020-01-31", "2020-02-01 10:00"), "datetime"),
        (("0 days 23:37:41", "-1 days +05:00:00", "3 days"), "timedelta"),
        (("1990Q1", "1990Q2"), None),
        (("31/01/2020", "1/2/2020"), "datetime:%d/%m/%Y"),
        (("1/31/2020", "1/2/2020"), "datetime:%m/%d/%Y"),
        (("31.01.2020", "01.02.2020"), "datetime:%d.%m.%Y"),
        (("Jan 5, 2020", "Feb 6, 2021"), "datetime:%b %d, %Y"),
        (("1/31/2020 5:30 PM", "2/1/2020 11:00 AM"), "datetime:%m/%d/%Y %I:%M %p"),
        (("22:20", "5:50"), "timedelta"),
        (("a", "b", "c"), None),
        (("NA", ""), None),
        (("1-2", "3-4"), None),
        (("10-20", "20-30", "30+"), None),
        (("v1.0", "v2.0"), None),
    ],
)
def test_guessed_rules(texts: tuple[str, ...], rule: str | None) -> None:
    assert guess(*texts) == rule


def test_a_column_with_a_quarter_of_dates_is_no_date() -> None:
    assert guess("2020-01-01", "x", "y", "z") is None


def test_five_percent_may_fail() -> None:
    texts = np.array([*(str(i) for i in range(95)), *"abcde"], dtype=object)
    assert guess_rule(texts, np.ones(100, dtype=np.intp)) == "number"
    counts = np.ones(100, dtype=np.intp)
    counts[-1] = 2
    assert guess_rule(texts, counts) is None


def test_missing_tokens() -> None:
    assert all(map(is_missing_token, ["", "  ", "NaN", "null", "?", "None"]))
    assert not any(map(is_missing_token, ["0", "no", "nano"]))
