"""Growing: the portfolio's next candidates and tuned ones, each where it promises most for its cost."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil
from typing import NamedTuple

from tabular_automl.core.candidate import Candidate, Origin
from tabular_automl.core.crossfit import CrossFit, Failure, lasting_failures, tried
from tabular_automl.core.folds import FoldPlan
from tabular_automl.core.problem import Problem
from tabular_automl.core.search import Search
from tabular_automl.crossfit import Request, Runtime, cross_fit
from tabular_automl.ensemble import kept_for_refits
from tabular_automl.ensemble.greedy import most_candidates
from tabular_automl.search.allocate import Allocation, Offer, Rung
from tabular_automl.search.cost_model import CostModel
from tabular_automl.search.fold_losses import fold_losses
from tabular_automl.search.portfolio import AS_SHIPPED, PRIOR, default_candidate
from tabular_automl.search.prospects import Arm, Prospects, Source
from tabular_automl.search.pruning import rungs
from tabular_automl.search.race import FEWEST_FOLDS, Race
from tabular_automl.search.study import FamilyStudy
from tabular_automl.search.study_mirror import StudyMirror, open_mirror

# A candidate starts only if this many times its expected time is left.
SAFETY = 1.15
# One candidate may take this share of the time that is left for growing.
CANDIDATE_SHARE = 0.9
# On so few rows, where chance decides most, this share of the time limit is kept for repeats; on more rows
# they get what growing leaves.
REPEAT_ROWS = 1_000
REPEAT_SHARE = 0.2
# Fewer folds than the others have would leave fewer rows to weigh all of them on.
LADDER = (Rung(None, 1.0), Rung(None, 1.5), Rung(None, 2.0))
# What a study proposes gets all the rounds it is expected to need (`Allocation.fewest_rounds`): of fewer the
# study would learn nothing. What waits may do with this share of them where there is no time for more.
ALL_ROUNDS = 1.0
SHORT_OF_ROUNDS = 0.5
# A candidate may take this share of the time that is left for growing, however little was expected.
FAIR_SHARE = 0.1
# A family of which so many candidates failed and none was fitted is left alone.
MOST_FAILURES = 2
# A family is tuned once it has so many results, or its portfolio is exhausted: what others learned from many
# datasets comes first.
TUNED_AFTER = 12
# After so many candidates in a row that brought nothing, there is nothing to be found.
MOST_IN_VAIN = 40


def grow(
    problem: Problem,
    starts: Sequence[Candidate],
    first: Sequence[CrossFit | Failure],
    runtime: Runtime,
    *,
    search: Search = AS_SHIPPED,
) -> tuple[CrossFit | Failure, ...]:
    """Fit what the first wave left of the portfolio and what studies propose, as long as it can finish.

    The next candidate is that of the arm (a family's portfolio, or its study) which is expected to lower the
    ensemble's loss most for its cost (`Prospects`): the seconds it is expected to take plus those there are
    for each place that is left. So seconds count where they are short, and not where the rows bear no more
    than a few candidates. Within a portfolio the order stands among those there is time for; a family is
    tuned after it. Candidates run on a prefix of the folds first, and are left where they can't help
    (`Race`). Time for repeats and refits is kept. It ends with the time, with the count of candidates, when
    the rows bear no more, or after many candidates in vain; without either bound, with the portfolio. At its
    end it warns of what the first wave put off and nobody had time for.

    In a run bounded by counts these are what is short: costs don't matter, and no clock is read.
    """
    # Whom the first wave had no time for may come now.
    with open_mirror(runtime) as mirror:
        growth = _Growth(problem, starts, tried(first), runtime, search=search, mirror=mirror)
        growth.tell_ensemble()
        for result in cross_fit(growth.requests(), problem, runtime):
            growth.take(result)
        growth.race.abandon()
        growth.tell_why_it_ended()
    grown = tuple(growth.race.finished)
    for failure in lasting_failures((*first, *grown)):
        # What was started and came to nothing has been told.
        if failure.skipped and failure.fold is None:
            runtime.emit("fit", f"{failure.candidate.name} skipped: {failure.reason}", is_warning=True)
    return grown


def common_folds(seen: Sequence[CrossFit | Failure], plan: FoldPlan) -> int:
    """Return on how many folds most results rest: what comes next should be comparable with them.

    Of numbers that are equally frequent the largest; at least two, where the plan has them, and of tiny folds
    as many as say anything.
    """
    lengths = Counter(
        fit.folds_per_repeat for fit in seen if isinstance(fit, CrossFit) and fit.candidate.family != PRIOR
    )
    if not lengths:
        return plan.folds_per_repeat
    most_frequent = max(lengths, key=lambda length: (lengths[length], length))
    return min(plan.folds_per_repeat, max(FEWEST_FOLDS, plan.fewest_folds, most_frequent))


class _Means(NamedTuple):
    """What time there is: core-seconds for each place, busy wall seconds for one candidate, what they buy."""

    a_place: float
    most_seconds: float
    allocation: Allocation


class _Growth:
    """The state of growing: what waits, what is on its way, what was learned."""

    def __init__(
        self,
        problem: Problem,
        starts: Sequence[Candidate],
        first: Sequence[CrossFit | Failure],
        runtime: Runtime,
        *,
        search: Search,
        mirror: StudyMirror | None,
    ) -> None:
        self._problem, self._runtime, self._first = problem, runtime, first
        self._search = search
        names = {result.candidate.name for result in first}
        self._waiting = [candidate for candidate in starts if candidate.name not in names]
        # Hastened, a candidate may become one that was tried.
        self._keys = {result.candidate.key for result in first}
        families = dict.fromkeys(c.family for c in starts if c.family != PRIOR)
        # Of a family that is there for the user's own candidates alone nothing else is tried.
        self._searched = {candidate.family for candidate in starts if candidate.origin is not Origin.USER}
        self._studies = {
            family: FamilyStudy(
                family,
                problem.shape,
                search,
                runtime.seed,
                mirror=mirror,
                fewest_folds=problem.folds.fewest_folds,
            )
            for family in families
        }
        self._defaults = {family: default_candidate(family, problem.shape, search) for family in families}
        self._dry: set[str] = set()
        self._n_folds = common_folds(first, problem.folds)
        self._rungs = rungs(self._n_folds, problem.folds.fewest_folds)
        self._prospects = Prospects(problem, first)
        self.race = Race(problem, runtime, self._studies, self._prospects)
        for fit in _fitted(first):
            # A mean over repeats has less noise than what later candidates are judged by.
            if fit.candidate.family in self._studies and fit.n_repeats == 1:
                losses = fold_losses(fit, problem)
                self._studies[fit.candidate.family].know(fit.candidate, losses, seconds=fit.seconds)

    def requests(self) -> Iterator[Request | None]:
        """Propose one after the other; None while only results under way can tell what to do."""
        while not self._runtime.budget.over:
            request = self.race.promoted(self._core_seconds()) or self._start_another()
            if request is None and not self.race.under_way:
                return
            yield request

    def take(self, result: CrossFit | Failure) -> None:
        """Take in what came of a request."""
        before = self._prospects.chosen
        self.race.take(result)
        if self._prospects.chosen is not before:
            self.tell_ensemble()

    def tell_ensemble(self) -> None:
        """Show the ensemble so far."""
        chosen = self._prospects.chosen
        if chosen is not None:
            loss = chosen.pool.loss(chosen.weights)
            self._runtime.tracker.ensemble(loss, len(chosen.weighted), chosen.pool.rows)

    def tell_why_it_ended(self) -> None:
        """Say why nothing more was tried, where neither the time nor the count asked for was over."""
        budget = self._runtime.budget
        if budget.over or (budget.counted and self._places() <= 0):
            return
        if self._places() <= 0:
            why = f"{self._problem.n_rows} rows cannot tell more candidates apart"
        elif self._prospects.in_vain >= MOST_IN_VAIN:
            why = f"the last {MOST_IN_VAIN} brought nothing"
        elif self._arms() and budget.timed:
            why = "no further candidate can finish in time"
        else:
            why = "there is nothing left to try"
        self._runtime.emit("fit", f"Search over: {why}.")

    def _start_another(self) -> Request | None:
        """Let the most promising candidate start, if there are time and place for it."""
        places, arms = self._places(), self._arms()
        if places <= 0 or self._prospects.in_vain >= MOST_IN_VAIN:
            return None
        means = self._means(places) if self._runtime.budget.timed else None
        while arms:
            arm = max(arms, key=lambda arm: self._value(arm, means))
            offer = self._offer(arm, means)
            if offer is not None:
                self._keys.add(offer.request.candidate.key)
                return self.race.start(arm, offer, _fitted(self._prospects.results))
            arms.remove(arm)
            if arm.source is Source.PORTFOLIO and self._may_tune(arm.family):
                arms.append(Arm(arm.family, Source.STUDY))
        return None

    def _places(self) -> int:
        """Return how many more candidates may start."""
        budget, race = self._runtime.budget, self.race
        bound = budget.max_candidates
        allowed = most_candidates(self._problem.n_rows) if bound is None else bound
        # By key: a candidate that lost a fold is there twice, as what it finished and as its failure.
        allowed -= len({result.candidate.key for result in self._first if result.candidate.family != PRIOR})
        if not budget.timed:
            return allowed - len({result.candidate.key for result in race.finished}) - len(race.under_way)
        # Where time bounds the run, what was left early or failed takes no place.
        return allowed - len(race.under_way) - sum(not fit.pruned for fit in _fitted(race.finished))

    def _means(self, places: int) -> _Means:
        budget = self._runtime.budget
        core_seconds = self._core_seconds() / SAFETY - self.race.seconds_to_come
        costs = CostModel.of(self._problem.shape, self._prospects.results, self._runtime.observations.paces)
        allocation = Allocation(
            costs,
            self._n_folds,
            budget.cores,
            fair_share=FAIR_SHARE * max(0.0, core_seconds),
            ladder=LADDER,
            search=self._search,
        )
        most_seconds = CANDIDATE_SHARE * core_seconds / budget.cores * self._share_of_cores()
        return _Means(core_seconds / places, most_seconds, allocation)

    def _core_seconds(self) -> float:
        """Return the core-seconds that are left for growing; infinite where counts are what is short."""
        budget = self._runtime.budget
        return (budget.remaining - self._kept_seconds()) * budget.cores if budget.timed else float("inf")

    def _kept_seconds(self) -> float:
        """Return the wall seconds that repeats and refits need."""
        budget, plan, chosen = self._runtime.budget, self._problem.folds, self._prospects.chosen
        kept = 0.0 if chosen is None else kept_for_refits(chosen.weighted, self._runtime)
        if (
            self._problem.n_rows <= REPEAT_ROWS
            and plan.n_repeats > 1
            and self._n_folds == plan.folds_per_repeat
        ):
            kept += REPEAT_SHARE * (budget.limit or 0.0)
        return kept

    def _arms(self) -> list[Arm]:
        """Return where a next candidate may come from, in the portfolio's order of families."""
        waiting = {candidate.family for candidate in self._waiting}
        sizes, fitted = self._prospects.n_tried(), self._fitted_families
        arms = []
        for family in self._studies:
            has_failed = family not in fitted and sizes[family] >= MOST_FAILURES
            if has_failed or sizes[family] >= self._search.bound(family):
                continue
            if family in waiting:
                arms.append(Arm(family, Source.PORTFOLIO))
            if (family not in waiting or sizes[family] >= TUNED_AFTER) and self._may_tune(family):
                arms.append(Arm(family, Source.STUDY))
        return arms

    def _may_tune(self, family: str) -> bool:
        budget = self._runtime.budget
        is_bounded = budget.counted or budget.timed
        is_able = family in self._fitted_families and family not in self._dry
        return is_bounded and is_able and family in self._searched

    @property
    def _fitted_families(self) -> set[str]:
        return {fit.candidate.family for fit in _fitted(self._prospects.results)}

    def _value(self, arm: Arm, means: _Means | None) -> float:
        """Return what the arm's next candidate promises for what it costs."""
        gain = self._prospects.gain(arm)
        if means is None:
            return gain
        waiting = (c for c in self._waiting if arm.source is Source.PORTFOLIO and c.family == arm.family)
        likely = next(waiting, self._defaults[arm.family])
        seconds = means.allocation.offer(likely, LADDER[0]).seconds
        seconds *= self._prospects.share_run(arm, self._rungs)
        return gain / (seconds + means.a_place)

    def _offer(self, arm: Arm, means: _Means | None) -> Offer | None:
        """Return the arm's next candidate that can be afforded, and take it from where it waited."""
        return (
            self._from_study(arm, means) if arm.source is Source.STUDY else self._from_portfolio(arm, means)
        )

    def _from_portfolio(self, arm: Arm, means: _Means | None) -> Offer | None:
        for fewest_rounds in (ALL_ROUNDS, SHORT_OF_ROUNDS):
            for candidate in [one for one in self._waiting if one.family == arm.family]:
                offer = self._affordable(candidate, means, fewest_rounds)
                if offer is not None:
                    self._waiting.remove(candidate)
                    if offer.request.candidate.key not in self._keys:
                        return offer
        return None

    def _from_study(self, arm: Arm, means: _Means | None) -> Offer | None:
        candidate = self._studies[arm.family].ask()
        if candidate is None:
            self._dry.add(arm.family)
            return None
        offer = self._affordable(candidate, means, ALL_ROUNDS)
        if offer is None or offer.request.candidate.key in self._keys:
            self._studies[arm.family].fail(candidate)
            return None
        return offer

    def _affordable(self, candidate: Candidate, means: _Means | None, fewest_rounds: float) -> Offer | None:
        if means is None:
            return Offer(Request(candidate, self._n_folds), 0.0)
        allocation = replace(means.allocation, fewest_rounds=fewest_rounds)
        return allocation.affordable(candidate, means.most_seconds)

    def _share_of_cores(self) -> float:
        """Return which share of the cores that it may use a candidate does, prefix after prefix."""
        cores = self._runtime.budget.cores
        steps = zip((0, *self._rungs), self._rungs, strict=False)
        turns = sum(ceil((longer - shorter) / cores) for shorter, longer in steps)
        return self._n_folds / (turns * min(cores, self._n_folds))


def _fitted(results: Sequence[CrossFit | Failure]) -> list[CrossFit]:
    return [result for result in results if isinstance(result, CrossFit)]
