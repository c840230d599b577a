"""Fitted state without pickle: JSON for facts, npz for arrays."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FACTS_FILE = "state.json"
ARRAYS_FILE = "arrays.npz"


@dataclass(frozen=True, eq=False)
class State:
    """What a fitted object needs to come back: JSON facts and named numeric arrays."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def save_state(state: State, folder: Path) -> None:
    """Write ``state.json`` and ``arrays.npz`` into an existing folder."""
    (folder / FACTS_FILE).write_text(json.dumps(state.facts, sort_keys=True), encoding="utf-8")
    with (folder / ARRAYS_FILE).open("wb") as file:
        np.savez(file, allow_pickle=False, **dict(state.arrays))


def load_state(folder: Path) -> State:
    """Read what `save_state` wrote; arrays that would need pickle are refused by numpy."""
    facts = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
    with np.load(folder / ARRAYS_FILE, allow_pickle=False) as arrays:
        return State(facts, {name: arrays[name] for name in arrays.files})
