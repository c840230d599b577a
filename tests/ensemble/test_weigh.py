from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.errors import TabularAutoMLError
from tabular_automl.core.folds import TIME_ORDERED
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit import Request, Runtime, Workers, cross_fit
from tabular_automl.crossfit.load_models import load_models
from tabular_automl.ensemble import Weighed, predict_ensemble, weigh
from tabular_automl.ingest import ingest
from tabular_automl.learners import learner_for
from tabular_automl.testing import small_frame


@dataclass(frozen=True)
class Setting:
    problem: Problem
    options: Options
    runtime: Runtime

    def fit(self, family: str, n_folds: int = 99) -> CrossFit:
        learner = learner_for(family)
        params = learner.defaults(self.problem.shape)
        candidate = Candidate(family, params, learner.recipe(params), label="default")
        request = Request(candidate, min(n_folds, len(self.problem.folds)), None)
        (result,) = cross_fit(iter([request]), self.problem, self.runtime)
        assert isinstance(result, CrossFit), result
        return result

    def weigh(self, *results: CrossFit | Failure, baselines: tuple[CrossFit, ...] = ()) -> Weighed:
        level = self.options.human_level
        return weigh(self.problem, baselines, results, self.runtime, human_level=level)


@contextmanager
def opened(kind: TaskKind, **changes: Any) -> Iterator[Setting]:
    options = Options("target", n_jobs=1, max_candidates=9, time_limit=None, **changes)
    budget = Budget.start(options)
    with Workers.start(budget) as workers:
        problem = ingest(small_frame(kind), options)
        with Runtime.open(problem, options, budget, workers) as runtime:
            yield Setting(problem, options, runtime)


@pytest.mark.parametrize("kind", list(TaskKind))
def test_the_ensemble_predicts_and_its_weights_sum_to_one(kind: TaskKind) -> None:
    with opened(kind) as setting:
        fits = setting.fit("linear"), setting.fit("lightgbm")
        weighed = setting.weigh(*fits)
        weights = [member.weight for member in weighed.ensemble.members]
        assert sum(weights) == pytest.approx(1)
        assert weights == sorted(weights, reverse=True)
        assert [member.member for member in weighed.fitted.members] == list(weighed.ensemble.members)
        for member in weighed.fitted.members:
            fit = next(fit for fit in fits if fit.candidate == member.member.candidate)
            assert len(member.models) == len(fit.folds)
            assert member.rounds == fit.joint_round
        predictions = predict_ensemble(weighed.fitted, setting.problem.table)
        assert predictions.shape == (setting.problem.n_rows, setting.problem.task.n_outputs)
        assert weighed.score.low < weighed.score.value < weighed.score.high
        assert weighed.score.metric == setting.problem.task.metric
        assert weighed.score.n_rows == setting.problem.n_rows


@pytest.mark.parametrize("kind", list(TaskKind))
def test_the_prior_alone_is_an_ensemble(kind: TaskKind) -> None:
    with opened(kind) as setting:
        prior = setting.fit("prior")
        weighed = setting.weigh(prior, Failure(prior.candidate, 0, "worker died", 1.0))
        assert [member.weight for member in weighed.ensemble.members] == [1.0]
        assert weighed.score.optimism == pytest.approx(0, abs=1e-9)
        predictions = predict_ensemble(weighed.fitted, setting.problem.table)
        assert np.ptp(predictions, axis=0) == pytest.approx(0)


def test_where_order_counts_the_prior_is_no_member() -> None:
    with opened(TaskKind.BINARY) as setting:
        weighed = setting.weigh(setting.fit("prior"), setting.fit("linear"))
        assert [member.candidate.family for member in weighed.ensemble.members] == ["linear"]


def test_a_candidate_on_one_fold_does_not_cost_rows_unless_it_pays() -> None:
    with opened(TaskKind.REGRESSION) as setting:
        prior, linear = setting.fit("prior"), setting.fit("linear")
        short_prior, short_linear = setting.fit("prior", n_folds=2), setting.fit("linear", n_folds=2)
        n_rows = setting.problem.n_rows
        assert setting.weigh(linear, short_prior).score.n_rows == n_rows
        weighed = setting.weigh(prior, short_linear)
        assert weighed.score.n_rows == len(short_linear.rows) < n_rows
        assert weighed.ensemble.members[0].candidate.family == "linear"
        assert len(weighed.fitted.members[0].models) == 2


def test_a_candidate_taken_up_again_counts_once_with_all_its_folds() -> None:
    with opened(TaskKind.REGRESSION) as setting:
        short, whole = setting.fit("linear", n_folds=2), setting.fit("linear")
        weighed = setting.weigh(short, whole)
        assert len(weighed.ensemble.members) == 1
        assert weighed.score.n_rows == setting.problem.n_rows


def test_ordered_in_time_the_model_that_saw_the_most_recent_rows_predicts_alone() -> None:
    moments = np.random.default_rng(0).permutation(small_frame(TaskKind.REGRESSION).shape[0])
    with opened(TaskKind.REGRESSION, time_column=moments) as setting:
        fit = setting.fit("linear")
        assert setting.problem.folds.scheme == TIME_ORDERED
        assert len(fit.folds) > 1
        (member,) = setting.weigh(fit).fitted.members
        (model,) = member.models
        newest = load_models(fit)[0]
        X = member.encoder.transform(setting.problem.table)
        assert np.array_equal(model.predict(X, member.rounds), newest.predict(X, member.rounds))
        assert moments[setting.problem.folds.folds[0].train].max() == max(
            moments[fold.train].max() for fold in setting.problem.folds.folds
        )


def test_the_human_level_is_a_comparison() -> None:
    with opened(TaskKind.REGRESSION, human_level=0.01) as setting:
        prior, linear = setting.fit("prior"), setting.fit("linear")
        found = {one.baseline: one for one in setting.weigh(linear, baselines=(prior,)).comparisons}
        assert found["human level"].high < 0
        assert found["default"].clear  # the prior, in the place of a baseline


def test_nothing_fitted_names_the_reasons() -> None:
    with opened(TaskKind.BINARY) as setting:
        failure = Failure(Candidate("linear", (), learner_for("linear").recipe(())), 0, "out of memory", 1.0)
        with pytest.raises(TabularAutoMLError, match=r"Every candidate failed \(1\).*out of memory"):
            setting.weigh(failure)
        with pytest.raises(TabularAutoMLError, match="Raise time_limit"):
            setting.weigh()


def test_equal_inputs_give_equal_ensembles() -> None:
    with opened(TaskKind.MULTICLASS) as setting:
        fits = setting.fit("linear"), setting.fit("prior")
        first, second = setting.weigh(*fits), setting.weigh(*fits)
        assert first.ensemble == second.ensemble
        assert first.score == second.score


@pytest.mark.parametrize(
    ("kind", "metric"), [(TaskKind.BINARY, "accuracy"), (TaskKind.REGRESSION, "mae"), (TaskKind.BINARY, "f1")]
)
def test_rows_of_weight_0_do_not_leave_a_resample_without_weight(kind: TaskKind, metric: str) -> None:
    groups = np.arange(len(small_frame(kind))) % 3
    weight = (groups > 0).astype(float)
    with opened(kind, metric=metric, groups=groups, weight=weight) as setting:
        weighed = setting.weigh(setting.fit("linear"), setting.fit("prior"))
        assert np.isfinite([weighed.score.value, weighed.score.low, weighed.score.high]).all()
        assert weighed.score.n_rows == weight.sum()
