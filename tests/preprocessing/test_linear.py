"""The recipe of linear learners."""

import numpy as np

from tabular_automl.core.candidate import Recipe, freeze_params
from tabular_automl.core.schema import Kind
from tabular_automl.core.table import Column, Table
from tabular_automl.preprocessing import fit_encoder
from tabular_automl.preprocessing.linear import MOST_COLUMNS

LINEAR = Recipe("linear")


def encode(*columns: Column, recipe: Recipe = LINEAR) -> dict[str, np.ndarray]:
    table = Table(columns, len(columns[0].values))
    encoder = fit_encoder(recipe, table)
    return dict(zip(encoder.features.names, encoder.transform(table).T, strict=True))


def test_frequent_levels_get_indicators_the_others_one_together():
    codes = np.repeat([0, 1, 2, 3, -1], [10, 8, 3, 1, 2]).astype(np.int32)
    found = encode(Column("c0", Kind.CATEGORICAL, codes, ("a", "b", "c", "d")))
    assert list(found) == ["c0_is0", "c0_is1", "c0_other", "c0_missing"]
    np.testing.assert_array_equal(np.vstack(list(found.values())).sum(axis=0), 1)
    np.testing.assert_array_equal(found["c0_other"], (codes == 2) | (codes == 3))
    np.testing.assert_array_equal(found["c0_missing"], codes == -1)


def test_missing_numbers_are_imputed_and_marked():
    values = np.arange(20.0)
    values[3] = np.nan
    found = encode(Column("c0", Kind.NUMERIC, values))
    assert found["c0"][3] == found["c0"][np.nanargmin(abs(values - np.nanmedian(values)))]
    np.testing.assert_array_equal(np.flatnonzero(found["c0_missing"]), [3])


def test_dates_are_cycles_as_well():
    seconds = np.arange(0.0, 48 * 3_600.0, 3_600.0)
    found = encode(Column("c0", Kind.DATETIME, seconds))
    np.testing.assert_allclose(found["c0_hour_sin"][6], 1.0)
    np.testing.assert_allclose(found["c0_hour_cos"][:24], found["c0_hour_cos"][24:])


def test_width_is_capped():
    n_rows, n_columns = 300, 400
    rng = np.random.default_rng(0)
    columns = [
        Column(
            f"c{i}",
            Kind.CATEGORICAL,
            rng.integers(0, 30, n_rows).astype(np.int32),
            tuple(map(str, range(30))),
        )
        for i in range(n_columns)
    ]
    columns += [Column(f"n{i}", Kind.NUMERIC, rng.normal(size=n_rows)) for i in range(n_columns)]
    found = encode(*columns, recipe=Recipe("linear", freeze_params({"knots": 12})))
    assert len(found) <= 2 * MOST_COLUMNS
