"""What every recipe keeps to, whatever it makes of the columns."""

import re

import numpy as np
import pytest

from tabular_automl.core.candidate import Recipe, freeze_params
from tabular_automl.core.errors import InputError
from tabular_automl.core.schema import Kind
from tabular_automl.core.state import load_state, save_state
from tabular_automl.core.table import Column, Table
from tabular_automl.core.task import TaskKind
from tabular_automl.preprocessing import encoder_from_state, fit_encoder, recipe_version
from tabular_automl.testing import small_problem

RECIPES = [
    Recipe("none"),
    Recipe("ordinal"),
    Recipe("ordinal", freeze_params({"moments": True})),
    Recipe("linear"),
    Recipe("linear", freeze_params({"knots": 5})),
]
TEXTS = ("12 big red apples", "Green pears", "red wine", "red wine 7", "green")


def every_kind(n_rows: int = 60, seed: int = 0) -> Table:
    """Return a table with all kinds of columns, missing cells, and columns that are hard to scale."""
    rng = np.random.default_rng(seed)
    small = small_problem(TaskKind.BINARY, n_rows).table
    texts = rng.integers(-1, len(TEXTS), n_rows).astype(np.int32)
    extra = (
        Column("c5", Kind.TEXT, texts, TEXTS),
        Column("c6", Kind.BINARY, rng.integers(-1, 2, n_rows).astype(np.int32), ("no", "yes")),
        Column("c7", Kind.NUMERIC, np.full(n_rows, np.nan)),
        Column("c8", Kind.NUMERIC, rng.choice([1e300, -1e300, 1.0], n_rows)),
        Column("c9", Kind.NUMERIC, np.full(n_rows, 3.0)),
        Column("c11", Kind.DATETIME, rng.choice([0.0, 9e8, 1e9, 1.1e9, np.nan], n_rows)),
        Column("c10", Kind.CATEGORICAL, np.full(n_rows, -1, dtype=np.int32), ()),
    )
    return Table((*small.columns, *extra), n_rows)


@pytest.fixture(params=RECIPES, ids=lambda recipe: f"{recipe.name}{dict(recipe.params) or ''}")
def recipe(request):
    return request.param


def test_matrix_has_the_declared_columns(recipe):
    table = every_kind()
    encoder = fit_encoder(recipe, table)
    X = encoder.transform(table)
    names = encoder.features.names
    assert X.shape == (table.n_rows, len(names))
    assert X.dtype == np.float64
    assert X.flags.c_contiguous
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"\w+", name, re.ASCII) for name in names)
    assert not np.isinf(X).any()


def test_categorical_columns_hold_codes(recipe):
    table = every_kind()
    encoder = fit_encoder(recipe, table)
    X, spec = encoder.transform(table), encoder.features
    for position, n_levels in zip(spec.categorical, spec.n_levels, strict=True):
        codes = X[:, position][~np.isnan(X[:, position])]
        assert np.array_equal(codes, np.floor(codes))
        assert np.all((codes >= 0) & (codes < n_levels))


def test_state_survives_the_disk(recipe, tmp_path):
    table = every_kind()
    encoder = fit_encoder(recipe, table)
    save_state(encoder.state(), tmp_path)
    again = encoder_from_state(recipe, load_state(tmp_path))
    assert again.features == encoder.features
    np.testing.assert_array_equal(again.transform(table), encoder.transform(table))


def test_one_row_is_like_a_batch(recipe):
    table = every_kind()
    encoder = fit_encoder(recipe, table)
    batch = encoder.transform(table)
    rows = [encoder.transform(table.take(np.array([row]))) for row in range(table.n_rows)]
    np.testing.assert_array_equal(np.vstack(rows), batch)
    assert encoder.transform(table.take(np.array([], dtype=np.intp))).shape == (0, batch.shape[1])


def test_text_of_a_batch_has_its_own_codes(recipe):
    table = every_kind()
    encoder = fit_encoder(recipe, table)
    before, text, after = table.columns[:5], table.columns[5], table.columns[6:]
    reordered = Column("c5", Kind.TEXT, np.where(text.values >= 0, 4 - text.values, -1), TEXTS[::-1])
    other = Table((*before, reordered, *after), table.n_rows)
    np.testing.assert_array_equal(encoder.transform(other), encoder.transform(table))


def test_table_is_not_changed(recipe):
    table = every_kind()
    for column in table.columns:
        column.values.setflags(write=False)
    digest = table.digest
    fit_encoder(recipe, table).transform(table)
    assert Table(table.columns, table.n_rows).digest == digest


def test_unseen_rows_give_finite_numbers_for_linear_learners():
    train, new = every_kind(seed=0), every_kind(seed=1)
    holes = tuple(
        Column(c.id, c.kind, np.full_like(c.values, -1 if c.categories is not None else np.nan), c.categories)
        for c in new.columns
    )
    encoder = fit_encoder(RECIPES[-1], train)
    assert np.isfinite(encoder.transform(new)).all()
    assert np.isfinite(encoder.transform(Table(holes, new.n_rows))).all()


def test_table_without_columns(recipe):
    empty = Table((), 4)
    X = fit_encoder(recipe, empty).transform(empty)
    np.testing.assert_array_equal(X, np.zeros((4, 1)))


def test_unknown_recipe_is_named():
    with pytest.raises(InputError, match=r"no preprocessing recipe 'ordnial'.*ordinal"):
        fit_encoder(Recipe("ordnial"), every_kind())


def test_versions_are_counted_from_one():
    assert all(recipe_version(name) >= 1 for name in ("none", "ordinal", "linear"))
