"""What a proposer asks to be fitted."""

from dataclasses import dataclass, field

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.fitting import FloatArray


@dataclass(frozen=True)
class Request:
    """A candidate, and how much of the fold plan to spend on it.

    Attributes
    ----------
    candidate
        What to fit.
    n_folds
        Length of the prefix of the fold plan; cut to the plan's length, beyond the first repeat to whole
        repeats.
    seconds
        Soft limit of each fold fit, after which a learner with rounds keeps what it has; None: no limit but
        the deadline. A run bounded by counts ignores it.
    max_rounds
        Cap on rounds below the learner's own, chosen before the start so that the fits end in time and all
        folds alike; None: the learner's.
    bar
        Threshold curve for fold 0 (`FitContext.bar`): a candidate that falls behind it there ends with what
        it has, pruned. None: none.
    """

    candidate: Candidate
    n_folds: int
    seconds: float | None = None
    max_rounds: int | None = None
    bar: FloatArray | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.n_folds < 1:
            raise ValueError(
                f"A request needs at least one fold, but n_folds={self.n_folds} for {self.candidate.name}."
            )
        if self.max_rounds is not None and self.max_rounds < 1:
            raise ValueError(
                f"A request needs at least one round, but max_rounds={self.max_rounds} for "
                f"{self.candidate.name}."
            )
