"""JSON files that end with a hash of all that comes before, so that damage is found."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabular_automl.core.digest import digest_json
from tabular_automl.core.errors import ArtifactError

RESTORE = "Restore the folder from a copy, or fit and save the model again."


def sealed(body: Mapping[str, Any]) -> str:
    """Return the one text that a body may have; its last entry is the hash of the others."""
    return json.dumps({**body, "sha256": digest_json(body)}, indent=1, ensure_ascii=True) + "\n"


def read_json(path: Path) -> tuple[str, Any]:
    """Return the text of a JSON file and what it says; `check_seal` then tells whether it is whole.

    Raises
    ------
    ArtifactError
        If it cannot be read, or is no JSON.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        return text, json.loads(text)
    except OSError as error:
        raise ArtifactError(f"'{path}' cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"'{path}' is damaged: it is not valid JSON. {RESTORE}") from error


def check_seal(path: Path, text: str, content: Mapping[str, Any]) -> None:
    """Refuse a text that is not, to the byte, what `sealed` makes of its content.

    Raises
    ------
    ArtifactError
        If it isn't.
    """
    try:
        same = sealed({name: value for name, value in content.items() if name != "sha256"}) == text
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise ArtifactError(f"'{path}' was changed after it was written, or it is damaged. {RESTORE}")
