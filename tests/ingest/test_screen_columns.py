import numpy as np
import pandas as pd
import pytest

from tabular_automl.core.schema import Kind, Severity
from tabular_automl.ingest import screen_columns as room
from tabular_automl.ingest.screen_columns import Screened, screen_columns


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_COLUMNS", 10)
    monkeypatch.setattr(room, "MIN_COLUMNS", 4)


@pytest.fixture
def frame(rng: np.random.Generator) -> pd.DataFrame:
    """Twelve columns of noise."""
    return pd.DataFrame(rng.normal(size=(60, 12))).add_prefix("n")


def kept(screened: Screened) -> list[str]:
    return list(screened.frame.columns)


def test_kept_and_left_out_are_all_columns(frame: pd.DataFrame) -> None:
    screened = screen_columns(frame, (), None)
    numbers = sorted([*screened.places, *(int(column.id[1:]) for column in screened.left_out)])
    assert numbers == list(range(12))
    assert kept(screened) == [frame.columns[place] for place in screened.places]
    assert all(column.kind is Kind.LEFT_OUT and not column.kind.is_feature for column in screened.left_out)
    assert [column.name for column in screened.left_out] == [
        frame.columns[int(column.id[1:])] for column in screened.left_out
    ]


def test_no_more_are_used_than_allowed_and_that_is_said(frame: pd.DataFrame) -> None:
    screened = screen_columns(frame, (), None)
    assert len(kept(screened)) == 10
    (finding,) = screened.findings
    assert (finding.check, finding.severity) == ("too_many_columns", Severity.WARNING)
    assert "12 feature columns; 10 of them are used" in finding.message


def test_a_narrow_table_is_left_alone(frame: pd.DataFrame) -> None:
    screened = screen_columns(frame.iloc[:, :10], (), None)
    assert screened.frame.shape == (60, 10)
    assert (screened.left_out, screened.findings) == ((), ())


def test_copies_go_first_and_the_original_stays(frame: pd.DataFrame) -> None:
    frame["n7"], frame["n9"] = frame["n2"], frame["n2"]
    assert set(frame.columns) - set(kept(screen_columns(frame, (), None))) == {"n7", "n9"}


def test_copies_of_text_are_found_and_lookalikes_are_none(frame: pd.DataFrame) -> None:
    frame["n3"], frame["n4"] = list("ab") * 30, list("ab") * 30
    frame["n5"] = list("xy") * 30  # the same pattern, another content
    reasons = {column.name: column.reason for column in screen_columns(frame, (), None).left_out}
    assert "copy" in reasons["n4"]
    assert "copy" not in reasons.get("n5", "")


def test_columns_alike_in_the_sample_alone_are_no_copies(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "SAMPLE_ROWS", 50)
    frame = pd.DataFrame(rng.normal(size=(1_000, 12))).add_prefix("n")
    frame["n5"] = frame["n2"].where(frame.index != 1, 0.0)  # row 1 is not in the sample
    frame["n9"] = frame["n5"]
    screened = screen_columns(frame, (), None)
    assert [column.name for column in screened.left_out if "copy" in column.reason] == ["n9"]
    assert "2 are left out: 1 copies of other columns" in screened.findings[0].message


def test_then_those_of_whose_rows_the_fewest_differ(frame: pd.DataFrame) -> None:
    frame["n1"] = np.where(np.arange(60) < 2, 1.0, 0.0)
    frame["n6"] = np.where(np.arange(60) < 3, np.nan, 0.0)
    assert set(frame.columns) - set(kept(screen_columns(frame, (), None))) == {"n1", "n6"}


def test_among_equals_they_are_spread_over_the_table(rng: np.random.Generator) -> None:
    frame = pd.DataFrame(rng.normal(size=(60, 100)))
    assert np.diff(screen_columns(frame, (), None).places).tolist() == [11] * 9


def test_what_is_named_stays(frame: pd.DataFrame) -> None:
    frame["n1"], frame["n2"] = 0.0, frame["n3"]
    assert {"n1", "n2"} <= set(kept(screen_columns(frame, ("n1", "n2", None), None)))


def test_what_is_named_stays_beyond_the_limit(frame: pd.DataFrame) -> None:
    names = list(frame.columns[1:])
    screened = screen_columns(frame, names, None)
    assert kept(screened) == names
    assert "12 feature columns; 11 of them are used" in screened.findings[0].message
    assert screen_columns(frame, list(frame.columns), None).findings == ()


def test_unreadable_columns_stay_so_that_their_error_is_told(frame: pd.DataFrame) -> None:
    frame["n4"], frame["n5"] = [[1]] * 60, [[1]] * 60
    assert {"n4", "n5"} <= set(kept(screen_columns(frame, (), None)))
    named = [name for name in frame.columns if name not in {"n4", "n11"}]
    assert set(kept(screen_columns(frame, named, None))) == {*named, "n4"}


def test_the_order_of_rows_does_not_matter(frame: pd.DataFrame, rng: np.random.Generator) -> None:
    frame["n1"] = np.where(np.arange(60) < 2, 1.0, 0.0)
    shuffled = frame.iloc[rng.permutation(60)]
    assert kept(screen_columns(shuffled, (), None)) == kept(screen_columns(frame, (), None))


def test_many_rows_are_sampled(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SAMPLE_ROWS", 50)
    frame = pd.DataFrame(rng.normal(size=(5_000, 12))).add_prefix("n")
    frame["n3"] = 0.0
    assert "n3" not in kept(screen_columns(frame, (), None))


def test_memory_bounds_columns_down_to_a_minimum(frame: pd.DataFrame) -> None:
    bytes_a_column = room.LIKELY_BYTES * 60
    for n_affordable, n_kept in ((12, 10), (7, 7), (2, 4)):
        assert len(kept(screen_columns(frame, (), n_affordable * bytes_a_column))) == n_kept


def test_what_cannot_fit_is_an_error_and_what_may_not_a_warning(frame: pd.DataFrame) -> None:
    narrow = frame.iloc[:, :4]
    for n_bytes, severity in (
        (room.LEAST_BYTES * 240 - 1, Severity.ERROR),
        (room.LEAST_BYTES * 240, Severity.WARNING),
        (room.LIKELY_BYTES * 240 - 1, Severity.WARNING),
    ):
        (finding,) = screen_columns(narrow, (), n_bytes).findings
        assert (finding.check, finding.severity) == ("memory", severity)
    assert screen_columns(narrow, (), room.LIKELY_BYTES * 240).findings == ()
