"""Cheap numbers about free text."""

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
