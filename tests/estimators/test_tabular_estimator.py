"""What both estimators share: the engine's own answers, its parameters, names of columns, pickles."""

import copy
import inspect
import io
import pickle
import re

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline

import tabular_automl as ta
from tabular_automl.core.errors import InputError
from tabular_automl.core.progress import Event
from tabular_automl.learners import FAMILIES

BOTH = (ta.TabularClassifier, ta.TabularRegressor)
RENAMED = {"seed": "random_state", "splitter": "cv"}
# Rows are given to the method `fit`; the class says the task; scikit-learn's scores need every target.
NOT_PARAMETERS = {"df", "target", "task", "weight", "groups", "existing", "missing_target"}

each_class = pytest.mark.parametrize("estimator_class", BOTH)


@each_class
def test_parameters_are_the_keywords_of_fit(estimator_class):
    keywords = [RENAMED.get(name, name) for name in inspect.signature(ta.fit).parameters]
    assert set(estimator_class().get_params()) == set(keywords) - NOT_PARAMETERS


@each_class
def test_defaults_are_those_of_fit_but_silent(estimator_class):
    defaults = {
        RENAMED.get(name, name): parameter.default
        for name, parameter in inspect.signature(ta.fit).parameters.items()
    }
    parameters = estimator_class().get_params()
    assert parameters == {**{name: defaults[name] for name in parameters}, "progress": False}


def explanations(estimator_class: type) -> str:
    documentation = inspect.getdoc(estimator_class) or ""
    return documentation.partition("Parameters\n")[2].partition("Attributes\n")[0]


@each_class
def test_every_parameter_is_explained_in_order(estimator_class):
    explained = re.findall(r"^(\w+)$", explanations(estimator_class), re.MULTILINE)
    assert explained == list(inspect.signature(estimator_class).parameters)


def test_parameters_mean_the_same_to_both():
    parameter = re.compile(r"^(\w+)\n((?: {4}.*\n)+)", re.MULTILINE)
    by_name = [dict(parameter.findall(explanations(estimator_class))) for estimator_class in BOTH]
    differing = {name for name in by_name[0] if by_name[0][name] != by_name[1][name]}
    assert differing == {"metric", "cv"}


def test_the_model_is_that_of_fit(cancer, classifier):
    X, y = cancer
    estimator = classifier(random_state=3, families=("linear", "lightgbm"), max_candidates=2, cv=None)
    estimator.fit(X, y)
    model = ta.fit(
        X.assign(diagnosis=y),
        "diagnosis",
        seed=3,
        families=["linear", "lightgbm"],
        max_candidates=2,
        n_jobs=1,
        progress=False,
    )
    np.testing.assert_array_equal(estimator.predict_proba(X), model.predict_proba(X).to_numpy())
    assert estimator.model_.score_ == model.score_
    assert estimator.model_.run.task == model.run.task


def test_parameters_reach_the_engine(iris, classifier, tmp_path):
    X, y = iris
    events: list[Event] = []
    estimator = classifier(
        metric="accuracy",
        schema={X.columns[0]: "categorical"},
        human_level=0.5,
        run_dir=tmp_path / "run",
        progress=events.append,
        cv=3,
        time_limit=1000,
    )
    run = estimator.fit(X, y).model_.run
    assert (run.task.metric, run.n_folds, run.settings["time_limit"]) == ("accuracy", 3, 1000)
    assert run.schema.columns[0].kind == "categorical"
    assert any("human level" in comparison.baseline for comparison in run.comparisons)
    assert list((tmp_path / "run").iterdir())
    assert {event.stage for event in events} >= {"ingest", "done"}


def test_users_own_candidates_and_families_reach_the_engine(numbers, classifier):
    own = (("lightgbm", {"num_leaves": 3}),)
    run = classifier(candidates=own, max_candidates=2).fit(*numbers).model_.run
    tried = {(fit.candidate.family, fit.candidate.origin) for fit in run.crossfits}
    assert tried == {("prior", "default"), ("lightgbm", "user"), ("linear", "default")}


def test_what_is_said_of_the_search_reaches_the_engine_and_survives_a_clone(numbers, classifier, tmp_path):
    search = ta.Search(spaces={"linear": {"knots": 3}})
    model = clone(classifier(families=["linear"], search=search, max_candidates=1)).fit(*numbers).model_
    (linear,) = (fit.candidate for fit in model.run.crossfits if fit.candidate.family == "linear")
    assert dict(linear.params) == {"knots": 3}
    kept = ta.load(model.save(tmp_path / "model")).run.settings["search"]
    assert kept == search.describe()


def test_strict_stops_on_warnings(iris, classifier):
    X, y = iris
    with pytest.raises(InputError, match="always the same"):
        classifier(strict=True).fit(X.assign(same="always the same"), y)


def test_a_wrong_parameter_is_refused_by_fit_in_the_words_of_the_engine(numbers, regressor):
    X, _ = numbers
    for wrong, words in (
        ({"metric": "rms"}, "rmse"),
        ({"max_candidates": 0}, "max_candidates is 0"),
        ({"n_jobs": 0}, "n_jobs is 0"),
        ({"random_state": "x"}, "seed is 'x'"),
        ({"families": ["linnear"]}, "no learner family 'linnear'"),
        ({"cv": 1}, "1 is too small a number of folds"),
    ):
        with pytest.raises(InputError, match=words):
            regressor(**wrong).fit(X, X[:, 0])


def test_it_is_silent(iris, classifier, capfd, caplog):
    X, y = iris
    classifier().fit(X.assign(same=1), y).predict(X.assign(same=1))
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_parameters_can_be_read_set_and_cloned_in_nested_estimators(classifier):
    estimator = classifier(candidates=(("linear", {}),), schema={"a": "numeric"}, cv=GroupKFold(3))
    pipeline = Pipeline([("model", estimator)])
    assert pipeline.get_params()["model__candidates"] == (("linear", {}),)
    pipeline.set_params(model__metric="log_loss", model__max_candidates=7)
    copied = clone(pipeline).named_steps["model"]
    assert (copied.metric, copied.max_candidates) == ("log_loss", 7)
    assert repr(copied.get_params()) == repr(estimator.get_params())
    assert not hasattr(copied, "model_")


def test_random_state_is_an_integer_or_a_source_of_one(numbers, classifier):
    def seed_of(random_state) -> int:
        return classifier(random_state=random_state, cv=2).fit(*numbers).model_.run.settings["seed"]

    assert seed_of(5) == 5
    assert seed_of(np.int64(5)) == 5
    assert seed_of(np.random.RandomState(1)) == seed_of(np.random.RandomState(1))
    shared = np.random.RandomState(1)
    assert seed_of(shared) != seed_of(shared)
    np.random.seed(1)  # noqa: NPY002  # what None means to scikit-learn
    assert seed_of(None) == seed_of(np.random.RandomState(1))


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_an_unfitted_estimator_says_so(numbers, classifier, method):
    with pytest.raises(NotFittedError, match="TabularClassifier instance is not fitted yet"):
        getattr(classifier(), method)(numbers[0])


# --- columns ---


def test_frames_go_by_name(adult, classifier):
    X, y = adult
    estimator = classifier(cv=3).fit(X, y)
    assert estimator.feature_names_in_.tolist() == list(X.columns)
    assert estimator.n_features_in_ == X.shape[1]
    expected = estimator.predict_proba(X)
    np.testing.assert_array_equal(estimator.predict_proba(X[X.columns[::-1]]), expected)
    np.testing.assert_array_equal(estimator.predict_proba(pl.from_pandas(X)), expected)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
def test_missing_and_unknown_columns_are_the_usual_errors(iris, classifier):
    X, y = iris
    estimator = classifier(cv=3).fit(X, y)
    with pytest.raises(ValueError, match=r"seen at fit time, yet now missing:\n- sepal width"):
        estimator.predict(X.drop(columns="sepal width (cm)"))
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- colour"):
        estimator.predict(X.assign(colour=1))
    with pytest.raises(ValueError, match="X has 3 features, but TabularClassifier is expecting 4"):
        estimator.predict(X.drop(columns="sepal width (cm)").to_numpy())


def test_arrays_go_by_position_with_the_usual_warnings(iris, classifier):
    X, y = iris
    of_frame, of_array = classifier(cv=3).fit(X, y), classifier(cv=3).fit(X.to_numpy(), y)
    expected = of_frame.predict_proba(X)
    np.testing.assert_array_equal(of_array.predict_proba(X.to_numpy()), expected)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        np.testing.assert_array_equal(of_frame.predict_proba(X.to_numpy()), expected)
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        np.testing.assert_array_equal(of_array.predict_proba(X), expected)


def test_a_second_fit_forgets_the_names_of_the_first(iris, classifier):
    X, y = iris
    estimator = classifier(cv=2).fit(X, y).fit(X.to_numpy()[:, :2], y)
    assert estimator.n_features_in_ == 2
    assert not hasattr(estimator, "feature_names_in_")


def test_columns_named_twice_are_refused(iris, classifier):
    X, y = iris
    with pytest.raises(InputError, match=r"'petal width \(cm\)' appears 2 times"):
        classifier().fit(pd.concat([X, X[["petal width (cm)"]]], axis=1), y)


def test_the_target_keeps_its_name_and_the_frame_stays_as_it_was(iris, classifier):
    X, y = iris
    before = X.copy()
    assert classifier(cv=2).fit(X, y).model_.run.task.target == "species"
    pd.testing.assert_frame_equal(X, before)


def test_sparse_rows_predict_as_dense_ones_do(rng, regressor):
    dense = np.where(rng.random((80, 4)) < 0.7, 0.0, rng.normal(size=(80, 4)))
    y = dense.sum(axis=1)
    of_dense = regressor(cv=3).fit(dense, y)
    of_sparse = regressor(cv=3).fit(sparse.csr_array(dense), y)
    for rows in (dense, sparse.csc_matrix(dense)):
        np.testing.assert_array_equal(of_sparse.predict(rows), of_dense.predict(dense))


def test_no_rows_give_no_predictions(iris, classifier):
    X, y = iris
    estimator = classifier(cv=2).fit(X, y)
    assert estimator.predict(X.head(0)).shape == (0,)
    assert estimator.predict(X.head(0)).dtype == estimator.classes_.dtype
    assert estimator.predict_proba(X.head(0)).shape == (0, 3)


# --- rows ---


def test_rows_that_could_be_mixed_up_are_refused(iris, classifier):
    X, y = iris
    with pytest.raises(InputError, match=r"index of y differs from that of X.* as by y\.loc\[X\.index\]"):
        classifier().fit(X, y.sort_index())
    with pytest.raises(InputError, match="index of sample_weight differs"):
        classifier().fit(X, y, sample_weight=pd.Series(1.0, index=X.index).sort_index())


def test_lengths_that_differ_are_refused(numbers, classifier):
    X, y = numbers
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier().fit(X, y[:-1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier().fit(X, np.zeros(2))
    with pytest.raises(ValueError, match="weight has 59 values for 60 rows"):
        classifier().fit(X, y, sample_weight=np.ones(59))
    with pytest.raises(ValueError, match="groups has 59 values for 60 rows"):
        classifier().fit(X, y, groups=np.ones(59))


def test_weights_count_in_every_form(rng, numbers, classifier):
    X, y = numbers[0], rng.random(60) < 0.5
    weight = np.where(y, 9.0, 1.0)
    plain = classifier(cv=3).fit(X, y).predict_proba(X)[:, 1].mean()
    forms = [weight, weight.tolist(), pd.Series(weight), weight[:, np.newaxis]]
    weighted = [classifier(cv=3).fit(X, y, sample_weight=form).predict_proba(X)[:, 1] for form in forms]
    assert weighted[0].mean() > plain + 0.2
    for other in weighted[1:]:
        np.testing.assert_array_equal(other, weighted[0])


@pytest.mark.parametrize("cv", [None, 3, GroupKFold(3)])
def test_groups_stay_together(numbers, regressor, cv):
    X, _ = numbers
    groups = np.array([f"group {number}" for number in np.arange(60) // 5])
    run = regressor(cv=cv).fit(X, X[:, 0], groups=groups).model_.run
    assert run.n_folds == (8 if cv is None else 3)
    assert run.scheme == ("custom" if isinstance(cv, GroupKFold) else "grouped")
    assert not [finding for finding in run.findings if finding.check == "groups_split"]


@pytest.mark.parametrize("is_frame", [True, False])
def test_folds_never_look_ahead_of_a_time_column(rng, regressor, is_frame):
    X = rng.normal(size=(60, 2))
    X[:, 1] = rng.permutation(60)
    given = pd.DataFrame(X, columns=["x", "day"]) if is_frame else X
    run = regressor(time_column="day" if is_frame else 1, cv=3).fit(given, X[:, 0]).model_.run
    assert (run.scheme, run.n_folds) == ("time-ordered", 3)


# --- pickles ---


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "prior"])
def test_a_fitted_estimator_of_any_family_can_be_copied(cancer, classifier, family):
    X, y = cancer
    estimator = classifier(families=(family,), cv=2).fit(X, y)
    expected = estimator.predict_proba(X)
    stored = io.BytesIO()
    joblib.dump(estimator, stored)
    for copied in (
        pickle.loads(pickle.dumps(estimator)),  # noqa: S301
        copy.deepcopy(estimator),
        joblib.load(stored),
    ):
        np.testing.assert_array_equal(copied.predict_proba(X), expected)
        assert copied.get_params() == estimator.get_params()
        assert str(copied.model_.report()) == str(estimator.model_.report())
    assert {member.candidate.family for member in estimator.model_.run.ensemble.members} >= {family}
