"""The key of a fold fit in the run store: a hash of all that determines it."""

from dataclasses import asdict, dataclass

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.digest import digest_json
from tabular_automl.core.metrics import training_loss
from tabular_automl.core.problem import Problem, ProblemShape
from tabular_automl.core.schema import Schema
from tabular_automl.core.versions import installed_version
from tabular_automl.crossfit.fold_job import ALL_ROWS
from tabular_automl.learners import Learner
from tabular_automl.preprocessing import recipe_version

KEY_VERSION = 2
# Recipes compute with numpy, and on text with pandas, so every fit depends on them.
_ALWAYS_USED = ("numpy", "pandas")


@dataclass(frozen=True)
class ProblemIdentity:
    """The problem's share of the keys, hashed once.

    Attributes
    ----------
    data
        Hash of canonical features, target and weights.
    schema
        Hash of what the columns are.
    shape
        Sizes by which learners choose defaults.
    loss
        Name of the loss that learners are trained and stopped on.
    folds
        Hash of the training and held-out rows of each fold.
    """

    data: str
    schema: str
    shape: ProblemShape
    loss: str
    folds: tuple[str, ...]

    @classmethod
    def of(cls, problem: Problem) -> "ProblemIdentity":
        """Hash a problem."""
        folds = tuple(fold.digest for fold in problem.folds.folds)
        loss = training_loss(problem.task.kind).name
        return cls(problem.digest, _schema_digest(problem.schema), problem.shape, loss, folds)


@dataclass(frozen=True)
class FitSettings:
    """What else determines a fit.

    Attributes
    ----------
    seed
        Seed of this very fit.
    threads, max_rounds, patience
        As in `FitContext`.
    """

    seed: int
    threads: int
    max_rounds: int
    patience: int | None


def fold_key(
    problem: ProblemIdentity, fold: int, candidate: Candidate, learner: Learner, *, settings: FitSettings
) -> str:
    """Return the key of one candidate's fit on one fold, or on `ALL_ROWS`, 64 hex digits.

    Time limits are no part of it: a fit that a limit cut short is stored as partial and found by nobody.
    """
    return digest_json(
        {
            "key version": KEY_VERSION,
            "data": problem.data,
            "schema": problem.schema,
            "shape": asdict(problem.shape),
            "loss": problem.loss,
            "fold": "all rows" if fold == ALL_ROWS else problem.folds[fold],
            "candidate": candidate.describe(),
            "recipe version": recipe_version(candidate.recipe.name),
            "learner version": learner.code_version,
            "libraries": {name: installed_version(name) for name in (*_ALWAYS_USED, *learner.libraries)},
            "threads": settings.threads,
            "max_rounds": settings.max_rounds,
            "patience": settings.patience,
            "seed": settings.seed,
        }
    )


def _schema_digest(schema: Schema) -> str:
    return digest_json(
        [
            [repr(c.name), c.id, c.kind, c.parse, list(c.categories) if c.categories is not None else None]
            for c in schema
        ]
    )
