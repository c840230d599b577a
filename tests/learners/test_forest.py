"""What is particular to forests."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from tabular_automl.core.candidate import freeze_params
from tabular_automl.core.errors import ArtifactError
from tabular_automl.core.fitting import FeatureSpec, FitContext, FitOutcome, Rows
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.state import State, load_state, save_state
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import learner_for
from tabular_automl.learners.forest_model import ForestModel
from tabular_automl.learners.forest_nodes import ForestNodes
from tabular_automl.testing import LearnerCase

FAMILIES = ("extra_trees", "random_forest")
pytestmark = pytest.mark.parametrize("family", FAMILIES)


def model_of(outcome: FitOutcome) -> ForestModel:
    """Return the fitted model, known to be a forest."""
    assert isinstance(outcome.model, ForestModel)
    return outcome.model


def fit_rows(
    family: str,
    train: Rows,
    held_out: Rows | None,
    *,
    n_levels: tuple[int, ...] = (),
    n_trees: int = 20,
    **params,
) -> FitOutcome:
    """Fit rows whose last columns are categories with these numbers of levels."""
    n_columns = train.X.shape[1]
    categorical = tuple(range(n_columns - len(n_levels), n_columns))
    spec = FeatureSpec(tuple(f"c{column}" for column in range(n_columns)), categorical, n_levels)
    task = TaskKind.BINARY if set(np.unique(train.y)) <= {0.0, 1.0} else TaskKind.REGRESSION
    shape = ProblemShape(task, len(train.y), n_columns - len(n_levels), len(n_levels), 1)
    return learner_for(family).fit(
        train, held_out, freeze_params(params), FitContext(shape, spec, seed=0, max_rounds=n_trees)
    )


def leaf_sizes(model: ForestModel, X: np.ndarray) -> np.ndarray:
    """Return how many rows come to each leaf of each tree."""
    M = model.columns.transform(X)
    n_leaves = len(model.nodes.values)
    numbered = replace(model.nodes, values=np.arange(n_leaves, dtype=np.float32)[:, np.newaxis])
    leaves = np.concatenate([tree[:, 0] for tree in numbered.trees(M)]).astype(int)
    return np.bincount(leaves, minlength=n_leaves)


def test_a_saved_forest_needs_no_scikit_learn(family, tmp_path):
    cases = {task: LearnerCase.small(learner_for(family), task) for task in TaskKind}
    models = {task: case.fit().model for task, case in cases.items()}
    for task, case in cases.items():
        folder = tmp_path / task
        folder.mkdir()
        models[task].save(folder)
        np.save(folder / "X.npy", case.held_out.X)
    code = f"""
import sys; sys.modules["sklearn"] = None
from pathlib import Path; import numpy as np
from tabular_automl.learners import learner_for
for folder in Path(".").iterdir():
    model, X = learner_for("{family}").load(folder), np.load(folder / "X.npy")
    np.savez(folder / "found.npz", all=model.predict(X), few=model.predict(X, 7))
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)  # noqa: S603 - our own interpreter
    for task, case in cases.items():
        with np.load(tmp_path / task / "found.npz") as found:
            np.testing.assert_array_equal(found["all"], models[task].predict(case.held_out.X))
            np.testing.assert_array_equal(found["few"], models[task].predict(case.held_out.X, 7))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("features", lambda values: np.where(values == 0, 99, values), "looks at column 99"),
        ("features", lambda values: values[::-1], "own|thresholds"),
        ("features", lambda values: values.astype(np.float64), "'features' is float64"),
        ("sizes", lambda values: values[:-1], "nodes for trees"),
        ("thresholds", lambda values: values[1:], "thresholds and"),
        ("values", lambda values: np.full_like(values, np.nan), "not a number"),
        ("values", lambda values: values[:, 0], "'values' is float32 with 1 axes"),
        ("places", lambda values: values[1:], "'places' has shape"),
        ("numbers", lambda values: values + 1, "there twice"),
        ("centers", None, "the array 'centers' is missing"),
        ("values", lambda values: values[::-1], "probe rows get other predictions"),
        ("thresholds", lambda values: values[::-1], "probe rows get other predictions"),
        ("probe_rows", lambda rows: rows[:, :-1], "probe rows have"),
        ("probe_predictions", lambda values: values[:-1], "probe rows get other predictions"),
    ],
)
def test_tampered_arrays_are_refused(family, name, change, message, tmp_path):
    LearnerCase.small(learner_for(family), TaskKind.MULTICLASS).fit().model.save(tmp_path)
    state = load_state(tmp_path)
    arrays = {key: values for key, values in state.arrays.items() if key != name}
    if change is not None:
        arrays[name] = change(state.arrays[name])
    save_state(State(state.facts, arrays), tmp_path)
    with pytest.raises(ArtifactError, match=rf"damaged or was tampered with: .*({message}).*fit again"):
        learner_for(family).load(tmp_path)


def test_as_good_as_scikit_learns_own(family):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 4))
    y = X[:, 0] * X[:, 1] + np.abs(X[:, 2]) + 0.3 * rng.normal(size=900)
    train, held_out = Rows(X[:600], y[:600]), Rows(X[600:], y[600:])
    loss = fit_rows(family, train, held_out, n_trees=50, min_samples_leaf=2, max_features=0.75).curve[-1]
    own = {"extra_trees": ExtraTreesRegressor, "random_forest": RandomForestRegressor}[family]
    reference = own(50, min_samples_leaf=2, max_features=0.75, random_state=0).fit(train.X, train.y)
    assert loss < 1.1 * np.mean((reference.predict(held_out.X) - held_out.y) ** 2)


def test_trees_that_were_watched_grow_no_heavier(family, monkeypatch):
    kept = []
    joined = ForestNodes.joined

    def noted(parts):
        kept.extend(parts)
        return joined(parts)

    monkeypatch.setattr(ForestNodes, "joined", noted)
    LearnerCase.small(learner_for(family), TaskKind.BINARY).fit()
    assert {name for tree in kept for name in vars(tree)} == {"sizes", "features", "thresholds", "values"}


@pytest.mark.parametrize("stop_at", [1, 4, 12])
def test_a_stopped_fit_keeps_its_trees(family, stop_at):
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked >= stop_at

    case = LearnerCase.small(learner_for(family), TaskKind.REGRESSION)
    case = replace(case, context=replace(case.context, max_rounds=12))
    whole = case.fit()
    stopped = replace(case, context=replace(case.context, should_stop=should_stop)).fit()
    assert stopped.model.rounds == len(stopped.curve) == stop_at
    assert stopped.complete == (stop_at == 12)
    X = case.held_out.X
    np.testing.assert_array_equal(stopped.model.predict(X), whole.model.predict(X, stop_at))
    np.testing.assert_array_equal(stopped.curve, whole.curve[:stop_at])


@pytest.mark.parametrize("floor", [1, 7, 30])
def test_no_leaf_is_smaller_than_its_floor(family, floor):
    rng = np.random.default_rng(0)
    train = Rows(rng.normal(size=(400, 3)), rng.normal(size=400))
    train.X[rng.random(train.X.shape) < 0.2] = np.nan
    sizes = leaf_sizes(model_of(fit_rows(family, train, None, n_trees=5, min_samples_leaf=floor)), train.X)
    # Of a bootstrap sample's leaf at least its distinct rows come back.
    assert floor <= sizes.min() <= 4 * floor + 4


def test_leaves_are_bounded(family):
    rng = np.random.default_rng(0)
    train = Rows(rng.normal(size=(400, 3)), rng.normal(size=400))
    model = model_of(fit_rows(family, train, None, n_trees=4, min_samples_leaf=1, max_leaf_nodes=10))
    assert len(model.nodes.values) == 4 * 10
    free = model_of(fit_rows(family, train, None, n_trees=4, min_samples_leaf=1, max_leaf_nodes=0))
    assert len(free.nodes.values) > 4 * 100


def test_a_category_of_many_levels_helps(family):
    rng = np.random.default_rng(0)
    effects = rng.normal(size=60)
    codes = rng.integers(0, 60, 8_000)
    X = np.column_stack([rng.normal(size=8_000), codes])
    y = (effects[codes] + 0.5 * X[:, 0] + rng.normal(size=8_000) > 0).astype(np.float64)
    train, held_out = Rows(X[:6_000], y[:6_000]), Rows(X[6_000:], y[6_000:])
    declared = fit_rows(family, train, held_out, n_levels=(60,), min_samples_leaf=5).curve[-1]
    as_numbers = fit_rows(family, train, held_out, min_samples_leaf=5).curve[-1]
    without = fit_rows(
        family, Rows(train.X[:, :1], train.y), Rows(held_out.X[:, :1], held_out.y), min_samples_leaf=5
    ).curve[-1]
    assert declared < as_numbers < without


def test_rare_levels_do_not_tell_their_own_target(family):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=900), rng.permutation(900) // 2])
    y = (X[:, 0] + rng.normal(size=900) > 0).astype(np.float64)
    train, held_out = Rows(X[:600], y[:600]), Rows(X[600:], y[600:])
    noisy = fit_rows(family, train, held_out, n_levels=(450,), min_samples_leaf=10, max_features=1.0).curve[
        -1
    ]
    clean = fit_rows(
        family, Rows(train.X[:, :1], train.y), Rows(held_out.X[:, :1], held_out.y), min_samples_leaf=10
    ).curve[-1]
    assert noisy < 1.05 * clean


def test_missing_at_prediction_only(family):
    case = LearnerCase.small(learner_for(family), TaskKind.BINARY)
    full = np.nan_to_num(case.train.X, nan=1.0)
    model = replace(case, train=replace(case.train, X=full)).fit().model
    middle = np.median(full[:, 0])
    rows = case.held_out.X.copy()
    rows[:, 0] = np.nan
    expected = rows.copy()
    expected[:, 0] = middle
    np.testing.assert_array_equal(model.predict(rows), model.predict(expected))
    assert np.isfinite(model.predict(np.full_like(rows, np.nan))).all()


def test_missing_is_told_from_all_numbers(family):
    rng = np.random.default_rng(0)
    column = rng.normal(size=300)
    column[::3] = np.nan
    train = Rows(column[:, np.newaxis], np.isnan(column).astype(np.float64))
    predictions = fit_rows(family, train, None, min_samples_leaf=1).model.predict(train.X)[:, 0]
    np.testing.assert_array_equal(predictions > 0.5, train.y > 0.5)


def test_infinite_numbers(family):
    column = np.array([-np.inf, -1e300, -1.0, 1.0, 1e300, np.inf] * 20)
    train = Rows(column[:, np.newaxis], np.sign(column) * 3.0)
    predictions = fit_rows(family, train, None, min_samples_leaf=1, n_trees=40).model.predict(train.X)[:, 0]
    np.testing.assert_array_equal(np.sign(predictions), np.sign(column))


def test_probabilities_are_never_certain(family):
    X = np.arange(200.0)[:, np.newaxis]
    train = Rows(X, (X[:, 0] >= 100).astype(np.float64))
    predictions = fit_rows(family, train, None, min_samples_leaf=1).model.predict(X)
    assert 0.0 < predictions.min() < 0.05
    assert 0.95 < predictions.max() < 1.0


@pytest.mark.parametrize("spread", [2.0**40, 2.0**-40])
@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_regression_does_not_depend_on_the_targets_scale(family, spread, shift):
    case = LearnerCase.small(learner_for(family), TaskKind.REGRESSION)
    scaled = replace(
        case,
        train=replace(case.train, y=(case.train.y + shift) * spread),
        held_out=replace(case.held_out, y=(case.held_out.y + shift) * spread),
    )
    plain, moved = case.fit(), scaled.fit()
    X = case.held_out.X
    # A shift rounds, and rounding decides between splits that are equally good.
    tolerance = 1e-9 if shift == 0 else 0.1
    np.testing.assert_allclose(
        moved.model.predict(X) / spread - shift, plain.model.predict(X), rtol=tolerance
    )
    np.testing.assert_allclose(moved.curve[-1], plain.curve[-1] * spread**2, rtol=tolerance)


def test_only_the_order_of_a_column_counts(family):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = X[:, 0] + X[:, 1] * X[:, 2]
    plain = fit_rows(family, Rows(X, y), None).model.predict(X)
    stretched = fit_rows(family, Rows(np.exp(5 * X), y), None).model.predict(np.exp(5 * X))
    np.testing.assert_array_equal(plain, stretched)


def test_a_refit_on_more_rows_gets_the_same_trees(family):
    assert learner_for(family).refit_rounds(140, growth=8 / 7) == 140


def test_fewer_trees_on_many_rows(family):
    few, many = (
        learner_for(family).limits(ProblemShape(TaskKind.BINARY, n, 5, 0, 1), ()).max_rounds
        for n in (500, 90_000)
    )
    assert few > many >= 50
