"""What a run has seen of its own costs; all its stages share it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tabular_automl.core.schema import Kind
from tabular_automl.core.table import Column, Table
from tabular_automl.crossfit.load_models import loading_threads
from tabular_automl.crossfit.model_files import model_bytes
from tabular_automl.crossfit.pace import Pace

# Encoding one cell of the table, until an encoding was timed: hinges on numbers take about so long.
SECONDS_A_CELL = 2e-7
# Looking for words in one character of a text.
SECONDS_A_CHARACTER = 2e-7
# So many texts tell how long the others are.
SAMPLED_TEXTS = 1_000
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
    _bytes: int = 0
    _threads: int = field(init=False)

    def __post_init__(self) -> None:
        # Asked once: deadlines look at the loading time often, and the answer is read from files.
        self._threads = loading_threads()

    @classmethod
    def guess(cls, table: Table) -> "Observations":
        """Return what can be said of a table before anything was done with it."""
        characters = sum(_characters(column) for column in table.columns if column.kind is Kind.TEXT)
        return cls(SECONDS_A_CELL * table.n_rows * len(table.columns) + SECONDS_A_CHARACTER * characters)

    @property
    def loading_seconds(self) -> float:
        """Wall seconds it takes to load all models kept so far."""
        return SECONDS_A_BYTE * self._bytes / self._threads

    def loading(self, folders: Iterable[Path]) -> float:
        """Return the wall seconds it takes to load some of the models kept so far."""
        return SECONDS_A_BYTE * sum(self._model_bytes[folder] for folder in folders) / self._threads

    def encoded(self, seconds: float) -> None:
        """Learn what an encoding took."""
        self.encoding_seconds = max(self.encoding_seconds, seconds)

    def kept(self, folder: Path) -> None:
        """Learn of a kept model that the ensemble may load in the end."""
        before = self._model_bytes.get(folder, 0)
        self._model_bytes[folder] = model_bytes(folder)
        # Deadlines ask often for the sum, and there may be thousands of models.
        self._bytes += self._model_bytes[folder] - before


def _characters(column: Column) -> float:
    """Return about how many characters the distinct texts of a column have together."""
    texts = column.categories or ()
    sample = texts[:: len(texts) // SAMPLED_TEXTS + 1]
    return len(texts) * sum(map(len, sample)) / max(len(sample), 1)
