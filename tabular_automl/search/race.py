"""Candidates on their way through the folds: one fold, three, all; whoever can't help is left on the way."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit import Request, Runtime
from tabular_automl.ensemble.could_enter import could_enter
from tabular_automl.search.allocate import Offer
from tabular_automl.search.bars import bar_for
from tabular_automl.search.fold_losses import fold_losses
from tabular_automl.search.prospects import Arm, Prospects, Source
from tabular_automl.search.pruning import rungs
from tabular_automl.search.study import FamilyStudy

# A candidate that ended early is one all the same if it has this share of its folds, and so many: with a
# single fold, the stopping round was chosen on the very rows that score it.
LEAST_SHARE = 0.5
FEWEST_FOLDS = 2


@dataclass(eq=False)
class Trial:
    """A candidate on its way.

    Attributes
    ----------
    arm, offer
        Where it came from, and what it costs on all its folds.
    prefixes
        Numbers of folds still to be asked for, rising.
    asked
        The longest prefix asked for.
    reached
        What came of it.
    """

    arm: Arm
    offer: Offer
    prefixes: deque[int]
    asked: int = 0
    reached: CrossFit | None = None

    @property
    def n_folds(self) -> int:
        """Folds at the end of its way."""
        return self.offer.request.n_folds

    @property
    def seconds_to_come(self) -> float:
        """Core-seconds it still takes if it goes all the way, by what its folds took so far."""
        if self.reached is None:
            return self.offer.seconds
        done = len(self.reached.folds)
        return self.reached.seconds / done * (self.n_folds - done)


class Race:
    """Takes candidates from prefix to prefix of the fold plan.

    After each prefix a candidate goes on, unless even an optimistic bound says that it can't lower the loss
    of the ensemble so far (`could_enter`), or its family's pruner leaves it and the ensemble would gain
    nothing from it as it stands. Within its first fit it is left when it is far behind others of its family
    (`bar_for`), without a look at the ensemble.

    Parameters
    ----------
    problem, runtime
        What is being solved, and how.
    studies
        By family, what learns from its candidates.
    prospects
        The ensemble so far.

    Attributes
    ----------
    finished
        What came of candidates that are no longer on their way, in order.
    """

    def __init__(
        self,
        problem: Problem,
        runtime: Runtime,
        studies: Mapping[str, FamilyStudy],
        prospects: Prospects,
    ) -> None:
        self._problem = problem
        self._runtime = runtime
        self._studies = studies
        self._prospects = prospects
        self._trials: dict[str, Trial] = {}
        self._promoted: deque[Trial] = deque()
        self.finished: list[CrossFit | Failure] = []

    @property
    def under_way(self) -> list[Candidate]:
        """Candidates on their way."""
        return [trial.offer.request.candidate for trial in self._trials.values()]

    @property
    def seconds_to_come(self) -> float:
        """Core-seconds that all of them still take if they go all the way."""
        return sum(trial.seconds_to_come for trial in self._trials.values())

    def start(self, arm: Arm, offer: Offer, known: Sequence[CrossFit]) -> Request:
        """Let a candidate start; ``known`` are finished candidates, from whose curves it gets its bar."""
        candidate = offer.request.candidate
        bar = bar_for(candidate, known, self._problem.shape)
        offer = replace(offer, request=replace(offer.request, bar=bar))
        trial = Trial(arm, offer, deque(rungs(offer.request.n_folds, self._problem.folds.fewest_folds)))
        self._trials[candidate.key] = trial
        self._prospects.start(arm)
        self._runtime.tracker.on_its_way(candidate)
        return self._next_prefix(trial)

    def promoted(self, core_seconds: float) -> Request | None:
        """Return the next prefix of a candidate that goes on, if there is one for which so much time will do.

        Whoever turns out to need more than there is ends where it is.
        """
        while self._promoted:
            trial = self._promoted.popleft()
            if trial.seconds_to_come <= core_seconds:
                return self._next_prefix(trial)
            self._end(trial, _cut(trial))
        return None

    def take(self, result: CrossFit | Failure) -> None:
        """Take in what came of a candidate's prefix."""
        trial = self._trials.get(result.candidate.key)
        if trial is None:  # a lost fold after the cross fit of the folds before it
            self.finished.append(result)
            self._prospects.results.append(result)
        elif isinstance(result, Failure):
            self._end(trial, result)
        else:
            self._take_prefix(trial, result)

    def abandon(self) -> None:
        """End the race: whoever is still on its way is left where it is."""
        for trial in list(self._trials.values()):
            if trial.reached is None:
                del self._trials[trial.offer.request.candidate.key]
            else:
                self._end(trial, _cut(trial))

    def _next_prefix(self, trial: Trial) -> Request:
        trial.asked = trial.prefixes.popleft()
        return replace(trial.offer.request, n_folds=trial.asked)

    def _take_prefix(self, trial: Trial, fit: CrossFit) -> None:
        trial.reached = fit
        if fit.pruned:  # it fell behind its bar
            self._end(trial, fit)
        elif len(fit.folds) < trial.asked:  # the time was over, or a fold was lost
            self._end(trial, _cut(trial))
        elif not trial.prefixes:
            self._end(trial, fit)
        elif reason := self._reason_to_leave(trial, fit):
            self._end(trial, replace(fit, pruned=reason))
        else:
            self._promoted.append(trial)

    def _reason_to_leave(self, trial: Trial, fit: CrossFit) -> str:
        """Return why a candidate should not go on; empty if it should."""
        chosen = self._prospects.chosen
        if chosen is None:
            return ""
        entry = could_enter(self._problem, chosen, fit, self._runtime.seed)
        on_folds = f"after {len(fit.folds)} of {trial.n_folds} folds"
        if not entry.possible:
            return f"{on_folds}: at the very best the ensemble would gain {entry.upper:.2%}"
        if trial.arm.source is Source.STUDY and self._study(trial).report(
            fit.candidate, fold_losses(fit, self._problem)
        ):
            # Worse alone than the best of its family, it may still be what the ensemble lacks.
            return "" if entry.gain > 0 else f"{on_folds}: it is behind the best of its family"
        return ""

    def _end(self, trial: Trial, result: CrossFit | Failure) -> None:
        candidate = trial.offer.request.candidate
        del self._trials[candidate.key]
        if trial in self._promoted:
            self._promoted.remove(trial)
        if isinstance(result, CrossFit) and result.pruned and not result.folds[-1].given_up:
            self._runtime.leave(result)
        self._runtime.tracker.at_its_end(candidate)
        self.finished.append(result)
        self._prospects.add(trial.arm, result)
        self._tell(trial, result)

    def _tell(self, trial: Trial, result: CrossFit | Failure) -> None:
        """Tell the family's study what came of a candidate."""
        study, candidate = self._study(trial), trial.offer.request.candidate
        losses = {} if isinstance(result, Failure) else fold_losses(result, self._problem)
        if trial.arm.source is Source.PORTFOLIO:
            # With more folds or rounds it would have come to something else.
            is_short = isinstance(result, CrossFit) and (bool(result.pruned) or result.stopped)
            study.know(candidate, {} if is_short else losses, seconds=result.seconds)
        elif isinstance(result, Failure):
            study.fail(candidate, seconds=result.seconds)
        elif result.pruned:
            study.prune(candidate, losses, seconds=result.seconds)
        else:
            study.finish(candidate, losses, seconds=result.seconds)

    def _study(self, trial: Trial) -> FamilyStudy:
        return self._studies[trial.arm.family]


def _cut(trial: Trial) -> CrossFit:
    """Return what there is of a candidate that ended early, pruned where that is too little to weigh it."""
    fit, n_folds = trial.reached, trial.n_folds
    if fit is None:
        raise ValueError(f"{trial.offer.request.candidate.name} has not come to anything yet.")
    if len(fit.folds) >= max(min(FEWEST_FOLDS, n_folds), LEAST_SHARE * n_folds):
        return fit
    reason = f"after {len(fit.folds)} of {n_folds} folds: there was no time for the others"
    return replace(fit, pruned=reason, unjudged=True)
