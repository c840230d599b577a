import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

import tabular_automl as ta
from tabular_automl.core.candidate import Params
from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.ensemble import FittedMember, Member
from tabular_automl.core.errors import TabularAutoMLError
from tabular_automl.core.fitting import FitContext, FitOutcome, FittedModel, Rows
from tabular_automl.core.folds import TIME_ORDERED
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit.fold_job import ALL_ROWS
from tabular_automl.crossfit.load_models import load_models
from tabular_automl.crossfit.refit import refit
from tabular_automl.ensemble.serve import BAG_ROWS, COPIES, REFIT_SHARE, serve, serves_bag
from tabular_automl.learners import learner_for
from tabular_automl.learners.linear import Linear
from tabular_automl.testing import FAKE_FAMILY, FakeLearner, small_frame

Open = Callable[..., AbstractContextManager[Any]]
# The package offers functions under the names of their modules.
SERVE = import_module("tabular_automl.ensemble.serve")
MOMENTS = np.random.default_rng(0).permutation(160)


class FailsRefits(FakeLearner):
    """Learns from folds, but not from all rows."""

    family: ClassVar[str] = f"{__name__}:FailsRefits"

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        if held_out is None:
            raise MemoryError("too many rows")
        return super().fit(train, held_out, params, context)


class LinearFailsRefits(Linear):
    """Learns from folds, and better than the prior, but not from all rows."""

    family: ClassVar[str] = f"{__name__}:LinearFailsRefits"

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        if held_out is None:
            raise MemoryError("too many rows")
        return super().fit(train, held_out, params, context)


class LinearFailsLoading(Linear):
    """Its models can be loaded where they were made, and nowhere later; counts its refits."""

    family: ClassVar[str] = f"{__name__}:LinearFailsLoading"
    may_load: ClassVar[bool] = True
    n_refits: ClassVar[int] = 0

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        type(self).n_refits += held_out is None
        return super().fit(train, held_out, params, context)

    def load(self, folder: Path) -> FittedModel:
        if not self.may_load:
            raise OSError("the licence has expired")
        return super().load(folder)


class FailsSecondRefits(FakeLearner):
    """Fails in refits whose seed is odd."""

    family: ClassVar[str] = f"{__name__}:FailsSecondRefits"
    seeds: ClassVar[list[int]] = []

    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        if held_out is None:
            self.seeds.append(context.seed)
            if len(self.seeds) == 2:
                raise ValueError("the second one")
        return super().fit(train, held_out, params, context)


@pytest.fixture(params=["few rows", "many rows", "time-ordered"])
def plan(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "many rows":
        monkeypatch.setattr(SERVE, "BAG_ROWS", 100)
    return str(request.param)


def options_of(plan: str) -> dict[str, Any]:
    return {"time_column": MOMENTS} if plan == "time-ordered" else {}


def served(setting: Any, *fits: CrossFit) -> tuple[dict[str, FittedMember], tuple[Any, ...]]:
    """Serve members of equal weight; return them by the last part of their family's name."""
    members = [Member(fit.candidate, 1 / len(fits)) for fit in fits]
    weighted = [(fit, 1 / len(fits)) for fit in fits]
    fitted, failures, lost = serve(weighted, setting.problem, setting.runtime)
    assert lost == ()
    assert [member.member for member in fitted.members] == members
    names = [member.candidate.family.rpartition(":")[2] for member in members]
    return dict(zip(names, fitted.members, strict=True)), failures


def shares(member: FittedMember, *, of_refits: bool) -> list[float]:
    return [model.share for model in member.models if model.is_refit is of_refits]


def goals(member: FittedMember, *, of_refits: bool) -> list[float]:
    """What the fake learner's models learned: the mean of the rows they saw."""
    models: list[Any] = [model.model for model in member.models if model.is_refit is of_refits]
    return [float(model.goal[0]) for model in models]


def test_refits_join_the_fold_models_on_few_rows_and_take_their_place_elsewhere(
    opened: Open, plan: str
) -> None:
    with opened(TaskKind.REGRESSION, **options_of(plan)) as setting:
        fits = [setting.fit(family) for family in (FAKE_FAMILY, "linear")]
        found, failures = served(setting, *fits)
    assert failures == ()
    n_folds = len(fits[0].folds)
    assert n_folds > 1
    for member, copies in zip(found.values(), (COPIES, 1), strict=True):
        of_folds = REFIT_SHARE if plan == "few rows" else 0.0
        assert shares(member, of_refits=True) == pytest.approx([(1 - of_folds) / copies] * copies)
        assert shares(member, of_refits=False) == pytest.approx(
            [of_folds / n_folds] * n_folds if of_folds else []
        )
        assert sum(model.share for model in member.models) == pytest.approx(1.0, abs=1e-12)


def test_without_refits_the_fold_models_predict_of_ordered_ones_the_newest(
    opened: Open, plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SERVE, "COPIES", 0)
    with opened(TaskKind.REGRESSION, **options_of(plan)) as setting:
        fit = setting.fit(FAKE_FAMILY)
        found, failures = served(setting, fit)
        plan_of_folds, y = setting.problem.folds, setting.problem.y
    assert failures == ()
    served_folds = plan_of_folds.folds[:1] if plan == "time-ordered" else plan_of_folds.first_repeat
    member = found["FakeLearner"]
    assert shares(member, of_refits=False) == pytest.approx([1 / len(served_folds)] * len(served_folds))
    assert shares(member, of_refits=True) == []
    assert goals(member, of_refits=False) == pytest.approx([y[fold.train].mean() for fold in served_folds])
    if plan == "time-ordered":
        newest = [MOMENTS[fold.train].max() for fold in plan_of_folds.folds]
        assert newest[0] == max(newest)


def test_every_refit_that_predicts_has_seen_all_rows(opened: Open, plan: str) -> None:
    with opened(TaskKind.REGRESSION, **options_of(plan)) as setting:
        found, _ = served(setting, setting.fit(FAKE_FAMILY))
        of_all = setting.problem.y.mean()
    assert goals(found["FakeLearner"], of_refits=True) == pytest.approx([of_all] * COPIES)
    assert of_all not in goals(found["FakeLearner"], of_refits=False)


def test_models_predict_at_the_joint_round_and_refits_at_theirs_as_far_as_they_have_rounds(
    opened: Open,
) -> None:
    with opened(TaskKind.REGRESSION) as setting:
        fits = [setting.fit(family) for family in ("lightgbm", FAKE_FAMILY)]
        found, _ = served(setting, *fits)
        growth = 160 / np.mean([len(fold.train) for fold in setting.problem.folds.folds])
    for fit, member in zip(fits, found.values(), strict=True):
        refit_rounds = learner_for(fit.candidate.family).refit_rounds(fit.joint_round, float(growth))
        for model in member.models:
            wanted = refit_rounds if model.is_refit else fit.joint_round
            assert model.rounds == min(wanted, model.model.rounds)
    assert any(model.rounds == model.model.rounds for model in found["lightgbm"].models)
    assert any(model.rounds < model.model.rounds for model in found["lightgbm"].models)


def test_after_ctrl_c_fold_models_predict_at_once(opened: Open, plan: str) -> None:
    with opened(TaskKind.REGRESSION, **options_of(plan)) as setting:
        fit = setting.fit(FAKE_FAMILY)
        setting.runtime.budget.cancel()
        found, failures = served(setting, fit)
    assert failures == ()
    assert len(found["FakeLearner"].models) == (1 if plan == "time-ordered" else len(fit.folds))
    assert shares(found["FakeLearner"], of_refits=True) == []


def test_a_member_whose_refits_fail_predicts_with_its_folds_and_says_so_once(opened: Open, plan: str) -> None:
    with opened(TaskKind.REGRESSION, **options_of(plan)) as setting:
        broken, sound = setting.fit(FailsRefits.family), setting.fit(FAKE_FAMILY)
        found, failures = served(setting, broken, sound)
    (failure,) = failures
    assert (failure.candidate, failure.fold) == (broken.candidate, None)
    assert failure.reason == "refit: MemoryError: too many rows"
    assert len(found["FailsRefits"].models) == (1 if plan == "time-ordered" else len(broken.folds))
    assert sum(shares(found["FailsRefits"], of_refits=False)) == pytest.approx(1.0)
    assert len(shares(found["FakeLearner"], of_refits=True)) == COPIES


def test_a_member_that_cannot_be_loaded_is_a_failure_and_the_others_are_weighed_again(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(TaskKind.REGRESSION) as setting:
        broken, sound, prior = (
            setting.fit(family) for family in (LinearFailsLoading.family, FAKE_FAMILY, "prior")
        )
        without = setting.weigh(sound, prior)
        monkeypatch.setattr(LinearFailsLoading, "may_load", False)
        monkeypatch.setattr(LinearFailsLoading, "n_refits", 0)
        weighed = setting.weigh(broken, sound, prior)
        assert [(failure.candidate, failure.reason) for failure in weighed.failures] == [
            (broken.candidate, "its models cannot be loaded: OSError: the licence has expired")
        ]
        assert LinearFailsLoading.n_refits == 0
        assert (weighed.ensemble, weighed.score) == (without.ensemble, without.score)
        with pytest.raises(TabularAutoMLError, match=r"Every candidate failed \(1\).*licence has expired"):
            setting.weigh(broken)


def test_where_all_but_the_prior_were_pruned_or_cannot_be_loaded_the_prior_is_left(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(TaskKind.REGRESSION) as setting:
        broken, prior, linear = (
            setting.fit(family) for family in (LinearFailsLoading.family, "prior", "linear")
        )
        pruned = [
            replace(linear, candidate=replace(linear.candidate, level=level), pruned="it cannot help")
            for level in range(1, 7)
        ]
        monkeypatch.setattr(LinearFailsLoading, "may_load", False)
        weighed = setting.weigh(broken, prior, *pruned)
    assert [member.candidate for member in weighed.ensemble.members] == [prior.candidate]
    assert weighed.forecast.reason == "no candidate besides the prior could be weighed"


def test_what_fails_again_when_others_are_chosen_is_told_once(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(family: str, folders: Sequence[Path]) -> tuple[FittedModel, ...]:
        # One model of it can be loaded, but not all.
        if family == "lightgbm" and len(folders) > 1:
            raise OSError("damaged")
        return load_models(family, folders)

    with opened(TaskKind.REGRESSION) as setting:
        noise = np.random.default_rng(0).normal(size=(2, setting.problem.n_rows, 1))
        # As good as each other, and each with errors of its own: both are chosen.
        broken, sound = (
            replace(setting.fit(family), predictions=setting.problem.y[:, None] + own)
            for family, own in zip(("lightgbm", LinearFailsRefits.family), noise, strict=True)
        )
        monkeypatch.setattr(SERVE, "load_models", damaged)
        weighed = setting.weigh(broken, sound)
    assert [member.candidate for member in weighed.ensemble.members] == [sound.candidate]
    assert [(failure.candidate, failure.reason) for failure in weighed.failures] == [
        (sound.candidate, "refit: MemoryError: too many rows"),
        (broken.candidate, "its models cannot be loaded: OSError: damaged"),
    ]


def test_the_copies_that_are_left_share_what_refits_have(opened: Open) -> None:
    FailsSecondRefits.seeds.clear()
    with opened(TaskKind.REGRESSION) as setting:
        found, failures = served(setting, setting.fit(FailsSecondRefits.family))
    assert [failure.reason for failure in failures] == ["refit: ValueError: the second one"]
    assert shares(found["FailsSecondRefits"], of_refits=True) == pytest.approx([REFIT_SHARE / 2] * 2)
    assert sum(model.share for model in found["FailsSecondRefits"].models) == pytest.approx(1.0)


def test_time_is_kept_to_load_what_predicts_without_refits(
    opened: Open, plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserves = []

    def noted(fits: Any, copies: int, runtime: Any, *, reserve: float) -> tuple[()]:
        reserves.append(reserve)
        return ()

    monkeypatch.setattr(SERVE, "refit", noted)
    with opened(TaskKind.REGRESSION, **options_of(plan)) as setting:
        fits = [setting.fit(family) for family in (FAKE_FAMILY, "linear")]
        served(setting, *fits)
        folders = [fold.folder for fit in fits for fold in fit.folds[: 1 if plan == "time-ordered" else None]]
        of_folds = setting.runtime.observations.loading(folders)
    # The refits are loaded beside the fold models, or in their place.
    assert of_folds <= reserves[0] < 6 * of_folds


def test_a_single_copy_of_several_never_takes_the_place_of_the_bag(
    opened: Open, plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_copies(fits: Any, copies: int, runtime: Any, *, reserve: float) -> Any:
        return refit(fits, 1, runtime, reserve=reserve)

    monkeypatch.setattr(SERVE, "refit", first_copies)
    with opened(TaskKind.REGRESSION, **options_of(plan)) as setting:
        found, _ = served(setting, *(setting.fit(family) for family in (FAKE_FAMILY, "linear")))
    of_refits = 1.0 if plan == "time-ordered" else REFIT_SHARE
    assert shares(found["FakeLearner"], of_refits=True) == pytest.approx([of_refits])
    # Another seed would not change a linear model: one copy is all there is.
    assert shares(found["linear"], of_refits=True) == pytest.approx(
        [1.0 if plan != "few rows" else REFIT_SHARE]
    )


def test_fold_models_stay_on_few_rows_that_are_not_ordered(opened: Open) -> None:
    with opened(TaskKind.REGRESSION) as setting:
        assert setting.problem.n_rows <= BAG_ROWS
        assert serves_bag(setting.problem)
    with opened(TaskKind.REGRESSION, time_column=MOMENTS) as setting:
        assert setting.problem.folds.scheme == TIME_ORDERED
        assert not serves_bag(setting.problem)


def test_what_failed_is_in_the_run_and_in_the_report_and_changes_no_score() -> None:
    frame = small_frame(TaskKind.REGRESSION)
    model, sound = (
        ta.fit(frame, "target", families=[family], max_candidates=1, n_jobs=1, progress=False)
        for family in (LinearFailsRefits.family, "linear")
    )
    reasons = [failure.reason for failure in model.run.failures]
    assert reasons == ["refit: MemoryError: too many rows"]
    assert reasons[0] in " ".join(str(model.report()).split())
    board = model.leaderboard()
    assert board["status"].str.startswith("failed").sum() == 1
    assert model.score_ == sound.score_
    scored = board[board["score"].notna()]
    assert scored["score"].tolist() == sound.leaderboard()["score"].tolist()
    assert model.predict(frame).notna().all()


def test_any_number_of_workers_and_a_resumed_run_give_the_same_bits(tmp_path: Path) -> None:
    frame = small_frame(TaskKind.BINARY)
    own = ("lightgbm", {"learning_rate": 0.1})

    def fitted(n_jobs: int, run_dir: Path | None) -> ta.Model:
        return ta.fit(
            frame, "target", families=["linear", "lightgbm"], candidates=[own], max_candidates=2,
            n_jobs=n_jobs, run_dir=run_dir, progress=False,
        )  # fmt: skip

    first = fitted(1, tmp_path / "run")
    stored = refits_in(tmp_path / "run")
    refits = [model for member in first.run.fitted.members for model in member.models if model.is_refit]
    assert len(refits) == len(stored) >= COPIES
    for other in (fitted(1, tmp_path / "run"), fitted(2, None)):
        pd.testing.assert_frame_equal(
            other.predict_proba(frame), first.predict_proba(frame), check_exact=True
        )
        assert other.score_ == first.score_
    assert refits_in(tmp_path / "run") == stored


def refits_in(run_dir: Path) -> dict[str, int]:
    """Refits of a run folder: key and time at which their curve was written."""
    connection = sqlite3.connect(run_dir / "run.sqlite")
    rows = connection.execute("SELECT key, folder FROM fold_fits WHERE fold = ?", (ALL_ROWS,)).fetchall()
    connection.close()
    return {key: (run_dir / folder).parent.joinpath("curve.npy").stat().st_mtime_ns for key, folder in rows}
