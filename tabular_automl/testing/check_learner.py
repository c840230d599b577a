"""What every learner family must do, as checks its author can run.

Each is a function of a learner that raises an `AssertionError`::

    @pytest.mark.parametrize("check", learner_checks(), ids=lambda check: check.__name__)
    def test_contract(check):
        check(MyLearner())
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tabular_automl.core.fitting import FitOutcome, FloatArray, Rows
from tabular_automl.core.metrics import training_loss
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.table import Column, Table
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.base import Learner
from tabular_automl.testing.learner_case import LearnerCase

Check = Callable[[Learner], None]

# A bar that is out of reach from this round on, and how many rounds later a fit must have been left.
BAR_ROUND = 5
BAR_DELAY = 3
_PICKLE_SUFFIXES = {".pkl", ".pickle", ".joblib", ".dill"}
_PICKLE_STARTS = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))


def check_learner(learner: Learner) -> None:
    """Run every check; the first failure raises an AssertionError that says what the contract asks for."""
    for check in learner_checks():
        check(learner)


def learner_checks() -> list[Check]:
    """Return the checks, to be parametrised over."""
    return [
        check_declares_itself,
        check_defaults_are_in_space,
        check_samples_fit,
        check_cost_grows,
        check_memory_grows,
        check_fits_each_task,
        check_curve,
        check_predictions_of_rounds,
        check_saves_and_loads,
        check_same_seed_same_model,
        check_other_seed,
        check_inputs_stay_unchanged,
        check_one_row_is_like_many,
        check_weights_matter,
        check_should_stop,
        check_bar,
        check_progress,
        check_refits_without_held_out_rows,
        check_held_out_rows_are_only_watched,
        check_refit_rounds,
        check_hasten,
        check_all_missing_column,
        check_absent_class,
        check_constant_target,
    ]


def check_declares_itself(learner: Learner) -> None:
    """Find family, version, libraries and capabilities declared, the latter at least as its recipe needs."""
    assert learner.family, "family must be a name"
    assert learner.code_version >= 1, "code_version starts at 1"
    assert learner.libraries, "libraries must name what results depend on, such as ('numpy',)"
    assert learner.capabilities.tasks, "capabilities.tasks must not be empty"
    case = LearnerCase.small(learner, _any_task(learner))
    if np.isnan(case.train.X).any():
        assert learner.capabilities.handles_missing, "its recipe leaves NaN: handles_missing=True"
    if case.context.features.categorical:
        assert learner.capabilities.handles_categories, "its recipe codes levels: handles_categories=True"


def check_defaults_are_in_space(learner: Learner) -> None:
    """Find defaults inside the space, for small and large problems, with and without categories."""
    for task in learner.capabilities.tasks:
        for n_rows in (20, 300, 5_000, 200_000):
            for n_categorical in (0, 7):
                shape = ProblemShape(task, n_rows, 5, n_categorical, 3 if task is TaskKind.MULTICLASS else 1)
                defaults = learner.defaults(shape)
                assert defaults == tuple(sorted(defaults)), (
                    "defaults must be sorted by name: use freeze_params"
                )
                outside = [
                    (p.name, dict(defaults).get(p.name))
                    for p in learner.space(shape).active(defaults)
                    if not (p.name in dict(defaults) and p.contains(dict(defaults)[p.name]))
                ]
                assert not outside, f"defaults outside the space for {shape}: {outside}"


def check_samples_fit(learner: Learner) -> None:
    """Find values drawn from the space inside it, with its conditions kept."""
    case = LearnerCase.small(learner, _any_task(learner))
    for seed in range(20):
        space = learner.space(case.context.shape)
        params = space.sample(np.random.default_rng(seed))
        assert space.contains(params), f"drawn outside its own space: {params}"
        assert {name for name, _ in params} == {p.name for p in space.active(params)}


def check_cost_grows(learner: Learner) -> None:
    """Find the cost positive, finite, and growing with rows."""
    for task in learner.capabilities.tasks:
        costs = []
        for n_rows in (100, 10_000, 1_000_000):
            shape = ProblemShape(task, n_rows, 10, 2, 3 if task is TaskKind.MULTICLASS else 1)
            params = learner.defaults(shape)
            costs.append(learner.cost(shape, params, learner.expected_rounds(shape, params)))
        fixed = learner.defaults(ProblemShape(task, 1_000, 10, 2, 1))
        same = [learner.cost(ProblemShape(task, n, 10, 2, 1), fixed, 10) for n in (100, 10_000, 1_000_000)]
        assert all(np.isfinite(costs)), f"cost must be finite: {costs}"
        assert min(costs) > 0, f"cost must be positive: {costs}"
        assert same[0] < same[1] < same[2], f"cost must grow with rows: {same}"


def check_memory_grows(learner: Learner) -> None:
    """Find the expected memory finite, not negative, and not shrinking with rows or columns."""
    for task in learner.capabilities.tasks:
        n_outputs = 3 if task is TaskKind.MULTICLASS else 1
        params = learner.defaults(ProblemShape(task, 1_000, 10, 2, n_outputs))
        for shapes in (
            [ProblemShape(task, n_rows, 10, 2, n_outputs) for n_rows in (100, 10_000, 1_000_000)],
            [ProblemShape(task, 1_000, n_numeric, 2, n_outputs) for n_numeric in (1, 100, 10_000)],
        ):
            found = [learner.memory(shape, params) for shape in shapes]
            assert np.isfinite(found).all(), f"memory must be finite: {found}"
            assert min(found) >= 0, f"memory must not be negative: {found}"
            assert found == sorted(found), f"memory must not shrink with rows or columns: {found}"


def check_fits_each_task(learner: Learner) -> None:
    """Fit every declared task, with missing cells and categories."""
    for task in learner.capabilities.tasks:
        case = LearnerCase.small(learner, task)
        predictions = case.fit().model.predict(case.held_out.X)
        assert_valid_predictions(predictions, case)


def check_curve(learner: Learner) -> None:
    """Find a loss for each round (one without rounds), the same that predictions of that round have.

    Held-out rows count by their weight, if they have one.
    """
    for task in learner.capabilities.tasks:
        case = LearnerCase.small(learner, task)
        weight = np.linspace(0.1, 1.9, len(case.held_out.y))
        for held_out in (case.held_out, replace(case.held_out, weight=weight)):
            _assert_curve_is_of_predictions(replace(case, held_out=held_out))


def check_predictions_of_rounds(learner: Learner) -> None:
    """Find that all rounds is the default, and a shorter fit a prefix of a longer one."""
    case = LearnerCase.small(learner, _any_task(learner))
    model = case.fit().model
    X = case.held_out.X
    np.testing.assert_array_equal(model.predict(X), model.predict(X, model.rounds))
    half = max(1, model.rounds // 2)
    shorter = replace(case, context=replace(case.context, max_rounds=half)).fit().model
    assert shorter.rounds == half, f"max_rounds={half} gave {shorter.rounds} rounds"
    np.testing.assert_allclose(shorter.predict(X), model.predict(X, half), rtol=1e-9, atol=1e-12)


def check_saves_and_loads(learner: Learner) -> None:
    """Save, whole and cut, without pickle, and load with bit-identical predictions."""
    for task in learner.capabilities.tasks:
        case = LearnerCase.small(learner, task)
        model = case.fit().model
        X = case.held_out.X
        for rounds in (None, 1, max(1, model.rounds // 2)):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                model.save(folder, rounds)
                assert_no_pickle(folder)
                loaded = learner.load(folder)
                kept = model.rounds if rounds is None else rounds
                assert loaded.rounds == kept, f"cut to {kept} rounds, came back with {loaded.rounds}"
                expected = model.predict(X, rounds)
                np.testing.assert_array_equal(loaded.predict(X), expected)
                np.testing.assert_array_equal(loaded.predict(X, kept), expected)


def check_same_seed_same_model(learner: Learner) -> None:
    """Fit twice with one seed: the same predictions, bit for bit."""
    if not learner.capabilities.deterministic:
        return
    case = LearnerCase.small(learner, _any_task(learner))
    first, second = case.fit(), case.fit()
    np.testing.assert_array_equal(first.model.predict(case.held_out.X), second.model.predict(case.held_out.X))
    np.testing.assert_array_equal(first.curve, second.curve)


def check_other_seed(learner: Learner) -> None:
    """Fit with another seed, also without held-out rows: the same predictions, if none is declared used."""
    if learner.capabilities.uses_seed:
        return
    for task in learner.capabilities.tasks:
        case = LearnerCase.small(learner, task)
        for held_out in (case.held_out, None):
            first, second = (
                learner.fit(case.train, held_out, case.params, replace(case.context, seed=seed, max_rounds=4))
                for seed in (0, 1)
            )
            X = case.held_out.X
            same = np.array_equal(first.model.predict(X), second.model.predict(X))
            assert same, f"uses_seed=False, but another seed moved {task} predictions"


def check_inputs_stay_unchanged(learner: Learner) -> None:
    """Fit and predict on read-only arrays."""
    for task in learner.capabilities.tasks:
        case = LearnerCase.small(learner, task)
        frozen = replace(case, train=_read_only(case.train), held_out=_read_only(case.held_out))
        before = case.train.X.copy()
        model = frozen.fit().model
        model.predict(frozen.held_out.X)
        np.testing.assert_array_equal(case.train.X, before)


def check_one_row_is_like_many(learner: Learner) -> None:
    """Predict row by row and in a batch: within 1e-9; no rows give an empty array of the right width."""
    for task in learner.capabilities.tasks:
        case = LearnerCase.small(learner, task)
        model = case.fit().model
        X = case.held_out.X
        batch = model.predict(X)
        single = np.vstack([model.predict(X[row : row + 1]) for row in range(len(X))])
        np.testing.assert_allclose(single, batch, rtol=1e-9, atol=0)
        assert model.predict(X[:0]).shape == (0, case.context.shape.n_outputs)


def check_weights_matter(learner: Learner) -> None:
    """Move predictions by weights, where the family says that it uses them."""
    if not learner.capabilities.uses_weights:
        return
    for task in learner.capabilities.tasks:
        case = LearnerCase.small(learner, task)
        high = case.train.y > np.median(case.train.y) if task is TaskKind.REGRESSION else case.train.y > 0
        weight = np.where(high, 1.9, 0.1)
        weighted = replace(case, train=replace(case.train, weight=weight))
        # The first output falls with the other classes' weight, unless it is the positive class or a value.
        sign = -1 if task is TaskKind.MULTICLASS else 1
        plain, moved = (sign * c.fit().model.predict(case.held_out.X)[:, 0].mean() for c in (case, weighted))
        assert moved > plain, f"weights did not move {task} predictions"


def check_should_stop(learner: Learner) -> None:
    """Stop a fit: a learner with rounds keeps those it has, says so, and the model works."""
    if not learner.capabilities.uses_rounds:
        return
    for task in learner.capabilities.tasks:
        case = LearnerCase.small(learner, task)
        whole = case.fit()
        stopped = replace(case, context=replace(case.context, should_stop=lambda: True)).fit()
        assert not stopped.complete, "a fit cut short must say complete=False"
        assert 1 <= stopped.model.rounds < whole.model.rounds, "a fit cut short keeps its rounds"
        assert len(stopped.curve) == stopped.model.rounds
        assert_valid_predictions(stopped.model.predict(case.held_out.X), case)


def check_bar(learner: Learner) -> None:
    """Leave a fit that is behind its bar, in the curve's own units, and change nothing where it is not."""
    if not learner.capabilities.uses_rounds:
        return
    for task in learner.capabilities.tasks:
        case = LearnerCase.small(learner, task)
        if task is TaskKind.REGRESSION:  # far from the units of a scaled target
            case = replace(
                case,
                train=replace(case.train, y=1e3 * case.train.y),
                held_out=replace(case.held_out, y=1e3 * case.held_out.y),
            )
        whole = case.fit()
        so_far = np.minimum.accumulate(whole.curve)
        for reached in (np.full(3, np.inf), so_far * (1 + 1e-4) + 1e-9):
            kept = _fit_with_bar(case, reached)
            assert not kept.given_up, "a fit that reaches its bar is not given up"
            assert kept.complete == whole.complete
            if learner.capabilities.deterministic:
                np.testing.assert_array_equal(kept.curve, whole.curve)
                X = case.held_out.X
                np.testing.assert_array_equal(kept.model.predict(X), whole.model.predict(X))
        if whole.model.rounds > BAR_ROUND:
            _assert_left(case, np.append(np.full(BAR_ROUND - 1, np.inf), -np.inf), whole)
            _assert_left(case, np.append(np.full(BAR_ROUND - 1, np.inf), 0.99 * so_far[-1] - 1e-9), whole)


def check_progress(learner: Learner) -> None:
    """Find a round's progress positive and finite, also where hyperparameters are left out."""
    for task in learner.capabilities.tasks:
        shape = LearnerCase.small(learner, task).context.shape
        drawn = [learner.space(shape).sample(np.random.default_rng(seed)) for seed in range(5)]
        for params in ((), learner.defaults(shape), *drawn):
            progress = learner.progress(params)
            assert 0 < progress < np.inf, f"progress({params}) is {progress!r}"


def check_refits_without_held_out_rows(learner: Learner) -> None:
    """Fit without held-out rows: no curve."""
    for task in learner.capabilities.tasks:
        case = LearnerCase.small(learner, task)
        outcome = learner.fit(case.train, None, case.params, replace(case.context, max_rounds=4))
        assert outcome.curve.shape == (0,), "no held-out rows, no curve"
        assert outcome.model.rounds <= 4
        assert_valid_predictions(outcome.model.predict(case.held_out.X), case)


def check_held_out_rows_are_only_watched(learner: Learner) -> None:
    """Fit with and without held-out rows, for the same rounds: the same predictions, bit for bit."""
    if not learner.capabilities.deterministic:
        return
    for task in learner.capabilities.tasks:
        case = LearnerCase.small(learner, task)
        context = replace(case.context, patience=None)
        watched, alone = (
            learner.fit(case.train, held_out, case.params, context) for held_out in (case.held_out, None)
        )
        X = case.held_out.X
        same = np.array_equal(watched.model.predict(X), alone.model.predict(X))
        assert same, f"held-out rows moved {task} predictions: they may be watched, not learnt from"


def check_refit_rounds(learner: Learner) -> None:
    """Find a refit's rounds whole, never fewer than the joint round, and one for a family without rounds."""
    for joint_round in (1, 2, 7, 100, 5_000) if learner.capabilities.uses_rounds else (1,):
        for growth in (1.0, 8 / 7, 1.5, 10.0):
            rounds = learner.refit_rounds(joint_round, growth)
            asked = f"refit_rounds({joint_round}, {growth:.3g})"
            assert isinstance(rounds, int), f"{asked} is {rounds!r}, not a whole number"
            assert rounds >= joint_round, f"{asked} is {rounds}: fewer rounds for more rows"
            assert rounds == 1 or learner.capabilities.uses_rounds, f"{asked} is {rounds} without rounds"


def check_hasten(learner: Learner) -> None:
    """Find no more rounds expected of hastened hyperparameters, the same recipe, and that they fit."""
    for task in learner.capabilities.tasks:
        case = LearnerCase.small(learner, task)
        shape = case.context.shape
        drawn = [learner.space(shape).sample(np.random.default_rng(seed)) for seed in range(5)]
        for params in (case.params, *drawn):
            assert learner.hasten(params, 1.0) == params, "hasten by factor 1 must change nothing"
            slower = params
            for factor in (1.5, 2.0, 3.0, 100.0):
                hastened = learner.hasten(params, factor)
                names = [name for name, _ in params]
                assert [name for name, _ in hastened] == names, f"hasten must keep the names {names}, sorted"
                assert learner.recipe(hastened) == learner.recipe(params), "hasten must keep the recipe"
                rounds = [learner.expected_rounds(shape, each) for each in (slower, hastened)]
                assert rounds[1] <= rounds[0], (
                    f"hasten by {factor} expects {rounds[1]} rounds, not {rounds[0]}"
                )
                slower = hastened
        hastened = learner.hasten(case.params, 100.0)
        model = replace(case, params=hastened).fit().model
        assert_valid_predictions(model.predict(case.held_out.X), case)


def check_all_missing_column(learner: Learner) -> None:
    """Survive a column that has no value, and one with a single value, in the training rows of a fold."""
    for task in learner.capabilities.tasks:
        problem = LearnerCase.problem(task)
        first, second, *others = problem.table.columns
        fold = np.arange(problem.table.n_rows) < LearnerCase.n_train
        holed = Column(first.id, first.kind, np.where(fold, np.nan, first.values))
        flat = Column(second.id, second.kind, np.where(fold, 3.0, second.values))
        table = Table((holed, flat, *others), problem.table.n_rows)
        case = LearnerCase.of(learner, replace(problem, table=table))
        assert_valid_predictions(case.fit().model.predict(case.held_out.X), case)


def check_absent_class(learner: Learner) -> None:
    """Give a class that no training row of the fold has a column, with a probability near zero."""
    for task in learner.capabilities.tasks - {TaskKind.REGRESSION}:
        case = LearnerCase.small(learner, task)
        last = max(case.context.shape.n_outputs, 2) - 1
        kept = case.train.y < last
        train = Rows(case.train.X[kept], case.train.y[kept])
        predictions = replace(case, train=train).fit().model.predict(case.held_out.X)
        assert_valid_predictions(predictions, case)
        assert predictions[:, -1].mean() < 0.2, "a class never seen must not be probable"


def check_constant_target(learner: Learner) -> None:
    """Survive a regression target without any variation."""
    if TaskKind.REGRESSION not in learner.capabilities.tasks:
        return
    case = LearnerCase.small(learner, TaskKind.REGRESSION)
    train = replace(case.train, y=np.full(len(case.train.y), 7.0))
    predictions = replace(case, train=train).fit().model.predict(case.held_out.X)
    assert_valid_predictions(predictions, case)


def assert_valid_predictions(predictions: FloatArray, case: LearnerCase) -> None:
    """Find predictions float64, finite, of the right shape; probabilities in [0, 1] that sum to 1."""
    shape = case.context.shape
    assert predictions.dtype == np.float64
    assert predictions.shape == (len(case.held_out.y), shape.n_outputs)
    assert np.isfinite(predictions).all(), f"{np.sum(~np.isfinite(predictions))} predictions are not finite"
    if shape.task.is_classification:
        assert predictions.min() >= 0, "a probability is below 0"
        assert predictions.max() <= 1, "a probability is above 1"
    if shape.task is TaskKind.MULTICLASS:
        np.testing.assert_allclose(predictions.sum(axis=1), 1.0, atol=1e-9)


def assert_no_pickle(folder: Path) -> None:
    """Find no pickle in the folder, by name, by first bytes, or inside an npz."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files, "nothing was saved"
    for path in files:
        assert path.suffix not in _PICKLE_SUFFIXES, f"{path.name} is named like a pickle"
        assert not path.read_bytes().startswith(_PICKLE_STARTS), f"{path.name} is a pickle"
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                assert all(arrays[name].dtype.kind != "O" for name in arrays.files)


def _fit_with_bar(case: LearnerCase, bar: FloatArray) -> FitOutcome:
    return replace(case, context=replace(case.context, bar=bar)).fit()


def _assert_left(case: LearnerCase, bar: FloatArray, whole: FitOutcome) -> None:
    """Find a fit given up with the rounds it has at the latest a few rounds after the bar is out of reach."""
    left = _fit_with_bar(case, bar)
    assert left.given_up, f"behind a bar of {bar[-1]:.4g} from round {BAR_ROUND} on: given_up=True"
    assert left.complete, "a fit that was given up is complete: nobody stopped it"
    latest = BAR_ROUND + BAR_DELAY
    assert BAR_ROUND <= left.model.rounds <= latest, f"given up after {left.model.rounds} rounds"
    assert len(left.curve) == left.model.rounds, "a fit that was given up keeps its rounds"
    if case.learner.capabilities.deterministic:
        np.testing.assert_array_equal(left.curve, whole.curve[: len(left.curve)])
    assert_valid_predictions(left.model.predict(case.held_out.X), case)


def _assert_curve_is_of_predictions(case: LearnerCase) -> None:
    outcome, held_out = case.fit(), case.held_out
    assert outcome.complete, "a fit that nobody stopped is complete"
    wanted = outcome.model.rounds if case.learner.capabilities.uses_rounds else 1
    assert outcome.curve.shape == (wanted,), f"{len(outcome.curve)} losses for {wanted} rounds"
    assert outcome.model.rounds <= case.context.max_rounds, "max_rounds was not kept"
    weighted = "" if held_out.weight is None else " of weighted rows"
    for rounds in {1, (wanted + 1) // 2, wanted}:
        predictions = outcome.model.predict(held_out.X, rounds)
        loss = training_loss(case.context.shape.task).loss(held_out.y, predictions, held_out.weight)
        said = outcome.curve[rounds - 1]
        assert np.isclose(loss, said, rtol=1e-4, atol=1e-6), (
            f"curve says {said:.6g} after round {rounds}, predictions{weighted} say {loss:.6g}"
        )


def _any_task(learner: Learner) -> TaskKind:
    return min(learner.capabilities.tasks)


def _read_only(rows: Rows) -> Rows:
    copies = [None if array is None else array.copy() for array in (rows.X, rows.y, rows.weight)]
    for array in copies:
        if array is not None:
            array.setflags(write=False)
    X, y, weight = copies
    assert X is not None
    assert y is not None
    return Rows(X, y, weight)
