"""What a proposer asks to be fitted."""

from dataclasses import dataclass

from tabular_automl.core.candidate import Candidate


@dataclass(frozen=True)
class Request:
    """A candidate, and how much of the fold plan to spend on it.

    Attributes
    ----------
    candidate
        What to fit.
    n_folds
        Length of the prefix of the fold plan; cut to the plan's length.
    seconds
        Soft limit of each fold fit, after which a learner with rounds keeps what it has; None: no limit but
        the deadline. A run bounded by counts ignores it.
    """

    candidate: Candidate
    n_folds: int
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.n_folds < 1:
            raise ValueError(
                f"A request needs at least one fold, but n_folds={self.n_folds} for {self.candidate.name}."
            )
