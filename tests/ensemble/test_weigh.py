from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import Failure
from tabular_automl.core.errors import TabularAutoMLError
from tabular_automl.core.task import TaskKind
from tabular_automl.ensemble import predict_ensemble
from tabular_automl.learners import learner_for
from tabular_automl.testing import small_frame

Open = Callable[..., AbstractContextManager[Any]]


@pytest.mark.parametrize("kind", list(TaskKind))
def test_the_ensemble_predicts_and_its_weights_sum_to_one(opened: Open, kind: TaskKind) -> None:
    with opened(kind) as setting:
        fits = setting.fit("linear"), setting.fit("lightgbm")
        weighed = setting.weigh(*fits)
        weights = [member.weight for member in weighed.ensemble.members]
        assert sum(weights) == pytest.approx(1)
        assert weights == sorted(weights, reverse=True)
        assert [member.member for member in weighed.fitted.members] == list(weighed.ensemble.members)
        assert weighed.failures == ()
        predictions = predict_ensemble(weighed.fitted, setting.problem.table)
        assert predictions.shape == (setting.problem.n_rows, setting.problem.task.n_outputs)
        assert weighed.score.low < weighed.score.value < weighed.score.high
        assert weighed.score.metric == setting.problem.task.metric
        assert weighed.score.n_rows == setting.problem.n_rows


@pytest.mark.parametrize("kind", list(TaskKind))
def test_the_prior_alone_is_an_ensemble(opened: Open, kind: TaskKind) -> None:
    with opened(kind) as setting:
        prior = setting.fit("prior")
        weighed = setting.weigh(prior, Failure(prior.candidate, 0, "worker died", 1.0))
        assert [member.weight for member in weighed.ensemble.members] == [1.0]
        assert weighed.score.optimism == pytest.approx(0, abs=1e-9)
        predictions = predict_ensemble(weighed.fitted, setting.problem.table)
        assert np.ptp(predictions, axis=0) == pytest.approx(0)


def test_where_order_counts_the_prior_is_no_member(opened: Open) -> None:
    with opened(TaskKind.BINARY) as setting:
        weighed = setting.weigh(setting.fit("prior"), setting.fit("linear"))
        assert [member.candidate.family for member in weighed.ensemble.members] == ["linear"]


def test_a_candidate_on_one_fold_does_not_cost_rows_unless_it_pays(opened: Open) -> None:
    with opened(TaskKind.REGRESSION) as setting:
        prior, linear = setting.fit("prior"), setting.fit("linear")
        short_prior, short_linear = setting.fit("prior", n_folds=2), setting.fit("linear", n_folds=2)
        n_rows = setting.problem.n_rows
        assert setting.weigh(linear, short_prior).score.n_rows == n_rows
        weighed = setting.weigh(prior, short_linear)
        assert weighed.score.n_rows == len(short_linear.rows) < n_rows
        assert weighed.ensemble.members[0].candidate.family == "linear"
        of_folds = [model for model in weighed.fitted.members[0].models if not model.is_refit]
        assert len(of_folds) == 2


def test_a_candidate_taken_up_again_counts_once_with_all_its_folds(opened: Open) -> None:
    with opened(TaskKind.REGRESSION) as setting:
        short, whole = setting.fit("linear", n_folds=2), setting.fit("linear")
        weighed = setting.weigh(short, whole)
        assert len(weighed.ensemble.members) == 1
        assert weighed.score.n_rows == setting.problem.n_rows


def test_refits_change_no_score(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(TaskKind.BINARY, human_level=0.9) as setting:
        fits = setting.fit("linear"), setting.fit("lightgbm")
        prior = setting.fit("prior")
        found = []
        for copies in (0, 3):
            # The package offers functions under the names of their modules.
            monkeypatch.setattr(import_module("tabular_automl.ensemble.serve"), "COPIES", copies)
            found.append(setting.weigh(*fits, baselines=(prior,)))
        without, refitted = found
        assert not any(model.is_refit for member in without.fitted.members for model in member.models)
        assert any(model.is_refit for member in refitted.fitted.members for model in member.models)
        assert refitted.score == without.score
        assert refitted.ensemble == without.ensemble
        assert refitted.comparisons == without.comparisons


def test_the_human_level_is_a_comparison(opened: Open) -> None:
    with opened(TaskKind.REGRESSION, human_level=0.01) as setting:
        prior, linear = setting.fit("prior"), setting.fit("linear")
        found = {one.baseline: one for one in setting.weigh(linear, baselines=(prior,)).comparisons}
        assert found["human level"].high < 0
        assert found["default"].clear  # the prior, in the place of a baseline


def test_nothing_fitted_names_the_reasons(opened: Open) -> None:
    with opened(TaskKind.BINARY) as setting:
        failure = Failure(Candidate("linear", (), learner_for("linear").recipe(())), 0, "out of memory", 1.0)
        with pytest.raises(TabularAutoMLError, match=r"Every candidate failed \(1\).*out of memory"):
            setting.weigh(failure)
        with pytest.raises(TabularAutoMLError, match="Raise time_limit"):
            setting.weigh()


def test_equal_inputs_give_equal_ensembles(opened: Open) -> None:
    with opened(TaskKind.MULTICLASS) as setting:
        fits = setting.fit("linear"), setting.fit("prior")
        first, second = setting.weigh(*fits), setting.weigh(*fits)
        assert first.ensemble == second.ensemble
        assert first.score == second.score


@pytest.mark.parametrize(
    ("kind", "metric"), [(TaskKind.BINARY, "accuracy"), (TaskKind.REGRESSION, "mae"), (TaskKind.BINARY, "f1")]
)
def test_rows_of_weight_0_do_not_leave_a_resample_without_weight(
    opened: Open, kind: TaskKind, metric: str
) -> None:
    groups = np.arange(len(small_frame(kind))) % 3
    weight = (groups > 0).astype(float)
    with opened(kind, metric=metric, groups=groups, weight=weight) as setting:
        weighed = setting.weigh(setting.fit("linear"), setting.fit("prior"))
        assert np.isfinite([weighed.score.value, weighed.score.low, weighed.score.high]).all()
        assert weighed.score.n_rows == weight.sum()
