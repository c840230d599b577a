"""How fast a candidate is, as its first rounds showed."""

from dataclasses import dataclass

from tabular_automl.core.candidate import Candidate


@dataclass(frozen=True)
class Pace:
    """How fast a candidate is on one fold.

    Attributes
    ----------
    candidate
        What was measured.
    setup, a_round
        Seconds before its first round, and of each round, on one worker.
    """

    candidate: Candidate
    setup: float
    a_round: float

    def seconds(self, rounds: int) -> float:
        """Return the seconds a fit of so many rounds takes."""
        return self.setup + rounds * self.a_round
