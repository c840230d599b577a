"""Which cells of a target cannot be learned from."""

import numpy as np
from numpy.typing import NDArray

from tabular_automl.ingest.cells import Cells, Form
from tabular_automl.ingest.na_texts import without_na_texts
from tabular_automl.preprocessing.parsing import guess_rule, is_missing_token


def missing_and_infinite(cells: Cells) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which cells of a target are missing, and which are infinite.

    Texts such as "nan" count as missing as they do in a feature: not in a category, nor "NA" among
    two-letter codes. Where the other texts are numbers, so do "-", "?" and their kin.
    """
    if cells.form is not Form.TEXT:
        values = cells.numbers()
        return np.isnan(values), np.isinf(values)
    codes, levels = without_na_texts(cells)
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    used = counts > 0
    rule = guess_rule(levels[used], counts[used])
    if cells.is_category or rule is None or not rule.startswith("number") or used.sum() <= 2:
        return codes < 0, np.zeros(len(codes), dtype=bool)  # labels, whatever they look like
    gone = used & np.fromiter((is_missing_token(text) for text in levels), bool, len(levels))
    infinite = used & np.isinf(cells.parsed_levels(rule))
    return (codes < 0) | np.append(gone, False)[codes], np.append(infinite, False)[codes]
