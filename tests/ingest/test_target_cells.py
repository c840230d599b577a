import numpy as np
import pandas as pd
import pytest

from tabular_automl.ingest.cells import read_cells
from tabular_automl.ingest.target_cells import missing_and_infinite

NUMBERS = [f"{value}.5" for value in range(20)]


@pytest.mark.parametrize(
    ("values", "missing", "infinite"),
    [
        ([1.0, np.nan, np.inf, -np.inf], [1], [2, 3]),
        (["a", "b", None, " ", "nan", "NA", "None"], [2, 3, 4, 5], []),
        ([*NUMBERS, "-", "n/a", "inf", "oops"], [20, 21], [22]),
        (["1", "-", "1", "-"], [], []),
        (["1", "inf", "1", "inf"], [], []),
        (["DE", "FR", "NA", "IT", "ES", "PL"], [], []),
        (pd.Categorical(["a", "nan", None]), [2], []),
        ([True, False, None], [2], []),
        (pd.Series([1, None, 3], dtype="Int64"), [1], []),
    ],
    ids=[
        "floats",
        "texts",
        "texts of numbers",
        "two",
        "two, one infinite",
        "codes",
        "category",
        "bool",
        "Int64",
    ],
)
def test_what_cannot_be_learned_from(values: object, missing: list[int], infinite: list[int]) -> None:
    gone, endless = missing_and_infinite(read_cells(pd.Series(values)))
    assert np.flatnonzero(gone).tolist() == missing
    assert np.flatnonzero(endless).tolist() == infinite
