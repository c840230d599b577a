"""Trees as arrays: the same as scikit-learn's, and nothing that could not be walked."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeRegressor

from tabular_automl.core.errors import ArtifactError
from tabular_automl.learners import forest_nodes
from tabular_automl.learners.forest_nodes import ForestNodes, level_order

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)).astype(np.float32)
Y = X[:, 0] * X[:, 1] + RNG.normal(size=300)


def grown(max_leaf_nodes: int | None, seed: int) -> tuple[DecisionTreeRegressor, ForestNodes]:
    """Return a tree as scikit-learn has it and as arrays; thresholds are single numbers already."""
    tree = DecisionTreeRegressor(max_leaf_nodes=max_leaf_nodes, max_features=2, random_state=seed).fit(
        np.round(X * 8), Y
    )
    order = level_order(tree.tree_)
    leaf = tree.tree_.children_left[order] < 0
    return tree, ForestNodes(
        np.array([len(order)], dtype=np.int32),
        np.where(leaf, -1, tree.tree_.feature[order]).astype(np.int32),
        tree.tree_.threshold[order[~leaf]].astype(np.float32),
        tree.tree_.value[order[leaf], 0].astype(np.float32),
    )


def forest() -> ForestNodes:
    """Return five trees, one of them a single leaf."""
    stump = ForestNodes(
        np.array([1], dtype=np.int32),
        np.array([-1], dtype=np.int32),
        np.empty(0, dtype=np.float32),
        np.full((1, 1), 7.0, dtype=np.float32),
    )
    return ForestNodes.joined([grown(None, 0)[1], grown(9, 1)[1], stump, grown(None, 2)[1], grown(2, 3)[1]])


@pytest.mark.parametrize("max_leaf_nodes", [None, 2, 17], ids=["depth first", "stump", "best first"])
def test_walked_as_scikit_learn_walks(max_leaf_nodes):
    tree, nodes = grown(max_leaf_nodes, seed=0)
    rows = np.round(X * 8)
    (found,) = nodes.trees(rows)
    np.testing.assert_array_equal(found[:, 0], tree.predict(rows).astype(np.float32))


def test_every_tree_of_a_forest_is_walked_by_itself():
    parts = [grown(None, 0)[1], grown(9, 1)[1]]
    for together, alone in zip(ForestNodes.joined(parts).trees(X), parts, strict=True):
        np.testing.assert_array_equal(together, next(alone.trees(X)))


@pytest.mark.parametrize("pairs", [1, 7, 450, 10_000])
def test_rows_that_come_together_do_not_matter(pairs, monkeypatch):
    expected = np.stack(list(forest().trees(X)))
    monkeypatch.setattr(forest_nodes, "PAIRS", pairs)
    np.testing.assert_array_equal(np.stack(list(forest().trees(X))), expected)
    single = np.stack([np.concatenate(list(forest().trees(X[row : row + 1]))) for row in range(20)], axis=1)
    np.testing.assert_array_equal(single, expected[:, :20])
    assert next(forest().trees(X[:0])).shape == (0, 1)


def test_what_is_kept_to_walk_takes_16_bytes_a_node():
    nodes = forest()
    nodes.check(n_columns=4)
    next(nodes.trees(X))
    own = {"sizes", "features", "thresholds", "values"}
    kept = sum(array.nbytes for name, array in vars(nodes).items() if name not in own)
    assert kept == 16 * len(nodes.features) + 8 * nodes.n_trees


@pytest.mark.parametrize("n_trees", [1, 2, 3, 5])
def test_the_first_trees(n_trees):
    cut = forest().first(n_trees)
    cut.check(n_columns=4)
    assert cut.n_trees == n_trees
    expected = list(forest().trees(X))[:n_trees]
    np.testing.assert_array_equal(np.stack(list(cut.trees(X))), expected)
    np.testing.assert_array_equal(np.stack(list(forest().trees(X, n_trees))), expected)


def test_a_forest_passes_its_check():
    forest().check(n_columns=4)


def tampered(name: str, place: int, value: float) -> ForestNodes:
    """Return the forest with one value of one array changed."""
    changed = getattr(forest(), name).copy()
    changed[place] = value
    return replace(forest(), **{name: changed})


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (tampered("features", 0, 4), "looks at column 4 of 4"),
        (tampered("features", 0, -2), "thresholds and|looks at column"),
        (tampered("features", 0, -1), "thresholds and"),
        (tampered("sizes", 1, 10**6), "nodes for trees of"),
        (tampered("sizes", 1, -3), "nodes for trees of"),
        (tampered("thresholds", 0, np.nan), "not a number"),
        (tampered("values", 0, np.inf), "not a number"),
        (replace(forest(), values=forest().values[:-1]), "leaf values for"),
        (replace(forest(), sizes=np.empty(0, dtype=np.int32)), "nodes for trees of"),
    ],
)
def test_what_is_no_forest_is_refused(nodes, message):
    with pytest.raises(ArtifactError, match=f"damaged or was tampered with.*({message})"):
        nodes.check(n_columns=4)


def test_a_node_that_is_its_own_child_is_refused():
    features = np.array([-1, 0, -1], dtype=np.int32)
    one = ForestNodes(
        np.array([3], dtype=np.int32), features, np.zeros(1, np.float32), np.zeros((2, 1), np.float32)
    )
    with pytest.raises(ArtifactError, match="nobody's child, or its own"):
        one.check(n_columns=1)


@settings(max_examples=300)
@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=9), min_size=1, max_size=3))
def test_what_passes_the_check_can_be_walked(leaves):
    features = np.concatenate([np.where(flags, -1, 0) for flags in leaves]).astype(np.int32)
    n_inner = int((features >= 0).sum())
    values = np.arange(len(features) - n_inner, dtype=np.float32)[:, np.newaxis]
    sizes = np.array([len(flags) for flags in leaves], dtype=np.int32)
    nodes = ForestNodes(sizes, features, np.zeros(n_inner, dtype=np.float32), values)
    try:
        nodes.check(n_columns=1)
    except ArtifactError:
        return
    for low, high in zip(nodes.trees(np.full((1, 1), -1.0, np.float32)), nodes.trees(X[:, :1]), strict=True):
        assert low[0, 0] in values
        assert set(high[:, 0]) <= set(values[:, 0])
