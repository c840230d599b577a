"""What a family may try on a table: its own space, as the user narrowed or widened it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tabular_automl.core.candidate import Candidate, Origin, Params, Value, freeze_params
from tabular_automl.core.errors import InputError
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.search import Search
from tabular_automl.learners import Learner, Space, learner_for


@dataclass(frozen=True, eq=False)
class FamilySpace:
    """A family's space on a table of one shape, and candidates of it.

    Attributes
    ----------
    family, learner, shape
        Whose space, on what.
    shipped
        The space of the family itself.
    space
        What may be tried: the same, or what the user made of it.
    """

    family: str
    learner: Learner
    shape: ProblemShape
    shipped: Space
    space: Space

    @classmethod
    def of(cls, family: str, shape: ProblemShape, search: Search) -> "FamilySpace":
        """Return the space of a family.

        Raises
        ------
        InputError
            If what the search says of it does not suit it.
        """
        learner = learner_for(family)
        shipped = learner.space(shape)
        try:
            space = shipped.changed(search.spaces.get(family, {}))
        except InputError as error:
            raise InputError(f"search.spaces of {family}: {error}") from error
        return cls(family, learner, shape, shipped, space)

    @cached_property
    def defaults(self) -> Mapping[str, Value]:
        """The family's defaults by name, not yet drawn into the space."""
        return dict(self.learner.defaults(self.shape))

    def drawn(self, changes: Mapping[str, Value]) -> Params:
        """Return the defaults with changes, each drawn to the nearest value that the space allows.

        A change of what the space does not have is dropped; a default of it is kept.
        """
        return self.filled(self.space.nearest({**self.defaults, **changes}))

    def filled(self, params: Params) -> Params:
        """Return values of the space, and the defaults of what it does not have."""
        tunable = {parameter.name for parameter in self.shipped.parameters}
        fixed = {name: value for name, value in self.defaults.items() if name not in tunable}
        return freeze_params({**fixed, **dict(params)})

    def candidate(self, params: Params, origin: Origin, *, label: str) -> Candidate:
        """Return a candidate with the recipe that its hyperparameters ask for."""
        return Candidate(self.family, params, self.learner.recipe(params), origin, label=label)
