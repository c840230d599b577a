"""One family's study: what came of its candidates, and what to try next."""

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from tabular_automl.core.candidate import Candidate, Origin, Params
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.search import Search
from tabular_automl.core.seeds import derive_rng, derive_seed
from tabular_automl.search.family_space import FamilySpace
from tabular_automl.search.fold_scale import FoldScale
from tabular_automl.search.grid import grid
from tabular_automl.search.pruning import pruner_for, rungs, steps
from tabular_automl.search.quiet_optuna import unwarned_optuna
from tabular_automl.search.suggest import suggest

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.trial import TrialState

    from tabular_automl.search.study_mirror import StudyMirror

# Results after which tree-structured Parzen estimators begin to learn; those of the portfolio count.
N_STARTUP = 6
# How often the sampler is asked again when it proposes what is known.
ATTEMPTS = 5
# After that so many draws look for what is not known yet, before the space counts as exhausted.
DRAWS = 40


class FamilyStudy:
    """Ask-and-tell over one family's space, with an Optuna study in memory.

    The study is told values on a `FoldScale`, whose reference is the first candidate that finished. It is
    replayed, never stored: the same calls in the same order give the same candidates, in any process.

    Parameters
    ----------
    family, shape
        Whose candidates, on what.
    search
        Sampler, pruner, spaces and bounds.
    seed
        The user's seed; each ask derives its own from it.
    mirror
        Gets a copy of every trial that ended.

    Raises
    ------
    InputError
        If what the search says of the family's space does not suit it.
    """

    def __init__(
        self,
        family: str,
        shape: ProblemShape,
        search: Search,
        seed: int,
        *,
        mirror: "StudyMirror | None" = None,
        fewest_folds: int = 1,
    ) -> None:
        self._family = FamilySpace.of(family, shape, search)
        self._search = search
        self._seed = seed
        self._mirror = mirror
        self._fewest_folds = fewest_folds
        self._scale: FoldScale | None = None
        self._keys: set[str] = set()
        self._running: dict[str, Trial] = {}
        self._n_asked = 0
        self._exhausted = not self._family.space.parameters

    def know(
        self, candidate: Candidate, losses: Mapping[int, float], *, seconds: float | None = None
    ) -> None:
        """Learn what came of a candidate that this study did not propose.

        It becomes a trial if its hyperparameters lie in the space.

        Parameters
        ----------
        candidate
            A finished candidate.
        losses
            Its losses by number of fold, lower is better; empty for one that failed.
        seconds
            What it took, for the mirror.
        """
        if candidate.key in self._keys:
            return
        self._keys.add(candidate.key)
        if not _are_usable(losses):
            return
        self._refer_to(losses)
        space = self._family.space
        if space.parameters and space.contains(candidate.params):
            values = dict(candidate.params)
            params = space.filled(lambda parameter: values[parameter.name])
            with unwarned_optuna():
                self._running[candidate.name] = self._enqueued(params)
                self._pass_rungs(candidate, losses)
            self.finish(candidate, losses, seconds=seconds)

    def ask(self) -> Candidate | None:
        """Return the next candidate, one that is not known; None if the family has none (left)."""
        if self._exhausted or len(self._keys) >= self._search.bound(self._family.family):
            return None
        with unwarned_optuna():
            for params, trial in self._proposals():
                label = f"t{self._n_asked + 1}"
                tuned = self._family.candidate(self._family.filled(params), Origin.TUNED, label=label)
                if tuned.key not in self._keys:
                    self._n_asked += 1
                    self._keys.add(tuned.key)
                    self._running[tuned.name] = trial or self._enqueued(params)
                    return tuned
                if trial is not None:
                    self._study.tell(trial, state=_states().FAIL)
        self._exhausted = True
        return None

    def report(self, candidate: Candidate, losses: Mapping[int, float]) -> bool:
        """Take in losses of the first folds; return whether the pruner says to leave the candidate.

        Before any candidate of the family finished there is nothing to be worse than.
        """
        trial = self._trial(candidate)
        if self._scale is None or not _are_usable(losses):
            return False
        with unwarned_optuna():
            self._set_steps(trial, losses)
            # `Trial.should_prune` would judge by a copy of its own, which knows what `Trial.report` was told.
            return self._study.pruner.prune(self._study, self._storage.get_trial(self._id_of(trial)))

    def finish(
        self, candidate: Candidate, losses: Mapping[int, float], *, seconds: float | None = None
    ) -> None:
        """Tell that a candidate has all its folds."""
        if not _are_usable(losses):
            self.fail(candidate, seconds=seconds)
            return
        self._refer_to(losses)
        self._end(candidate, _states().COMPLETE, losses, seconds=seconds)

    def prune(
        self,
        candidate: Candidate,
        losses: Mapping[int, float] | None = None,
        *,
        seconds: float | None = None,
    ) -> None:
        """Tell that a candidate was left, with the losses it had if they were not reported."""
        self._end(candidate, _states().PRUNED, losses or {}, seconds=seconds)

    def fail(self, candidate: Candidate, *, seconds: float | None = None) -> None:
        """Tell that a candidate failed."""
        self._end(candidate, _states().FAIL, {}, seconds=seconds)

    @cached_property
    def _storage(self) -> "BaseStorage":
        import optuna

        return optuna.storages.InMemoryStorage()

    @cached_property
    def _study(self) -> "Study":
        import optuna

        with unwarned_optuna():
            return optuna.create_study(
                storage=self._storage,
                study_name=self._family.family,
                sampler=self._random_sampler(),
                pruner=optuna.pruners.NopPruner(),
            )

    def _proposals(self) -> "Iterator[tuple[Params, Trial | None]]":
        """Yield what could be tried next, with its trial if it has one already."""
        if self._search.sampler == "grid":
            yield from ((params, None) for params in self._grid)
            return
        for attempt in range(ATTEMPTS):
            seed = derive_seed(self._seed, "ask", self._family.family, self._n_asked, attempt)
            self._study.sampler = _sampler(self._search, seed)
            trial = self._study.ask()
            yield suggest(self._family.space, trial), trial
        rng = derive_rng(self._seed, "draw", self._family.family, self._n_asked)
        yield from ((self._family.space.sample(rng), None) for _ in range(DRAWS))

    @cached_property
    def _grid(self) -> Iterator[Params]:
        return grid(self._family.space, self._seed, self._family.family)

    def _random_sampler(self) -> "BaseSampler":
        """Return a sampler for trials whose values are given; any whole number may be the user's seed."""
        from optuna.samplers import RandomSampler

        return RandomSampler(derive_seed(self._seed, "enqueue", self._family.family))

    def _enqueued(self, params: Params) -> "Trial":
        """Return a trial of given values."""
        self._study.sampler = self._random_sampler()
        self._study.enqueue_trial(dict(params))
        trial = self._study.ask()
        suggest(self._family.space, trial)
        return trial

    def _refer_to(self, losses: Mapping[int, float]) -> None:
        """Make the first candidate the reference, and whoever has more folds its stand-in there."""
        n_before = 0 if self._scale is None else self._scale.n_folds
        if self._scale is None:
            self._scale = FoldScale(losses)
        else:
            self._scale.extend(losses)
        if self._scale.n_folds > n_before:
            self._study.pruner = pruner_for(self._search, self._scale.n_folds, self._fewest_folds)

    def _pass_rungs(self, candidate: Candidate, losses: Mapping[int, float]) -> None:
        """Take a finished candidate over the rungs, for those of others that come as far."""
        for n_folds in rungs(len(losses), self._fewest_folds)[:-1]:
            self.report(candidate, {fold: losses[fold] for fold in sorted(losses)[:n_folds]})

    def _set_steps(self, trial: "Trial", losses: Mapping[int, float]) -> dict[int, float]:
        """Set a trial's intermediate values, and return the value of each fold.

        `Trial.report` keeps the first value of a step, but a fold's loss changes a little with every further
        fold: the stopping round is chosen on all of them.
        """
        values = {} if self._scale is None else self._scale.values(losses)
        for step, value in steps(self._search, values, self._fewest_folds).items() if values else ():
            self._storage.set_trial_intermediate_value(self._id_of(trial), step, value)
        return values

    def _id_of(self, trial: "Trial") -> int:
        study_id = self._storage.get_study_id_from_name(self._family.family)
        return self._storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)

    def _end(
        self,
        candidate: Candidate,
        state: "TrialState",
        losses: Mapping[int, float],
        *,
        seconds: float | None,
    ) -> None:
        trial = self._trial(candidate)
        with unwarned_optuna():
            values = self._set_steps(trial, losses) if _are_usable(losses) else {}
            trial.set_user_attr("candidate", candidate.name)
            trial.set_user_attr("key", candidate.key)
            if seconds is not None:
                trial.set_user_attr("seconds", seconds)
            value = None
            if state == _states().COMPLETE:
                value = math.fsum(values.values()) / len(values)
            ended = self._study.tell(trial, value, state=state)
        del self._running[candidate.name]
        if self._mirror is not None:
            self._mirror.write(self._family.family, ended)

    def _trial(self, candidate: Candidate) -> "Trial":
        # By name: bigger steps for want of time give a candidate another key.
        if candidate.name not in self._running:
            raise ValueError(
                f"{candidate.name} is not on its way in the study of {self._family.family}. Ask for it first."
            )
        return self._running[candidate.name]


def _sampler(search: Search, seed: int) -> "BaseSampler":
    from optuna.samplers import RandomSampler, TPESampler

    if search.sampler == "random":
        return RandomSampler(seed)
    return TPESampler(
        n_startup_trials=N_STARTUP, multivariate=True, group=True, constant_liar=True, seed=seed
    )


def _states() -> "type[TrialState]":
    from optuna.trial import TrialState

    return TrialState


def _are_usable(losses: Mapping[int, float]) -> bool:
    return bool(losses) and all(math.isfinite(loss) for loss in losses.values())
