"""Cheap numbers about free text."""

from typing import cast

import numpy as np

from tabular_automl.core.schema import Kind
from tabular_automl.core.table import Column
from tabular_automl.preprocessing.text_features import frequent_tokens, text_features


def test_counts_and_words():
    column = Column("c0", Kind.TEXT, np.array([1, 0, -1], dtype=np.int32), ("Red car", "12 red"))
    found = text_features(column, ("red", "car"))
    np.testing.assert_allclose(found[:, 0], [6, 2, 2 / 6, 1, 0])
    np.testing.assert_allclose(found[:, 1], [7, 2, 0, 1, 1])
    assert np.isnan(found[:, 2]).all()


def test_words_are_counted_by_rows_not_by_distinct_texts():
    codes = np.repeat([0, 1, 2], [10, 4, 30]).astype(np.int32)
    column = Column("c0", Kind.TEXT, codes, ("often", "seldom", "always"))
    assert frequent_tokens(column) == ("always", "often")


def test_no_texts_at_all():
    column = Column("c0", Kind.TEXT, np.array([-1, -1], dtype=np.int32), ())
    assert frequent_tokens(column) == ()
    assert np.isnan(text_features(column, ())).all()


def test_a_part_of_the_rows_gives_the_same_as_all_of_them():
    texts = tuple(f"word{number % 7} {'x' * number} {number}" for number in range(50))
    codes = np.random.default_rng(0).integers(-1, 50, 200).astype(np.int32)
    whole = Column("c0", Kind.TEXT, codes, texts)
    tokens = frequent_tokens(whole)
    found = text_features(whole, tokens)
    assert len(tokens) > 3
    for rows in (slice(0, 3), slice(3, 200)):
        part = text_features(Column("c0", Kind.TEXT, codes[rows], texts), tokens)
        np.testing.assert_array_equal(part, found[:, rows])


def test_only_texts_of_these_rows_are_looked_at():
    """Chunks of a large table share its texts: each looks at its own."""
    unreadable = cast("str", None)
    column = Column("c0", Kind.TEXT, np.array([1, -1], dtype=np.int32), (unreadable, "a b"))
    np.testing.assert_array_equal(text_features(column, ("a",))[:, 0], [3, 2, 0, 1])
    assert np.isnan(text_features(column, ("a",))[:, 1]).all()
