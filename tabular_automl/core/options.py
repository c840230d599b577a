"""Everything a caller of `fit` may say, as one frozen record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabular_automl.core.candidate import Value
from tabular_automl.core.errors import InputError
from tabular_automl.core.progress import Event


@dataclass(frozen=True, eq=False)
class Options:
    """The arguments of `fit` directly behind the door; see `tabular_automl.fit` for their meaning."""

    target: Any
    task: str | None = None
    metric: str | None = None
    time_limit: float | None = 300.0
    max_candidates: int | None = None
    n_jobs: int = -1
    seed: int = 0
    weight: Any = None
    groups: Any = None
    time_column: Any = None
    splitter: Any = None
    schema: Mapping[Any, str] = field(default_factory=dict)
    candidates: Sequence[tuple[str, Mapping[str, Value]]] = ()
    families: Sequence[str] | None = None
    existing: Any = None
    human_level: float | None = None
    run_dir: str | Path | None = None
    progress: bool | Callable[[Event], None] | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        if self.time_limit is not None and not self.time_limit > 0:
            raise InputError(
                f"time_limit is {self.time_limit!r}; give seconds above 0, or None for no limit."
            )
        if self.max_candidates is not None and self.max_candidates < 1:
            raise InputError(
                f"max_candidates is {self.max_candidates!r}; give 1 or more, or None for no bound."
            )
        if self.n_jobs == 0:
            raise InputError("n_jobs is 0; give the number of workers, or -1 for all cores.")
