"""Points in time, durations, periods and intervals, of every type."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bad_input_rows import FIT, PREDICT, SCORE, covers  # type: ignore[import-not-found]
from front_door import cells_of, column_of, counted, small_table  # type: ignore[import-not-found]

from tabular_automl.core.errors import SchemaError
from tabular_automl.core.schema import Kind

N = 80
DAYS: Any = pd.Series(pd.date_range("2020-01-01", periods=N, freq="31h"))
SECONDS = [float(value) for value in (DAYS - pd.Timestamp("1970-01-01")).dt.total_seconds()]
TOKYO = DAYS.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")


def mixed() -> pd.Series:
    """Every second point in time is aware, in two zones."""
    cells = DAYS.astype(object)
    cells[::2] = TOKYO[::2].astype(object)
    cells[::4] = DAYS.dt.tz_localize("UTC")[::4].astype(object)
    return cells


KINDS = {
    "naive": DAYS,
    "aware": TOKYO,
    "aware in UTC": DAYS.dt.tz_localize("UTC"),
    "mixed": mixed(),
    "in seconds": DAYS.astype("datetime64[s]"),
    "in nanoseconds": DAYS.astype("datetime64[ns]"),
    "Arrow": DAYS.astype("timestamp[us][pyarrow]"),
    "Arrow aware": DAYS.dt.tz_localize("UTC").astype("timestamp[ms, tz=UTC][pyarrow]"),
    "objects": pd.Series(list(DAYS.dt.to_pydatetime()), dtype=object),
    "text": DAYS.astype(str),
    "text with a zone": TOKYO.map(lambda moment: moment.isoformat()),
    "day first": DAYS.dt.strftime("%d/%m/%Y %H:%M:%S"),
}
ZONED = {"aware": N, "aware in UTC": N, "mixed": N // 2, "Arrow aware": N, "text with a zone": N}


@pytest.fixture(scope="module")
def naive(door):
    """A model of naive points in time, with its predictions."""
    table = small_table().assign(when=DAYS)
    model = door.fit(table)
    return model, door.numbers(model, table)


@covers("points in time", FIT, PREDICT)
@pytest.mark.parametrize("kind", KINDS)
def test_points_in_time_are_seconds_in_utc(door, naive, kind: str) -> None:
    table = small_table().assign(when=KINDS[kind])
    model = door.fit(table)
    assert column_of(model, "when").kind is Kind.DATETIME
    assert cells_of(model, table, "when") == SECONDS
    np.testing.assert_array_equal(door.numbers(model, table), naive[1])


@covers("points in time", PREDICT, SCORE)
def test_every_type_is_understood_whatever_training_saw(door, naive) -> None:
    model, expected = naive
    for kind, values in KINDS.items():
        if kind == "day first":  # "03/02/2020" may be March
            continue
        rows = small_table().assign(when=values)
        np.testing.assert_array_equal(door.numbers(model, rows), expected)
        files = [rows.to_csv(index=False)]
        files += [rows] if kind != "mixed" else []  # which Parquet cannot hold
        for file in files:
            scored, deviations = door.score(model, file)
            np.testing.assert_allclose(scored, expected, rtol=1e-9)
            assert set(deviations) <= {("when", "changed_dtype"), ("when", "changed_zone")}
            assert deviations.get(("when", "changed_zone")) == ZONED.get(kind)


@covers("points in time", PREDICT, SCORE)
def test_a_zone_that_comes_or_goes_is_counted(door) -> None:
    """Whether times carried a zone is part of the contract; those without one are taken as UTC."""
    local = TOKYO.dt.tz_localize(None)
    for seen, now in ((TOKYO, local), (local, TOKYO)):
        model = door.fit(small_table().assign(when=seen))
        assert column_of(model, "when").zoned is (seen is TOKYO)
        for cells in (now, now.astype(object), now.astype(str), now.astype("category")):
            rows = small_table().assign(when=cells)
            door.numbers(model, rows)
            assert counted(model.schema_report_)["when", "changed_zone"] == N
            with pytest.raises(SchemaError, match=r"'when': 100\.0% .*changed_zone, such as .*UTC"):
                model.predict(rows, max_deviating_share=0.5)
        assert door.score(model, small_table().assign(when=now).to_csv(index=False))[1] == {
            ("when", "changed_zone"): N
        }
        assert door.score(model, small_table().assign(when=seen).to_csv(index=False))[1] == {}


@covers("points in time", FIT, PREDICT)
def test_where_training_saw_both_no_zone_is_expected(door) -> None:
    table = small_table().assign(when=KINDS["mixed"])
    model = door.fit(table)
    assert column_of(model, "when").zoned is None
    for values in (DAYS, TOKYO):
        door.numbers(model, table.assign(when=values))
        assert ("when", "changed_zone") not in counted(model.schema_report_)


@covers("points in time", PREDICT, SCORE)
def test_day_first_is_what_the_schema_says(door) -> None:
    table = small_table().assign(when=KINDS["day first"])
    model = door.fit(table)
    assert column_of(model, "when").parse == "datetime:%d/%m/%Y %H:%M:%S"
    row = table.head(1).assign(when="03/02/2020 00:00:00")
    assert cells_of(model, row, "when") == [pd.Timestamp("2020-02-03").timestamp()]
    scored, deviations = door.score(model, row.to_csv(index=False))
    np.testing.assert_allclose(scored, door.numbers(model, row), rtol=1e-9)
    assert deviations == {}


@covers("points in time", FIT, PREDICT, SCORE)
def test_nat_is_missing(door) -> None:
    """NaT, None and an empty text are one."""
    gaps = DAYS.mask(DAYS.index % 5 == 0)
    table = small_table().assign(when=gaps)
    model = door.fit(table)
    meant = [None if place % 5 == 0 else value for place, value in enumerate(SECONDS)]
    assert cells_of(model, table, "when") == meant
    assert column_of(model, "when").missing_share == pytest.approx(0.2)
    expected = door.numbers(model, table)
    for values in (
        gaps.astype(object).where(gaps.notna(), None),
        gaps.astype(object).where(gaps.notna(), " "),
    ):
        np.testing.assert_array_equal(door.numbers(model, table.assign(when=values)), expected)
    for file in (table, table.to_csv(index=False)):
        scored, deviations = door.score(model, file)
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert deviations == {}


FAR = ["0001-01-01", "1500-06-01", "2020-01-01", "9999-12-31"] * (N // 4)
FAR_SECONDS = [(dt.date.fromisoformat(day) - dt.date(1970, 1, 1)).total_seconds() for day in FAR]


@covers("points in time", FIT, PREDICT, SCORE)
@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pd.Series([dt.datetime.fromisoformat(day) for day in FAR], dtype=object), id="datetime"),
        pytest.param(pd.Series([dt.date.fromisoformat(day) for day in FAR], dtype=object), id="date"),
        pytest.param(pd.Series(np.array(FAR, dtype="datetime64[s]")), id="datetime64"),
        pytest.param(pd.Series(FAR), id="text"),
    ],
)
def test_dates_out_of_range_are_kept(door, values: pd.Series) -> None:
    """Years that nanoseconds cannot hold are "out of range" for others."""
    table = small_table().assign(when=values)
    model = door.fit(table)
    assert cells_of(model, table, "when") == FAR_SECONDS
    predicted = door.numbers(model, table)
    assert np.isfinite(predicted).all()
    scored, deviations = door.score(model, table.assign(when=FAR).to_csv(index=False))
    np.testing.assert_allclose(scored, predicted, rtol=1e-9)
    assert deviations == {}


SPANS = pd.Series(pd.to_timedelta(np.random.default_rng(0).integers(0, 99_999, N), unit="s"))


@covers("points in time", FIT, PREDICT, SCORE)
@pytest.mark.parametrize(
    "values",
    [
        pytest.param(SPANS, id="timedelta"),
        pytest.param(SPANS.astype("timedelta64[ns]"), id="nanoseconds"),
        pytest.param(pd.Series([span.to_pytimedelta() for span in SPANS], dtype=object), id="objects"),
        pytest.param(SPANS.astype("duration[us][pyarrow]"), id="Arrow"),
        pytest.param(SPANS.astype(str), id="text"),
    ],
)
def test_a_timedelta_is_seconds(door, values: pd.Series) -> None:
    table = small_table().assign(took=values)
    model = door.fit(table)
    assert column_of(model, "took").kind is Kind.NUMERIC
    assert cells_of(model, table, "took") == SPANS.dt.total_seconds().tolist()
    expected = door.numbers(model, table)
    for file in (table, table.assign(took=SPANS.astype(str)).to_csv(index=False)):
        scored, deviations = door.score(model, file)
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert set(deviations) <= {("took", "changed_dtype")}


@covers("points in time", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("unit", ["D", "M", "Q", "W", "Y"])
def test_a_period_is_its_start(door, unit: str) -> None:
    periods = pd.Series(pd.period_range("1990-01-01", periods=N, freq=unit)).mask(np.arange(N) == 5)
    table = small_table().assign(when=periods)
    model = door.fit(table)
    starts = periods.dt.to_timestamp()
    seconds: Any = (starts - pd.Timestamp("1970-01-01")).dt.total_seconds()
    meant = seconds.astype(object).where(seconds.notna(), None).tolist()
    assert cells_of(model, table, "when") == meant
    expected = door.numbers(model, table)
    np.testing.assert_array_equal(door.numbers(model, table.assign(when=starts)), expected)
    for file in (table, table.to_csv(index=False)):
        scored, deviations = door.score(model, file)
        np.testing.assert_allclose(scored, expected, rtol=1e-9)
        assert deviations == {}


@covers("points in time", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("kind", ["category", "interval", "object"])
def test_an_interval_is_an_ordered_level(door, table: pd.DataFrame, kind: str) -> None:
    cut: Any = pd.cut(table["size"] * 10, [-40, -5, 0, 9, 40])
    values = (
        cut if kind == "category" else cut.astype(object).astype("interval" if kind == "interval" else object)
    )
    table["band"] = values
    model = door.fit(table)
    column = column_of(model, "band")
    assert column.kind is Kind.CATEGORICAL
    assert column.categories == ("(-40, -5]", "(-5, 0]", "(0, 9]", "(9, 40]")
    assert cells_of(model, table, "band") == cut.astype(str).tolist()
    expected = door.numbers(model, table)
    np.testing.assert_array_equal(door.numbers(model, table.assign(band=cut)), expected)
    scored, deviations = door.score(model, table.to_csv(index=False))
    np.testing.assert_allclose(scored, expected, rtol=1e-9)
    assert deviations == {}


@covers("points in time", PREDICT, SCORE)
def test_what_is_no_point_in_time_is_counted(door, naive) -> None:
    model, _ = naive
    rows = small_table().assign(
        when=pd.Series(["soon", 5, 1.6e9, None], dtype=object).iloc[np.arange(N) % 4].to_numpy()
    )
    assert cells_of(model, rows, "when") == [None] * N
    door.predict(model, rows)
    assert counted(model.schema_report_)["when", "unparseable"] == 60
    assert counted(model.schema_report_)["when", "new_missing"] == 20
    assert door.score(model, rows.to_csv(index=False))[1]["when", "unparseable"] == 60
