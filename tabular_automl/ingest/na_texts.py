"""Texts that stand for "missing" in a column of words."""

import re

import numpy as np
from numpy.typing import NDArray

from tabular_automl.ingest.cells import Cells, Texts

NA_WORDS = frozenset({"NA", "N/A", "n/a", "nan", "NaN", "null", "NULL", "<NA>", "#N/A", "NaT"})
"""Not "None", which is a level like any other in many tables."""

POSSIBLE_LEVELS = frozenset({"NA", "N/A", "n/a"})
"""Of those, what may be a level after all, such as North America or "not applicable"."""

CODES_OF_TWO = 5
"""With so many other levels, most of two capital letters, "NA" is a code, such as that of Namibia."""

_CODE_OF_TWO = re.compile(r"[A-Z]{2}")


def without_na_texts(cells: Cells) -> tuple[NDArray[np.intp], Texts]:
    """Return a column's texts with "NA" and its kin taken for missing (code -1).

    A category keeps them all by its type, and by the user's word those that may be levels; a column of
    two-letter codes keeps "NA".
    """
    codes, levels = cells.texts()
    is_na = np.fromiter((text in NA_WORDS for text in levels), bool, len(levels))
    if not is_na.any() or cells.is_category:
        return codes, levels
    others = levels[~is_na]
    if len(others) >= CODES_OF_TWO and np.mean([bool(_CODE_OF_TWO.fullmatch(text)) for text in others]) > 0.8:
        is_na &= levels != "NA"
    if cells.is_declared:
        is_na &= ~np.isin(levels, list(POSSIBLE_LEVELS))
    return np.where(np.append(is_na, False)[codes], -1, codes), levels


def levels_lost(cells: Cells) -> dict[str, int]:
    """Return the texts taken for missing that may be levels after all, and in how many rows each stands."""
    codes, levels = cells.texts()
    kept, _ = without_na_texts(cells)
    counts = np.bincount(codes[(kept < 0) & (codes >= 0)], minlength=len(levels))
    return {
        levels[place]: int(counts[place])
        for place in np.flatnonzero(counts)
        if levels[place] in POSSIBLE_LEVELS
    }
