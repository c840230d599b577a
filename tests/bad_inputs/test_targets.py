"""Targets that cannot be learned from, in part or altogether, and what is left of them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from bad_input_rows import FIT, PREDICT, SCORE, covers  # type: ignore[import-not-found]
from front_door import command, found, small_table  # type: ignore[import-not-found]
from sklearn.model_selection import KFold

import tabular_automl as ta
from tabular_automl.core.schema import Severity

N = 80
TABLE = small_table()
ROWS = pd.Series(range(N))
CLASSES, VALUES = TABLE["label"], TABLE["size"] * 10 + TABLE["rooms"]

UNUSABLE = {
    "missing": (CLASSES.mask(ROWS < 4), r"missing in 4 of 80 rows, the first is row 0 \(nan\)"),
    "missing object": (
        CLASSES.astype(object).mask(ROWS > 75, None),
        "missing in 4 of 80 rows, the first is row 76",
    ),
    "missing number": (VALUES.mask(ROWS == 9), r"missing in 1 of 80 rows, the first is row 9 \(nan\)"),
    "missing boolean": (
        (VALUES > 9).astype("boolean").mask(ROWS < 2),
        r"missing in 2 of 80 rows, .*\(<NA>\)",
    ),
    "missing category": (CLASSES.astype("category").mask(ROWS < 3), "missing in 3 of 80 rows"),
    "empty text": (CLASSES.mask(ROWS < 3, " "), r"missing in 3 of 80 rows, .*\(' '\)"),
    "nan as text": (CLASSES.mask(ROWS < 3, "nan"), r"missing in 3 of 80 rows, .*If 'nan' is a class, make"),
    "dash": (VALUES.round(2).astype(str).mask(ROWS < 3, "-"), r"missing in 3 of 80 rows, .*\('-'\)"),
    "inf": (VALUES.mask(ROWS < 2, np.inf), r"infinite in 2 of 80 rows, the first is row 0 \(inf\)"),
    "inf as text": (
        VALUES.round(2).astype(str).mask(ROWS < 2, "-inf"),
        r"infinite in 2 of 80 rows, .*\('-inf'\)",
    ),
    "both": (
        VALUES.mask(ROWS == 1).mask(ROWS == 2, -np.inf),
        r"missing in 1 of(.|\n)*infinite in 1 of 80 rows",
    ),
}


def usable(target: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(target.astype(object), errors="coerce").astype(float)
    bad = target.isna() | target.astype(str).isin([" ", "nan", "-"]) | np.isinf(numbers)
    return ~bad.to_numpy()


@covers("unusable targets", FIT)
@pytest.mark.parametrize("kind", UNUSABLE)
def test_it_is_an_error_with_the_count(door, kind: str) -> None:
    target, match = UNUSABLE[kind]
    door.refuses(TABLE.assign(label=target), f"Target 'label' is {match}")
    door.refuses(TABLE.assign(label=target), "missing_target='drop'")


@covers("unusable targets", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("kind", UNUSABLE)
def test_such_rows_are_left_out_on_request(door, kind: str) -> None:
    """To drop them gives the very model of the rows that are left, and says how many are not."""
    table = TABLE.assign(label=UNUSABLE[kind][0])
    kept = usable(table["label"])
    model, same = door.fit(table, missing_target="drop"), door.fit(table[kept])
    n_out = int((~kept).sum())
    said = found(model, Severity.NOTICE)["dropped_rows", "label"]
    assert said.startswith(
        f"{n_out} of 80 rows ({n_out / N:.2%}) are left out, as missing_target='drop' says"
    )
    assert model.run.settings["missing_target"] == "drop"
    assert model.run.score == same.run.score
    assert model.classes_ == same.classes_
    expected = door.numbers(same, table)
    np.testing.assert_array_equal(door.numbers(model, table), expected)
    np.testing.assert_allclose(door.score(model, table.to_csv(index=False))[0], expected, rtol=1e-9)


@covers("unusable targets", FIT)
def test_what_goes_by_rows_is_cut_with_them(door) -> None:
    table = TABLE.assign(label=CLASSES.mask(ROWS % 7 == 0), clock=np.arange(N))
    kept = table["label"].notna().to_numpy()
    rng = np.random.default_rng(0)
    given: dict[str, Any] = {"weight": rng.uniform(1, 2, N), "groups": list(np.arange(N) // 3)}
    existing = pd.Series(np.where(rng.random(N) < 0.5, "dear", "cheap"))
    block = np.arange(N) % 4
    folds = [(np.flatnonzero(block != fold), block == fold) for fold in range(4)]
    place = np.cumsum(kept) - 1
    cut_folds = [(place[[row for row in train if kept[row]]], mask[kept]) for train, mask in folds]
    for whole, part in (
        (given, {name: np.asarray(values)[kept] for name, values in given.items()}),
        ({"existing": existing}, {"existing": existing[kept]}),
        ({"time_column": pd.Series(np.arange(N))}, {"time_column": np.arange(N)[kept]}),
        ({"weight": "rooms", "time_column": "clock"},) * 2,
        ({"splitter": folds}, {"splitter": cut_folds}),
        ({"splitter": KFold(4)},) * 2,
    ):
        model = door.fit(table, missing_target="drop", **whole)
        same = door.fit(table[kept], **part)
        assert model.run.score == same.run.score
        assert model.run.scheme == same.run.scheme
        assert [(c.baseline, c.gain) for c in model.run.comparisons] == [
            (c.baseline, c.gain) for c in same.run.comparisons
        ]


@covers("unusable targets", FIT)
def test_too_little_left_is_an_error(door) -> None:
    few = TABLE.assign(label=CLASSES.where(ROWS < 9))
    door.refuses(few, "usable in 9 of 80 rows only; at least 10 are needed", missing_target="drop")
    folds = [(np.arange(40), np.arange(40, 80)), (np.arange(40, 80), np.arange(40))]
    half = TABLE.assign(label=CLASSES.where(ROWS < 40))
    door.refuses(half, "Fold 0 of the splitter has no row with", missing_target="drop", splitter=folds)
    door.refuses(TABLE, "missing_target is 'skip'; say 'drop'", missing_target="skip")


@covers("unusable targets", FIT, SCORE)
def test_the_command_line_drops_on_request(door) -> None:
    file = door.file(TABLE.assign(label=CLASSES.mask(ROWS < 4)).to_csv(index=False))
    door.refuses_to_fit_file(file, "Target 'label' is missing in 4 of 80 rows")
    model, out = door.path("model"), door.path("out.csv")
    bounds = ["--max-candidates", "1", "--n-jobs", "1", "--families", "linear"]
    told = ["fit", str(file), "--target", "label", "--out", str(model), *bounds]
    assert command([*told, "--missing-target", "drop"])[0] == 0
    assert "4 of 80 rows (5.00%) are left out" in str(ta.load(model).report())
    assert command(["score", str(model), str(file), "--out", str(out)])[0] == 0
    assert len(pd.read_csv(out)) == N


@covers("unusable targets", FIT)
@pytest.mark.parametrize(
    ("target", "match"),
    [
        pytest.param(["a"] * N, "is constant: every row is 'a'. There is nothing to learn", id="constant"),
        pytest.param([1.5] * N, "is constant: every row is 1.5", id="constant number"),
        pytest.param([np.nan] * N, "is missing in 80 of 80 rows", id="all missing"),
        pytest.param(
            VALUES * 1e300, r"reaches .*e\+30\d, so that floating-point numbers cannot hold", id="1e300"
        ),
        pytest.param(2**60 + np.arange(N), "differs by 0 at most, so that floating", id="beyond floats"),
        pytest.param(VALUES * 1j, "Column 'label' holds complex128 cells", id="complex"),
        pytest.param([[1]] * N, "Column 'label' holds list cells", id="lists"),
        pytest.param([b"a", b"b"] * (N // 2), "Column 'label' holds bytes cells", id="bytes"),
        pytest.param(
            [1, True] * (N // 2),
            "labels that look alike but are of different types: 1 and True",
            id="1, True",
        ),
        pytest.param(
            [1, "1", 2] * 26 + [1, 2], "look alike but are of different types: 1 and '1'", id="1, '1'"
        ),
        pytest.param(
            [*map(str, VALUES[:77].round(3)), *["?!"] * 3],
            "80 rows: too many to be classes. It would be numbers, but for texts such as '\\?!'",
            id="nearly numbers",
        ),
        pytest.param(
            pd.date_range("2020", periods=N), "holds points in time, which cannot be predicted", id="dates"
        ),
    ],
)
def test_it_cannot_be_learned_and_that_is_clear(door, target: Any, match: str) -> None:
    door.refuses(
        TABLE.assign(label=pd.Series(target, dtype=object if isinstance(target, list) else None)), match
    )


@covers("unusable targets", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("family", ["linear", "lightgbm"])
@pytest.mark.parametrize("n_rare", [1, 2])
def test_one_row_of_a_class_costs_no_probability_column(door, family: str, n_rare: int) -> None:
    """The one row of a class cannot be held out and trained on; its column is there all the same."""
    table = TABLE.assign(label=CLASSES.mask(N - n_rare <= ROWS, "odd"))
    model = door.fit(table, families=[family], splitter=None)
    assert f"classes in fewer than 8 rows: 'odd' ({n_rare})" in found(model)["rare_class", "label"]
    probabilities = model.predict_proba(table)
    assert list(probabilities.columns) == ["cheap", "dear", "odd"]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_allclose(door.score(model, table)[0], probabilities, rtol=1e-9)


@covers("unusable targets", FIT, PREDICT, SCORE)
def test_one_row_of_two_classes(door) -> None:
    table = TABLE.assign(label=np.where(ROWS == 5, "yes", "no"))
    model = door.fit(table, splitter=None)
    assert list(model.predict_proba(table).columns) == ["no", "yes"]
    np.testing.assert_allclose(door.score(model, table)[0], door.numbers(model, table), rtol=1e-9)


@covers("unusable targets", FIT, PREDICT, SCORE)
@pytest.mark.parametrize("family", ["linear", "lightgbm"])
def test_class_absent_in_a_fold(door, family: str) -> None:
    """A "class absent in a fold" of the user's splitter is unknown to one model, not to the ensemble."""
    table = TABLE.assign(label=CLASSES.mask(ROWS < 10, "odd"))
    block = np.arange(N) // 20
    folds = [(np.flatnonzero(block != fold), np.flatnonzero(block == fold)) for fold in range(4)]
    model = door.fit(table, families=[family], splitter=folds)
    probabilities = model.predict_proba(table)
    assert list(probabilities.columns) == ["cheap", "dear", "odd"]
    assert np.isfinite(probabilities.to_numpy()).all()
    assert (probabilities["odd"] > 0).all()
    np.testing.assert_allclose(door.score(model, table)[0], probabilities, rtol=1e-9)


@covers("unusable targets", FIT, PREDICT, SCORE)
def test_one_row_in_ten_thousand(door) -> None:
    """1:10,000, twice: each fold that holds one out has the other to train on."""
    table = small_table(20_000).assign(label=False)
    table.loc[[77, 13_013], "label"] = True
    model = door.fit(table, splitter=None)
    probabilities = model.predict_proba(table)
    assert list(probabilities.columns) == [False, True]
    assert 0 < probabilities[True].mean() < 0.01
    np.testing.assert_allclose(door.score(model, table.head(50))[0], probabilities.head(50), rtol=1e-9)
