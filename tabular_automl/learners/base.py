"""The extension point: what a learner family is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

from tabular_automl.core.candidate import Params, Recipe
from tabular_automl.core.errors import UnsupportedProblemError
from tabular_automl.core.fitting import FitContext, FitOutcome, FittedModel, Rows
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.task import TaskKind
from tabular_automl.learners.space import Space

# Rounds of a refit grow with the rows to this power: after fits on seven of eight folds to 1.22 times as
# many. Measured with LightGBM on 22 tables: 1.25 times is better than 1.1 (-0.4% error) and 1.0 (-0.8%).
REFIT_EXPONENT = 1.5
# Plans of few folds, or whose folds train on few rows, would ask for more than was ever measured.
MOST_REFIT_ROUNDS = 1.5


@dataclass(frozen=True)
class Capabilities:
    """What a family declares about itself; the rest of the package never sniffs.

    Attributes
    ----------
    tasks
        The task kinds it can fit.
    handles_missing
        Whether it takes a matrix that holds NaN.
    handles_categories
        Whether it uses the category codes that its recipe declares in `FeatureSpec.categorical`.
    uses_rounds
        Whether it counts rounds, so that its curve has one value a round; else the curve has one value.
    uses_weights
        Whether row weights change the fit.
    needs_features
        Whether it needs at least one column.
    uses_seed
        Whether another seed gives another model; else one refit is as good as several.
    deterministic
        Whether the same rows, parameters, seed and threads give the same model.
    """

    tasks: frozenset[TaskKind] = frozenset(TaskKind)
    handles_missing: bool = False
    handles_categories: bool = False
    uses_rounds: bool = False
    uses_weights: bool = True
    needs_features: bool = True
    uses_seed: bool = True
    deterministic: bool = True


class Limits(NamedTuple):
    """Cap on rounds, and rounds without improvement before a fit stops (None: never)."""

    max_rounds: int
    patience: int | None


class Learner(ABC):
    """A learner family: stateless, picklable, safe to make anew in every worker.

    The life of a family in a run:

    1. `require` refuses problems it cannot fit; `defaults` and `space` say what to try, `recipe` what matrix
       to make for given parameters, `cost` and `expected_rounds` what it will take, `limits` when to stop,
       `hasten` how to need fewer rounds, `refit_rounds` how many a refit on all rows gets.
    2. A worker calls `fit` once a fold with NumPy arrays that may be read-only, asks the model for held-out
       predictions at a chosen round and has it saved into an empty folder.
    3. `load` gives the model back, with bit-identical predictions, in this process or another.

    A family of your own is named ``package.module:Class`` wherever a family's name is expected; the module is
    one that workers can import, too. Check it with ``tabular_automl.testing.learner_checks``.

    Attributes
    ----------
    family
        Its name.
    code_version
        Raise it whenever the same input may give another model: stored fits are then made again.
    libraries
        Distribution names of the libraries whose versions its results depend on.
    late_imports
        Modules that are slow to import, such as ``lightgbm``. The family imports them inside its methods, as
        the driver needs none to plan; workers import them ahead, so that no fit's seconds hold an import.
    models_need_imports
        Whether models that are loaded need these modules, too.
    capabilities
        What it declares about itself.
    """

    family: ClassVar[str]
    code_version: ClassVar[int]
    libraries: ClassVar[tuple[str, ...]]
    late_imports: ClassVar[tuple[str, ...]] = ()
    models_need_imports: ClassVar[bool] = True
    capabilities: ClassVar[Capabilities]

    @abstractmethod
    def defaults(self, shape: ProblemShape) -> Params:
        """Return good hyperparameters for a problem of this shape, inside `space`."""

    @abstractmethod
    def space(self, shape: ProblemShape) -> Space:
        """Return what may be tuned, within bounds that make sense for this shape."""

    @abstractmethod
    def recipe(self, params: Params) -> Recipe:
        """Return the preprocessing recipe that feeds a model with these parameters."""

    @abstractmethod
    def cost(self, shape: ProblemShape, params: Params, rounds: int) -> float:
        """Return the core-seconds that one fit of ``rounds`` rounds on ``shape.n_rows`` rows should take.

        A static formula: it reads no clock and no result, so that a run bounded by counts is reproducible.
        """

    @abstractmethod
    def fit(self, train: Rows, held_out: Rows | None, params: Params, context: FitContext) -> FitOutcome:
        """Fit one model.

        Parameters
        ----------
        train, held_out
            Rows to learn from, and rows for the loss curve and early stopping (None for a refit: the fit then
            runs ``context.max_rounds`` rounds). Never changed.
        params
            Values for the active parameters of `space`; what is missing takes its default.
        context
            Columns, seed, threads, limits; ``should_stop`` is asked between rounds, and ``bar`` looked at
            after each (`learners.patience.fell_behind`), where there are held-out rows.

        Returns
        -------
        FitOutcome
            The model with all its rounds; ``complete=False`` when ``should_stop`` cut it short, in which case
            it still holds at least one round; ``given_up=True`` when it was left because it was behind the
            bar, which counts as complete.
        """

    @abstractmethod
    def load(self, folder: Path) -> FittedModel:
        """Return the model that `FittedModel.save` wrote into the folder."""

    def limits(self, shape: ProblemShape, params: Params) -> Limits:
        """Return the cap on rounds and the patience; patience is shorter on many rows.

        A fit may wait less where its best round came soon.
        """
        del params
        if not self.capabilities.uses_rounds:
            return Limits(1, None)
        return Limits(10_000, max(20, round(300 * min(1.0, 10_000 / max(shape.n_rows, 1)))))

    def expected_rounds(self, shape: ProblemShape, params: Params) -> int:
        """Return the rounds at which a fit is expected to stop, for `cost` before anything was measured."""
        return self.limits(shape, params).max_rounds

    def memory(self, shape: ProblemShape, params: Params) -> float:
        """Return the bytes that one fit should hold at its peak, beyond what its process holds before.

        Training and held-out rows are ``shape.n_rows`` together, and are held as float64. A job whose figure
        does not fit into the machine is not started, so it should rather be too high than too low, by up to
        twice. A static formula, as `cost` is. Unless a family says better: its rows, twice more in whatever
        form it reads them, and a few values for each row and output.
        """
        del params
        cells = shape.n_rows * max(shape.n_columns, 1)
        return 24.0 * cells + 32.0 * shape.n_rows * (1 + shape.n_outputs)

    def hasten(self, params: Params, factor: float) -> Params:
        """Return the hyperparameters with bigger steps, so that about 1 / ``factor`` of the rounds suffice.

        Asked before a fit starts, when its rounds would not fit into the time. Unchanged where a family has
        no such thing; never beyond the step at which quality breaks down, which may lie outside `space`. The
        recipe stays the same.
        """
        del factor
        return params

    def progress(self, params: Params) -> float:
        """Return how far one round goes, in units by which candidates of the family are comparable.

        Held-out losses of two candidates are compared where rounds times progress are the same.
        """
        del params
        return 1.0

    def refit_rounds(self, joint_round: int, growth: float) -> int:
        """Return the rounds for a refit on ``growth`` times the rows of the fits that chose the joint round.

        More rows carry more rounds, and so does an average of several models: never fewer than the joint
        round. A family without rounds has one.
        """
        if not self.capabilities.uses_rounds:
            return 1
        return max(1, round(joint_round * min(float(growth**REFIT_EXPONENT), MOST_REFIT_ROUNDS)))

    def require(self, shape: ProblemShape) -> None:
        """Refuse a problem this family cannot fit.

        Raises
        ------
        UnsupportedProblemError
            Says what it cannot fit.
        """
        if shape.task not in self.capabilities.tasks:
            fitting = ", ".join(sorted(self.capabilities.tasks))
            raise UnsupportedProblemError(f"{self.family} cannot fit {shape.task} tasks, only {fitting}.")
        if self.capabilities.needs_features and shape.n_columns == 0:
            raise UnsupportedProblemError(f"{self.family} needs at least one usable feature column.")
