"""The errors a person can meet, each with what happened, where, and the way out."""


class TabularAutoMLError(Exception):
    """Root of every error raised on purpose by this package."""


class InputError(TabularAutoMLError, ValueError):
    """The table, the target or an argument cannot be used as given."""


class SchemaError(InputError):
    """New rows do not fit the schema the model was trained with."""


class ArtifactError(TabularAutoMLError, ValueError):
    """A saved model is damaged, incomplete, tampered with or of an unknown format."""


class StoreError(TabularAutoMLError, OSError):
    """The run folder cannot be written, is in use by another run, or is not a run folder."""


class WriteError(TabularAutoMLError, OSError):
    """A model, a report or predictions cannot be written, as on a full disk; nothing is left half done."""


class UnprintedError(WriteError):
    """Standard output is closed, or does not take what is printed."""


class ReaderGoneError(UnprintedError):
    """Whoever read standard output, as `head` does, has left."""


class UnsupportedProblemError(TabularAutoMLError):
    """A learner says "not mine": it cannot fit this problem. Caught where candidates are proposed."""


class MemoryLimitError(TabularAutoMLError):
    """A fit would not fit into the memory there is. Caught where candidates are proposed."""


class FoldPlanMismatchError(TabularAutoMLError):
    """Results of two different fold plans were about to be mixed."""
