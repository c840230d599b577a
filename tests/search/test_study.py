"""One family's study: what it proposes, what it learns, that it can be replayed."""

import json
import subprocess
import sys
import warnings
from itertools import count
from typing import Any

import numpy as np
import optuna
import pytest

from tabular_automl.core.candidate import Candidate, Origin, freeze_params
from tabular_automl.core.errors import InputError
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.search import PRUNERS, SAMPLERS, Pruner, Sampler, Search
from tabular_automl.core.task import TaskKind
from tabular_automl.learners import FAMILIES, learner_for
from tabular_automl.search.family_space import FamilySpace
from tabular_automl.search.study import FamilyStudy
from tabular_automl.testing import FAKE_FAMILY

SHAPE = ProblemShape(TaskKind.BINARY, 5_000, 10, 4, 1)
EVEN = dict.fromkeys(range(8), 1.0)

each_sampler = pytest.mark.parametrize("sampler", SAMPLERS)
each_family = pytest.mark.parametrize("family", [family for family in FAMILIES if family != "prior"])


def study_of(family: str = "lightgbm", seed: int = 0, **search: Any) -> FamilyStudy:
    return FamilyStudy(family, SHAPE, Search(**search), seed)


def own(label: str, family: str = "lightgbm", **changes: Any) -> Candidate:
    space = FamilySpace.of(family, SHAPE, Search())
    params = freeze_params({**space.defaults, **changes})
    return space.candidate(params, Origin.PORTFOLIO, label=label)


def asked(study: FamilyStudy) -> Candidate:
    candidate = study.ask()
    assert candidate is not None
    return candidate


def trials(study: FamilyStudy) -> list[optuna.trial.FrozenTrial]:
    return study._study.get_trials()


@each_family
@each_sampler
def test_what_is_proposed_is_new_inside_the_space_and_fed_by_the_recipe_it_asks_for(
    family: str, sampler: Sampler
) -> None:
    study, learner = study_of(family, sampler=sampler), learner_for(family)
    study.know(own("default", family), EVEN)
    keys, names, recipes = {own("default", family).key}, set(), set()
    for number in count():
        tuned = study.ask()
        if tuned is None or number == 12:
            break
        assert learner.space(SHAPE).contains(tuned.params)
        assert {name for name, _ in tuned.params} == {name for name, _ in learner.defaults(SHAPE)}
        assert tuned.recipe == learner.recipe(tuned.params)
        assert tuned.origin is Origin.TUNED
        assert tuned.key not in keys
        assert tuned.name == f"{family}/t{number + 1}"
        keys.add(tuned.key)
        names.add(tuned.name)
        recipes.add(tuned.recipe)
        study.finish(tuned, dict.fromkeys(range(8), 1 + number / 10))
    assert len(names) >= 3
    assert len(recipes) > 1, "preprocessing is searched, too"


@each_family
def test_all_that_a_recipe_reads_can_be_searched(family: str) -> None:
    learner = learner_for(family)
    names = {parameter.name for parameter in learner.space(SHAPE).parameters}
    read = {name for name, _ in learner.recipe(learner.defaults(SHAPE)).params}
    assert read
    assert read <= names


def history(seed: int) -> list[str]:
    """Keys of what is proposed by all samplers and pruners, some of it on the way at the same time."""
    keys = []
    for sampler, pruner in zip(SAMPLERS * 2, PRUNERS[:3] * 2, strict=True):
        study = study_of(FAKE_FAMILY, seed, sampler=sampler, pruner=pruner)
        rng = np.random.default_rng(0)
        study.know(own("default", FAKE_FAMILY), EVEN)
        waiting: list[Candidate] = []
        for _ in range(16):
            waiting.append(asked(study))
            keys.append(waiting[-1].key)
            if len(waiting) > 2:
                candidate = waiting.pop(0)
                losses = dict(enumerate(rng.uniform(0.8, 1.5, 8)))
                left = study.report(candidate, {fold: losses[fold] for fold in range(3)})
                keys.append(str(left))
                study.prune(candidate) if left else study.finish(candidate, losses)
    return keys


def test_the_same_calls_give_the_same_candidates_in_another_process_too() -> None:
    here = history(3)
    assert here == history(3)
    assert here != history(4)
    code = (
        "import importlib.util, json, sys\n"
        f"spec = importlib.util.spec_from_file_location('again', {__file__!r})\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "print(json.dumps(module.history(3)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603
    assert json.loads(done.stdout) == here


@pytest.mark.parametrize("seed", [-1, 2**32, 10**30])
def test_any_whole_number_is_a_seed(seed: int) -> None:
    for sampler in SAMPLERS:
        study = study_of("linear", seed, sampler=sampler)
        study.know(own("default", "linear"), EVEN)
        study.finish(asked(study), EVEN)


def test_an_ask_depends_on_its_number_and_not_on_who_asked_before() -> None:
    """No sampler lives on from ask to ask."""
    together, apart = study_of(sampler="random"), study_of(sampler="random")
    first = asked(together)
    together.fail(first)
    second = asked(together)
    assert asked(apart) == first
    assert asked(apart) == second


def test_parzen_estimators_learn_from_what_is_known() -> None:
    def mean_distance(sampler: Sampler) -> float:
        spaces = {FAKE_FAMILY: {"behaviour": "fit", "n_rounds": 10}}
        study = study_of(FAKE_FAMILY, sampler=sampler, pruner="none", spaces=spaces)
        distances = []
        for number in range(30):
            tuned = asked(study) if number >= 8 else None
            candidate = tuned or own(f"p{number}", FAKE_FAMILY, shift=-0.9 + number / 4)
            distances.append(abs(float(dict(candidate.params)["shift"] or 0) - 0.5))
            losses = dict.fromkeys(range(8), 1 + distances[-1])
            study.finish(candidate, losses) if tuned else study.know(candidate, losses)
        return float(np.mean(distances[-10:]))

    assert mean_distance("tpe") < 0.5 * mean_distance("random")


def test_values_are_relative_to_the_first_and_mean_the_same_on_any_folds() -> None:
    study = study_of(pruner="halving")
    hard = {0: 0.1, 1: 10.0, 2: 3.0, 3: 1.0}
    study.know(own("default"), hard)
    better = asked(study)
    study.report(better, {0: 0.09})
    assert trials(study)[1].intermediate_values == pytest.approx({1: 0.9})
    study.report(better, {0: 0.09, 1: 9.0, 2: 2.7})
    assert trials(study)[1].intermediate_values == pytest.approx({1: 0.9, 3: 0.9})
    study.finish(better, {fold: 0.9 * loss for fold, loss in hard.items()})
    assert [trial.value for trial in trials(study)] == pytest.approx([1.0, 0.9])


def test_a_fold_that_changes_with_further_folds_is_told_anew() -> None:
    study = study_of()
    study.know(own("default"), EVEN)
    tuned = asked(study)
    study.report(tuned, {0: 0.8})
    study.finish(tuned, {**EVEN, 0: 0.9})
    assert trials(study)[1].intermediate_values[0] == 0.9


def test_every_end_is_told() -> None:
    study = study_of()
    study.know(own("default"), EVEN)
    left, failed, odd, finished = (asked(study) for _ in range(4))
    study.prune(left, {0: 2.0, 1: 3.0})
    study.fail(failed)
    study.finish(odd, {**EVEN, 3: float("nan")})
    study.finish(finished, EVEN)
    states = [trial.state.name for trial in trials(study)]
    assert states == ["COMPLETE", "PRUNED", "FAIL", "FAIL", "COMPLETE"]
    assert trials(study)[1].intermediate_values == {0: 2.0, 1: 3.0}
    names = [trial.user_attrs["candidate"] for trial in trials(study)]
    assert names == [f"lightgbm/{label}" for label in ("default", "t1", "t2", "t3", "t4")]
    with pytest.raises(ValueError, match=r"lightgbm/t1 is not on its way in the study of lightgbm\. Ask"):
        study.prune(left)


def test_a_hastened_candidate_is_the_one_that_was_asked_for() -> None:
    study = study_of()
    study.know(own("default"), EVEN)
    tuned = asked(study)
    hastened = own(tuned.label, learning_rate=0.15)
    study.report(hastened, {0: 1.0})
    study.finish(hastened, EVEN)
    assert trials(study)[-1].params["learning_rate"] == dict(tuned.params)["learning_rate"]


def test_what_lies_outside_the_space_is_known_but_no_trial() -> None:
    study = study_of(spaces={"lightgbm": {"num_leaves": (4, 8)}})
    study.know(own("large", num_leaves=50), EVEN)
    study.know(own("small", num_leaves=5), dict.fromkeys(range(8), 2.0))
    study.know(own("failed", num_leaves=6), {})
    assert [(trial.params["num_leaves"], trial.value) for trial in trials(study)] == [(5, 2.0)]


@each_sampler
def test_a_small_space_is_exhausted_to_its_last_point(sampler: Sampler) -> None:
    study = study_of("linear", sampler=sampler)
    study.know(own("default", "linear"), EVEN)
    knots = set()
    while (tuned := study.ask()) is not None:
        knots.add(dict(tuned.params)["knots"])
        study.finish(tuned, EVEN)
    assert knots == {0, 3, 6, 12} - {dict(own("default", "linear").params)["knots"]}
    assert study.ask() is None


def test_a_fixed_or_empty_space_has_nothing_to_ask() -> None:
    assert study_of("prior").ask() is None
    study = study_of("linear", spaces={"linear": {"knots": 3}})
    study.know(own("default", "linear", knots=3), EVEN)
    assert study.ask() is None


def test_a_family_is_asked_for_no_more_than_it_may_have() -> None:
    study = study_of(most_candidates={"lightgbm": 3})
    study.know(own("default"), EVEN)
    study.know(own("default"), EVEN)
    assert [study.ask() is None for _ in range(3)] == [False, False, True]


def test_changes_of_its_space_reach_the_study() -> None:
    study = study_of(spaces={"lightgbm": {"num_leaves": (300, 400), "extra_trees": True}})
    for _ in range(5):
        values = dict(asked(study).params)
        assert 300 <= int(values["num_leaves"] or 0) <= 400
        assert values["extra_trees"] is True
    with pytest.raises(InputError, match=r"search\.spaces of lightgbm"):
        study_of(spaces={"lightgbm": {"no_such": 1}})


@pytest.mark.parametrize("pruner", PRUNERS)
@each_sampler
def test_nobody_hears_of_optuna(sampler: Sampler, pruner: Pruner, capfd: pytest.CaptureFixture[str]) -> None:
    level = optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study = study_of("linear", sampler=sampler, pruner=pruner)
        study.know(own("default", "linear"), {0: 1.0})  # fewer folds than those that follow
        while (tuned := study.ask()) is not None:
            study.report(tuned, {0: 0.5, 1: 0.5, 2: 0.5})
            study.finish(tuned, EVEN)
    assert capfd.readouterr().err == ""
    assert optuna.logging.get_verbosity() == level
