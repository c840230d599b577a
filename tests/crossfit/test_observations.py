import numpy as np
import pytest

from tabular_automl.core.schema import Kind
from tabular_automl.core.table import Column, Table
from tabular_automl.crossfit.observations import Observations


def table_of(kind: Kind, texts: tuple[str, ...] | None, n_rows: int = 1_000) -> Table:
    values = np.zeros(n_rows) if texts is None else np.arange(n_rows, dtype=np.int32) % len(texts)
    return Table((Column("c0", kind, values, texts),), n_rows)


def test_encoding_is_expected_to_take_longer_the_more_text_there_is():
    numbers = Observations.guess(table_of(Kind.NUMERIC, None)).encoding_seconds
    levels = Observations.guess(table_of(Kind.CATEGORICAL, ("a" * 1_000, "b"))).encoding_seconds
    short, long = (
        Observations.guess(
            table_of(Kind.TEXT, tuple(f"{word} {row}" for row in range(1_000)))
        ).encoding_seconds
        for word in ("word", "word " * 100)
    )
    assert 0 < numbers == levels < short < long
    assert long > 20 * short


def test_what_kept_models_take_to_load_is_their_sum_whatever_is_kept_again(tmp_path):
    observations = Observations()
    for name, size in (("a", 100), ("b", 2_000), ("a", 700)):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "state").write_bytes(bytes(size))
        observations.kept(tmp_path / name)
    assert observations.loading_seconds == observations.loading([tmp_path / "a", tmp_path / "b"]) > 0
    assert observations.loading_seconds == pytest.approx(2.7 * observations.loading([tmp_path / "a"]) / 0.7)


def test_what_is_known_of_a_table_without_columns_is_nothing():
    assert Observations.guess(Table((), 10)).encoding_seconds == 0.0
