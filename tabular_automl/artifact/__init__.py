"""Save and load a run: manifest, native model formats, hashes; no pickle."""

from tabular_automl.artifact.destination import check_destination, check_parent
from tabular_automl.artifact.load import load_run
from tabular_automl.artifact.save import save_run

__all__ = ["check_destination", "check_parent", "load_run", "save_run"]
