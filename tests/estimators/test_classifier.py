"""Labels come back in their own type and order; what cannot be classes is refused."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score

from tabular_automl.core.errors import InputError

LABELS = {
    "int8": np.array([3, 7], dtype=np.int8),
    "negative": np.array([-1, 1]),
    "float": np.array([0.0, 1.0]),
    "bool": np.array([False, True]),
    "text": np.array(["no", "yes"]),
    "object": np.array(["no", "yes"], dtype=object),
    "digits": np.array(["1", "10"]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_keep_their_type(numbers, classifier, kind):
    X, above = numbers
    labels = LABELS[kind]
    estimator = classifier(cv=3).fit(X, labels[above.astype(int)])
    assert estimator.classes_.dtype == labels.dtype
    assert estimator.classes_.tolist() == labels.tolist()
    predicted = estimator.predict(X)
    assert predicted.dtype == labels.dtype
    assert accuracy_score(labels[above.astype(int)], predicted) > 0.9


@pytest.mark.parametrize(
    ("series", "classes"),
    [
        (pd.Series([1, 2] * 30, dtype="Int64"), np.array([1, 2])),
        (pd.Series([True, False] * 30, dtype="boolean"), np.array([False, True])),
        (pd.Series(["b", "a"] * 30, dtype="string"), np.array(["a", "b"], dtype=object)),
        (
            pd.Series(
                pd.Categorical(["low", "high", "mid"] * 20, ["low", "mid", "high", "unused"], ordered=True)
            ),
            np.array(["high", "low", "mid"], dtype=object),
        ),
    ],
)
def test_classes_of_a_series_are_sorted_arrays(numbers, classifier, series, classes):
    estimator = classifier(cv=2).fit(numbers[0], series)
    np.testing.assert_array_equal(estimator.classes_, classes)
    assert estimator.classes_.dtype == classes.dtype
    assert set(estimator.predict(numbers[0])) <= set(classes)


def test_probabilities_are_in_the_order_of_the_classes(iris, classifier):
    X, y = iris
    estimator = classifier().fit(X, y)
    probabilities = estimator.predict_proba(X)
    assert probabilities.shape == (len(X), 3)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    by_label = estimator.model_.predict_proba(X)
    for place, label in enumerate(estimator.classes_):
        np.testing.assert_array_equal(probabilities[:, place], by_label[label].to_numpy())
    np.testing.assert_array_equal(estimator.classes_[probabilities.argmax(axis=1)], estimator.predict(X))
    assert estimator.score(X, y) == accuracy_score(y, estimator.predict(X)) > 0.9


def test_a_metric_for_another_task_is_refused(numbers, classifier):
    with pytest.raises(InputError, match="rmse"):
        classifier(metric="rmse").fit(*numbers)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.ones(60), r"one class, 1\.0; at least 2"),
        (np.linspace(0, 1, 60), "Unknown label type: continuous"),
        (np.zeros((60, 2)), "y should be a 1d array"),
        (None, "requires y to be passed, but the target y is None"),
        (["a", None] * 30, "missing in 30 of 60 rows"),
    ],
)
def test_what_cannot_be_classes_is_refused(numbers, classifier, y, words):
    with pytest.raises(ValueError, match=words):
        classifier().fit(numbers[0], y)
