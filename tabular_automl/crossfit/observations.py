"""What a run has seen of its own costs; all its stages share it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tabular_automl.crossfit.load_models import loading_threads
from tabular_automl.crossfit.model_files import model_bytes
from tabular_automl.crossfit.pace import Pace

# Encoding one cell of the table, until an encoding was timed: hinges on numbers take about so long.
SECONDS_A_CELL = 2e-7
# Parsing a model file on one thread: 240 MB a second were measured, half of that is counted on.
SECONDS_A_BYTE = 8e-9


@dataclass(eq=False)
class Observations:
    """Costs by which later work is planned.

    Attributes
    ----------
    encoding_seconds
        What it takes to encode the table by one more recipe: a guess, or the slowest so far.
    paces
        What probes found.
    """

    encoding_seconds: float = 0.0
    paces: tuple[Pace, ...] = ()
    _model_bytes: dict[Path, int] = field(default_factory=dict)

    @classmethod
    def guess(cls, n_cells: int) -> "Observations":
        """Return what can be said of a table of so many cells before anything was done with it."""
        return cls(SECONDS_A_CELL * n_cells)

    @property
    def loading_seconds(self) -> float:
        """Wall seconds it takes to load all models kept so far."""
        return self.loading(self._model_bytes)

    def loading(self, folders: Iterable[Path]) -> float:
        """Return the wall seconds it takes to load some of the models kept so far."""
        return SECONDS_A_BYTE * sum(self._model_bytes[folder] for folder in folders) / loading_threads()

    def encoded(self, seconds: float) -> None:
        """Learn what an encoding took."""
        self.encoding_seconds = max(self.encoding_seconds, seconds)

    def kept(self, folder: Path) -> None:
        """Learn of a kept model that the ensemble may load in the end."""
        self._model_bytes[folder] = model_bytes(folder)
