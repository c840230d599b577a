"""Values come back as floating-point numbers; what cannot be values is refused."""

import numpy as np
import pandas as pd
import pytest

from tabular_automl.core.errors import InputError


@pytest.mark.parametrize(
    ("given", "predicted"),
    [("float64", "float64"), ("float32", "float32"), ("int16", "float64"), ("Int64", "float64")],
)
def test_values_are_floating_point_numbers(numbers, regressor, given, predicted):
    X, _ = numbers
    y = pd.Series(10 * X[:, 0]).round().astype(given)
    estimator = regressor(cv=3).fit(X, y)
    values = estimator.predict(X)
    assert isinstance(values, np.ndarray)
    assert values.dtype == predicted
    assert values.shape == (60,)
    assert estimator.score(X, y.astype(float)) > 0.9


@pytest.mark.parametrize("form", [bool, str, object])
def test_truth_values_and_texts_are_numbers_as_in_scikit_learn(numbers, regressor, form):
    X, above = numbers
    y = above if form is bool else above.astype(int).astype(form)
    predicted = regressor(cv=3).fit(X, y).predict(X)
    np.testing.assert_array_equal(predicted, regressor(cv=3).fit(X, above.astype(float)).predict(X))


def test_few_distinct_values_are_no_classes(iris, regressor):
    X, y = iris
    estimator = regressor().fit(X, y.map({"setosa": 0, "versicolor": 1, "virginica": 2}))
    assert estimator.model_.run.task.kind == "regression"
    assert not hasattr(estimator, "predict_proba")
    assert not hasattr(estimator, "classes_")


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (["a"] * 60, "could not convert string to float"),
        (np.ones(60), "constant"),
        (np.array([1.0, np.inf] * 30), "infinite in 30 of 60 rows"),
        (np.array([1.0, np.nan] * 30), "missing in 30 of 60 rows"),
        (pd.date_range("2020", periods=60), "points in time"),
        (np.zeros((60, 2)), "y should be a 1d array"),
    ],
)
def test_what_cannot_be_values_is_refused(numbers, regressor, y, words):
    with pytest.raises(ValueError, match=words):
        regressor().fit(numbers[0], y)


def test_a_metric_for_another_task_is_refused(numbers, regressor):
    with pytest.raises(InputError, match="log_loss"):
        regressor(metric="log_loss").fit(*numbers)
