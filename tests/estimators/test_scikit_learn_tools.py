"""The estimators inside scikit-learn's own tools, on small real tables."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def test_cross_validation_in_processes_gives_the_scores_of_one(iris, classifier):
    X, y = iris
    alone = cross_validate(classifier(), X, y, cv=2)
    parallel = cross_validate(classifier(n_jobs=-1), X, y, cv=2, n_jobs=2, return_estimator=True)
    np.testing.assert_array_equal(parallel["test_score"], alone["test_score"])
    assert alone["test_score"].min() > 0.85
    # The two processes of joblib have all cores, so that neither fit has started processes of its own.
    assert [fitted.model_.run.settings["n_jobs"] for fitted in parallel["estimator"]] == [1, 1]


def test_cross_validation_in_threads_gives_the_scores_of_one(diabetes, regressor):
    X, y = diabetes
    alone = cross_val_score(regressor(cv=3), X, y, cv=2)
    with parallel_config(backend="threading"):
        parallel = cross_val_score(regressor(cv=3, n_jobs=-1), X, y, cv=2, n_jobs=2)
    np.testing.assert_array_equal(parallel, alone)
    assert alone.min() > 0.2


def test_held_out_probabilities_of_text_labels(iris, classifier):
    X, y = iris
    probabilities = cross_val_predict(classifier(cv=3), X, y, cv=3, method="predict_proba")
    assert probabilities.shape == (len(X), 3)
    assert (np.unique(y)[probabilities.argmax(axis=1)] == y).mean() > 0.85


def test_grid_search_over_metric_and_number_of_candidates(cancer, classifier):
    grid = {"metric": ["log_loss", "accuracy"], "max_candidates": [1, 2]}
    search = GridSearchCV(classifier(families=("linear", "lightgbm"), cv=2), grid, cv=2, scoring="roc_auc")
    search.fit(*cancer)
    assert set(search.best_params_) == set(grid)
    assert search.best_estimator_.model_.run.task.metric == search.best_params_["metric"]
    assert search.cv_results_["mean_test_score"].min() > 0.9
    assert search.predict_proba(cancer[0]).shape == (160, 2)


def one_hot_and_imputed() -> ColumnTransformer:
    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [
            ("texts", texts, make_column_selector(dtype_exclude="number")),
            ("numbers", SimpleImputer(), make_column_selector(dtype_include="number")),
        ]
    )


def test_pipeline_hands_over_feature_names(adult, classifier):
    X, y = adult
    pipeline = make_pipeline(one_hot_and_imputed(), classifier(cv=3)).set_output(transform="pandas")
    pipeline.fit(X, y)
    names = pipeline[0].get_feature_names_out().tolist()
    assert pipeline[-1].feature_names_in_.tolist() == names
    assert [column.name for column in pipeline[-1].model_.run.schema] == names
    assert pipeline.score(X, y) > 0.75


def test_pipeline_of_arrays_learns_the_same(adult, classifier):
    X, y = adult
    of_arrays = make_pipeline(one_hot_and_imputed(), classifier(cv=3)).fit(X, y)
    of_frames = (
        make_pipeline(one_hot_and_imputed(), classifier(cv=3)).set_output(transform="pandas").fit(X, y)
    )
    np.testing.assert_array_equal(of_arrays.predict_proba(X), of_frames.predict_proba(X))
    assert not hasattr(of_arrays[-1], "feature_names_in_")


def test_stacked_and_voting_classifiers(iris, classifier):
    X, y = iris
    members = [
        ("automl", classifier(cv=2)),
        ("logistic", make_pipeline(StandardScaler(), LogisticRegression())),
    ]
    for ensemble in (
        StackingClassifier(members, final_estimator=classifier(cv=2), cv=2),
        VotingClassifier(members, voting="soft"),
        VotingClassifier(members, voting="hard"),
    ):
        assert ensemble.fit(X, y).score(X, y) > 0.9
        assert set(ensemble.predict(X)) == set(y)


def test_stacked_and_voting_regressors(diabetes, regressor):
    X, y = diabetes
    members = [("automl", regressor(cv=2)), ("ridge", Ridge())]
    for ensemble in (StackingRegressor(members, cv=2), VotingRegressor(members)):
        assert ensemble.fit(X, y).score(X, y) > 0.3


def test_calibration_by_folds_and_of_a_frozen_estimator(cancer, classifier):
    X, y = cancer
    fitted = classifier(cv=2).fit(X.head(100), y.head(100))
    for calibrated in (
        CalibratedClassifierCV(classifier(cv=2), cv=2).fit(X, y),
        CalibratedClassifierCV(FrozenEstimator(fitted)).fit(X.tail(60), y.tail(60)),
    ):
        assert calibrated.predict_proba(X).shape == (160, 2)
        assert calibrated.score(X, y) > 0.85


def test_threshold_can_be_tuned(cancer, classifier):
    X, y = cancer
    rare = (y == "malignant") & (np.arange(len(y)) % 3 == 0)
    tuned = TunedThresholdClassifierCV(classifier(cv=2), scoring="balanced_accuracy", cv=2)
    tuned.fit(X, rare)
    assert 0 < tuned.best_threshold_ < 0.5
    plain = tuned.estimator_.predict(X)
    assert balanced_accuracy_score(rare, tuned.predict(X)) > balanced_accuracy_score(rare, plain)


def test_permutation_importance_finds_the_column_that_tells(iris, classifier):
    X, y = iris
    X = X[["petal width (cm)"]].assign(noise=np.random.default_rng(0).random(len(X)))
    fitted = classifier(cv=3).fit(X, y)
    found = permutation_importance(fitted, X, y, n_repeats=3, random_state=0)["importances_mean"]
    assert found[0] > 0.4
    assert abs(found[1]) < 0.1


def test_learning_curve_rises(diabetes, regressor):
    X, y = diabetes
    sizes, _, scores = learning_curve(regressor(cv=2), X, y, train_sizes=[20, 120], cv=4)
    assert sizes.tolist() == [20, 120]
    assert scores.mean(axis=1)[1] > scores.mean(axis=1)[0]


def rows_of_patients(cancer) -> dict[str, Any]:
    weight = pd.Series(np.where(cancer[1] == "malignant", 3.0, 1.0), index=cancer[1].index)
    return {"sample_weight": weight, "groups": np.arange(len(weight)) // 4}


def test_metadata_is_routed_through_cross_validation(cancer, classifier):
    with config_context(enable_metadata_routing=True):
        estimator = classifier().set_fit_request(sample_weight=True, groups=True)
        estimator.set_score_request(sample_weight=True)
        result = cross_validate(
            estimator, *cancer, params=rows_of_patients(cancer), cv=GroupKFold(2), return_estimator=True
        )
    assert result["test_score"].min() > 0.8
    for fitted in result["estimator"]:
        assert fitted.model_.run.scheme == "stratified grouped"
        malignant = fitted.model_.run.y == fitted.classes_.tolist().index("malignant")
        ratio = fitted.model_.run.weight[malignant].mean() / fitted.model_.run.weight[~malignant].mean()
        assert ratio == pytest.approx(3.0)


def test_metadata_is_routed_through_a_pipeline(cancer, classifier):
    with config_context(enable_metadata_routing=True):
        estimator = classifier().set_fit_request(sample_weight=True, groups=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = Pipeline([("scale", scaler), ("automl", estimator)])
        pipeline.fit(*cancer, **rows_of_patients(cancer))
    run = pipeline.named_steps["automl"].model_.run
    assert run.scheme == "stratified grouped"
    assert run.weight is not None


def test_metadata_that_was_not_requested_is_an_error(cancer, classifier):
    with config_context(enable_metadata_routing=True), pytest.raises(ValueError, match="not explicitly set"):
        cross_validate(classifier(), *cancer, params={"sample_weight": np.ones(160)}, error_score="raise")


def test_notebooks_show_a_diagram(iris, classifier):
    pipeline = make_pipeline(StandardScaler(), classifier(cv=2))
    for shown in (pipeline, pipeline.fit(*iris)):
        assert "TabularClassifier" in shown._repr_html_()
    assert repr(classifier()) == "TabularClassifier(families=('linear',), max_candidates=1, n_jobs=1)"
