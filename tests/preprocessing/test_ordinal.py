"""The recipe of tree learners."""

import numpy as np

from tabular_automl.core.candidate import Recipe, freeze_params
from tabular_automl.core.schema import Kind
from tabular_automl.core.table import Column, Table
from tabular_automl.preprocessing import fit_encoder
from tabular_automl.preprocessing.ordinal import MAX_LEVELS

ORDINAL = Recipe("ordinal")


def table_of(column: Column) -> Table:
    return Table((column,), len(column.values))


def test_numbers_stay_as_they_are():
    values = np.array([1.5, np.nan, -2.0])
    encoder = fit_encoder(ORDINAL, table_of(Column("c0", Kind.NUMERIC, values)))
    np.testing.assert_array_equal(
        encoder.transform(table_of(Column("c0", Kind.NUMERIC, values)))[:, 0], values
    )
    assert encoder.features.categorical == ()


def test_missing_codes_become_nan():
    column = Column("c0", Kind.CATEGORICAL, np.array([2, -1, 0], dtype=np.int32), ("a", "b", "c"))
    encoder = fit_encoder(ORDINAL, table_of(column))
    np.testing.assert_array_equal(encoder.transform(table_of(column))[:, 0], [2, np.nan, 0])
    assert (encoder.features.categorical, encoder.features.n_levels) == ((0,), (3,))


def test_two_levels_are_a_number():
    column = Column("c0", Kind.BINARY, np.array([0, 1, -1], dtype=np.int32), ("no", "yes"))
    encoder = fit_encoder(ORDINAL, table_of(column))
    np.testing.assert_array_equal(encoder.transform(table_of(column))[:, 0], [0, 1, np.nan])
    assert encoder.features.categorical == ()


def test_rare_levels_share_one_code():
    n_levels = MAX_LEVELS + 500
    codes = np.concatenate([np.arange(n_levels), np.arange(0, n_levels, 2), [-1]]).astype(np.int32)
    column = Column("c0", Kind.CATEGORICAL, codes, tuple(map(str, range(n_levels))))
    encoder = fit_encoder(ORDINAL, table_of(column))
    found = encoder.transform(table_of(column))[:, 0]
    assert encoder.features.n_levels == (MAX_LEVELS,)
    even = found[codes % 2 == 0][: n_levels // 2]
    assert np.nanmax(found) == MAX_LEVELS - 1
    assert len(np.unique(even[even < MAX_LEVELS - 1])) == n_levels // 2, (
        "frequent levels keep codes of their own"
    )
    assert np.isnan(found[-1])


def test_only_parts_that_vary_are_made():
    hour = 3_600.0
    column = Column("c0", Kind.DATETIME, np.array([0.0, 5 * hour, 9 * hour, np.nan]))
    encoder = fit_encoder(ORDINAL, table_of(column))
    assert encoder.features.names == ("c0", "c0_hour")
    np.testing.assert_array_equal(encoder.transform(table_of(column))[:, 1], [0, 5, 9, np.nan])


def test_moments_that_many_rows_share_are_levels():
    train = Column("c0", Kind.DATETIME, np.repeat([0.0, 1e9, 5e8], 10))
    encoder = fit_encoder(Recipe("ordinal", freeze_params({"moments": True})), table_of(train))
    new = Column("c0", Kind.DATETIME, np.array([1e9, 0.0, 7e8, 2e9, -1.0, np.nan]))
    place = encoder.features.names.index("c0_moment")
    np.testing.assert_array_equal(encoder.transform(table_of(new))[:, place], [2, 0, *[np.nan] * 4])
    assert (encoder.features.categorical, encoder.features.n_levels) == ((place,), (3,))


def test_moments_of_their_own_are_no_levels():
    train = Column("c0", Kind.DATETIME, np.arange(30.0))
    encoder = fit_encoder(Recipe("ordinal", freeze_params({"moments": True})), table_of(train))
    assert encoder.features.categorical == ()
