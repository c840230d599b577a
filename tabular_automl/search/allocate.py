"""Fitting candidates to the time there is for them: fewer folds, bigger steps, at last a cap on rounds.

All of it is decided before the start, so that every fold of a candidate is fitted alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from tabular_automl.core.candidate import Candidate, Origin, Params
from tabular_automl.core.search import Search
from tabular_automl.crossfit import Request
from tabular_automl.learners import learner_for
from tabular_automl.search.cost_model import CostModel
from tabular_automl.search.family_space import FamilySpace
from tabular_automl.search.portfolio import AS_SHIPPED


class Rung(NamedTuple):
    """How much a candidate gets: folds of the plan (None: all of them), and by what its steps grow."""

    n_folds: int | None
    factor: float


# From dear to cheap. At least two folds: with one, the stopping round would be chosen on the very rows that
# score it.
LADDER = (Rung(None, 1.0), Rung(5, 1.0), Rung(5, 1.5), Rung(3, 1.5), Rung(3, 2.0), Rung(2, 2.0), Rung(2, 3.0))
# On few rows each fold counts: bigger steps come before fewer folds.
FEW_ROWS = 10_000
LADDER_ON_FEW_ROWS = (
    Rung(None, 1.0), Rung(None, 1.5), Rung(None, 2.0), Rung(5, 2.0), Rung(3, 2.0), Rung(2, 2.0), Rung(2, 3.0),
)  # fmt: skip
# A fit capped below this share of the rounds it is expected to need is not worth its time.
FEWEST_ROUNDS = 0.3
# A fold fit that takes so many times what was expected, and half a second more, is stopped with the rounds it
# has; not before its candidate took its fair share of the time.
PATIENCE_FACTOR = 2.0
PATIENCE_SECONDS = 0.5
# However little time there is for its candidate, a fit may take so many times what was expected.
LEAST_PATIENCE = 1.25


@dataclass(frozen=True)
class Offer:
    """A request with what it is expected to cost in core-seconds, all its folds together."""

    request: Request
    seconds: float

    def with_patience(self, factor: float) -> "Offer":
        """Return the offer whose fits are not stopped before they took so many times what was expected."""
        patience = max(self.request.seconds or 0.0, factor * self.seconds / self.request.n_folds)
        return replace(self, request=replace(self.request, seconds=patience))

    def bounded(self, core_seconds: float) -> "Offer":
        """Return the offer whose fits are stopped when all of them would take more than so much.

        Not before they took somewhat more than was expected: what was let in is let run.
        """
        most = max(core_seconds, LEAST_PATIENCE * self.seconds) / self.request.n_folds
        return replace(self, request=replace(self.request, seconds=min(self.request.seconds or most, most)))


@dataclass(frozen=True)
class Allocation:
    """What candidates cost on each rung of the ladder.

    Attributes
    ----------
    costs
        What a fold costs.
    n_folds
        Folds of the dearest rung.
    cores
        How many folds are fitted at a time.
    fair_share
        Core-seconds that any candidate may take, however few were expected: formulas err.
    ladder
        The rungs, from dear to cheap.
    fewest_rounds
        On the last rung rounds are capped, down to this share of what is expected to be needed.
    search
        What the user says of the spaces: no step is made bigger than they allow.
    fewest_folds
        No rung has fewer folds (`FoldPlan.fewest_folds`).
    """

    costs: CostModel
    n_folds: int
    cores: int
    fair_share: float = 0.0
    ladder: tuple[Rung, ...] = LADDER
    fewest_rounds: float = FEWEST_ROUNDS
    search: Search = AS_SHIPPED
    fewest_folds: int = 1

    def affordable(self, candidate: Candidate, seconds: float) -> Offer | None:
        """Return the dearest offer that so many wall seconds pay for; None if even the cheapest is too dear.

        A candidate uses no more cores than it has folds.
        """
        offers = self._from_dear_to_cheap(candidate)
        return next((offer for offer in offers if offer.seconds <= self.core_seconds(offer, seconds)), None)

    def cheapest(self, candidate: Candidate) -> Offer:
        """Return the last rung with the lowest cap on rounds."""
        *_, last = self._from_dear_to_cheap(candidate)
        return last

    def offer(self, candidate: Candidate, rung: Rung) -> Offer:
        """Return a candidate on one rung; what a caller chose is never hastened."""
        n_folds = self.n_folds
        if rung.n_folds is not None:
            n_folds = min(max(rung.n_folds, self.fewest_folds), n_folds)
        if candidate.origin is not Origin.USER and rung.factor > 1.0:
            hastened = self._hastened(candidate, rung.factor)
            # It keeps its name, by which later stages know that it was tried.
            label = candidate.label or candidate.key[:6]
            differs = hastened != candidate.params
            candidate = replace(candidate, params=hastened, label=label, hastened=differs)
        return self._priced(Request(candidate, n_folds))

    def core_seconds(self, offer: Offer, seconds: float) -> float:
        """Return how many core-seconds an offer can use in so many wall seconds: no core without a fold."""
        return seconds * min(self.cores, offer.request.n_folds)

    def below(self, rung: Rung) -> "Allocation":
        """Return the allocation without the rungs above the given one."""
        return replace(self, ladder=self.ladder[self.ladder.index(rung) :])

    def _hastened(self, candidate: Candidate, factor: float) -> Params:
        hastened = learner_for(candidate.family).hasten(candidate.params, factor)
        if candidate.family not in self.search.spaces:
            return hastened
        return FamilySpace.of(candidate.family, self.costs.shape, self.search).drawn(dict(hastened))

    def _from_dear_to_cheap(self, candidate: Candidate) -> Iterator[Offer]:
        for rung in self.ladder:
            offer = self.offer(candidate, rung)
            yield offer
        for cap in _caps(self.costs.rounds(offer.request.candidate), self.fewest_rounds):
            yield self._priced(replace(offer.request, max_rounds=cap))

    def _priced(self, request: Request) -> Offer:
        a_fold = self.costs.fold_seconds(request.candidate, request.max_rounds)
        patience = max(PATIENCE_FACTOR * a_fold + PATIENCE_SECONDS, self.fair_share / request.n_folds)
        return Offer(replace(request, seconds=patience), request.n_folds * a_fold)


def ladder_for(n_rows: int) -> tuple[Rung, ...]:
    """Return the rungs for a table of so many rows."""
    return LADDER_ON_FEW_ROWS if n_rows <= FEW_ROWS else LADDER


def _caps(needed: int, fewest: float) -> Iterator[int]:
    """Yield caps from high to low in coarse steps, so that a later run is likely to ask for the same one."""
    exponent = 60
    while (cap := round(2 ** (exponent / 2))) >= fewest * needed and exponent >= 0:
        if cap < needed:
            yield cap
        exponent -= 1
