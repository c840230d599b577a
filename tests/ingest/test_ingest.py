from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.model_selection import GroupKFold, KFold, TimeSeriesSplit

from tabular_automl.core.errors import InputError
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.schema import Finding, Kind, Severity
from tabular_automl.core.task import TaskKind
from tabular_automl.ingest import canonicalise, ingest, to_pandas
from tabular_automl.ingest import screen_columns as screening


@pytest.fixture
def frame(rng: np.random.Generator) -> pd.DataFrame:
    n = 120
    return pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "rooms": rng.integers(1, 7, n),
            "city": rng.choice(["Rome", "Oslo", "Lima"], n),
            "built": pd.date_range("2000-01-01", periods=n),
            "sold": rng.choice([True, False], n),
            "label": rng.choice(["yes", "no"], n),
        },
        index=pd.Index(range(1000, 1000 + n), name="house"),
    )


def checks(problem: Problem) -> dict[tuple[str, str | None], Finding]:
    return {(finding.check, finding.column): finding for finding in problem.findings}


def run(frame: Any, target: Any = "label", **options: Any) -> Problem:
    return ingest(frame, Options(target=target, **options))


def test_the_problem_fits_together(frame: pd.DataFrame) -> None:
    before = frame.copy(deep=True)
    problem = run(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert problem.task.kind is TaskKind.BINARY
    assert problem.task.classes == ("no", "yes")
    assert problem.y.tolist() == (frame["label"] == "yes").astype(float).tolist()
    assert [column.name for column in problem.schema] == ["size", "rooms", "city", "built", "sold"]
    assert [column.id for column in problem.table.columns] == ["c0", "c1", "c2", "c3", "c4"]
    assert problem.folds.folds_per_repeat == 8
    assert problem.weight is None


def test_training_and_scoring_see_the_same_table(frame: pd.DataFrame) -> None:
    problem = run(frame)
    assert canonicalise(frame, problem.schema)[0].digest == problem.table.digest


@pytest.mark.parametrize(
    "convert",
    [
        pl.from_pandas,
        lambda frame: pl.from_pandas(frame).lazy(),
        lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
        lambda frame: frame.convert_dtypes(),
        lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
        lambda frame: frame.astype({"city": "category"}),
        lambda frame: frame.astype({"city": object, "label": object}),
    ],
    ids=["polars", "lazy", "arrow", "nullable", "arrow-backed", "category", "object"],
)
def test_every_kind_of_frame_gives_the_same_problem(frame: pd.DataFrame, convert: Any) -> None:
    given, plain = run(convert(frame)), run(frame)
    assert given.digest == plain.digest
    assert given.folds.digest == plain.folds.digest


@pytest.mark.parametrize("name", ["houses.csv", "houses.csv.gz", "houses.parquet"])
def test_files_give_the_same_problem(frame: pd.DataFrame, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)
    for source in (path, str(path)):
        assert run(source).digest == run(frame).digest


@pytest.mark.parametrize(
    ("make", "target", "message"),
    [
        (lambda f: f.iloc[:0], "label", "df is empty: it has 6 columns but no rows"),
        (lambda f: f.iloc[:9], "label", "df has 9 rows only. At least 10 rows are needed"),
        (lambda f: f[[]], "label", "df has no columns"),
        (lambda f: f, "lable", "Target 'lable' is not a column of df. Did you mean 'label'?"),
        (lambda f: f, "zzz", "The columns are: 'size', 'rooms'"),
        (lambda f: f, ["label"], "must be the name of a column of df, not a list"),
        (lambda f: f, None, "Target 'None' is not a column"),
        (lambda f: f.assign(label=None), "label", "missing in 120 of 120 rows"),
        (
            lambda f: f.assign(label=f["label"].where(f.index > 1002)),
            "label",
            r"missing in 3 of 120 rows, .* row 0",
        ),
        (lambda f: f.assign(label="yes"), "label", "is constant: every row is 'yes'"),
        (lambda f: f.assign(size=1.0), "size", "is constant: every row is 1.0"),
        (
            lambda f: f.assign(size=f["size"].mask(f.index == 1004, np.inf)),
            "size",
            r"infinite in 1 of 120 rows, .* row 4 \(inf\)",
        ),
        (
            lambda f: pd.concat([f, f[["city", "rooms"]]], axis=1),
            "label",
            r"2 things(.|\n)*'rooms' appears 2 times, at positions 1, 7.*(.|\n)*'city' .* at positions 2, 6",
        ),
        (
            lambda f: f.assign(odd=pd.Series([[1]] * 120, index=f.index)),
            "label",
            "Column 'odd' holds list cells",
        ),
        (lambda f: f.to_dict("list"), "label", "dict, which has no column names"),
        (lambda f: f.to_numpy(), "label", "Pass pd.DataFrame"),
        (lambda f: 7, "label", "df is a int, not a table"),
        (lambda f: "nowhere.csv", "label", "There is no file 'nowhere.csv'"),
    ],
)
def test_errors_say_what_where_and_the_way_out(
    frame: pd.DataFrame, make: Any, target: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run(make(frame), target)


def test_all_errors_are_told_at_once(frame: pd.DataFrame) -> None:
    broken = frame.assign(
        label=frame["label"].where(frame.index > 1002), odd=pd.Series([[1]] * 120, index=frame.index)
    )
    with pytest.raises(
        InputError, match=r"2 things must be put right first:\n  1. Target 'label' is missing(.|\n)*'odd'"
    ):
        run(broken)
    with pytest.raises(InputError, match=r"(.|\n)*'lable'(.|\n)*'wieght'"):
        run(frame.assign(weight=1.0), "lable", weight="wieght")


def test_warnings_are_in_the_findings(frame: pd.DataFrame, rng: np.random.Generator) -> None:
    frame = frame.assign(
        nothing=None,
        same=7,
        id=range(120),
        code=[f"k{i}" for i in range(120)],
        size=frame["size"].mask(frame.index < 1003, -np.inf),
        price=[f"${i}" if i else "cheap" for i in rng.permutation(120)],
        answer=(frame["label"] == "yes").astype(int),
    )
    found = checks(run(frame))
    assert {key for key, finding in found.items() if finding.severity is Severity.WARNING} == {
        ("all_missing_column", "nothing"),
        ("constant_column", "same"),
        ("identifier_column", "id"),
        ("identifier_column", "code"),
        ("infinite_values", "size"),
        ("unparseable_values", "price"),
        ("gives_target_away", "answer"),
    }
    assert "3 cells (2.50%)" in found["infinite_values", "size"].message
    assert "'cheap'" in found["unparseable_values", "price"].message
    assert all(finding.way_out for finding in found.values())
    with pytest.raises(InputError, match=r"7 things(.|\n)*'answer'"):
        run(frame, strict=True)


def test_a_column_that_gives_the_target_away_is_kept(frame: pd.DataFrame) -> None:
    problem = run(frame.assign(answer=frame["label"]))
    assert "answer" in [column.name for column in problem.schema.features]


def test_only_constant_columns_are_allowed_with_a_warning(frame: pd.DataFrame) -> None:
    problem = run(frame[["label"]].assign(a=1, b="x"))
    assert problem.table.columns == ()
    assert problem.n_rows == 120
    assert ("no_features", None) in checks(problem)
    assert run(frame[["label"]]).table.n_rows == 120


def test_overrides_decide(frame: pd.DataFrame) -> None:
    problem = run(frame, schema={"rooms": "categorical", "city": "identifier"})
    kinds = {column.name: column.kind for column in problem.schema}
    assert kinds["rooms"] is Kind.CATEGORICAL
    assert kinds["city"] is Kind.IDENTIFIER
    with pytest.raises(InputError, match="Did you mean 'rooms'"):
        run(frame, schema={"room": "numeric"})


def test_weights_and_groups_leave_the_features_and_time_stays(frame: pd.DataFrame) -> None:
    frame = frame.assign(w=np.arange(120.0), g=np.arange(120) // 3)
    problem = run(frame, weight="w", groups="g")
    assert not {"w", "g"} & {column.name for column in problem.schema}
    assert problem.weight is not None
    assert problem.weight.mean() == pytest.approx(1)
    assert problem.folds.scheme == "stratified grouped"
    ordered = run(frame, time_column="built")
    assert ordered.folds.scheme == "time-ordered"
    assert "built" in {column.name for column in ordered.schema}


def test_arrays_may_stand_for_columns(frame: pd.DataFrame) -> None:
    weight = np.arange(1.0, 121.0)
    by_name = run(frame.assign(w=weight), weight="w")
    for given in (weight, list(weight), pd.Series(weight, index=frame.index), pl.Series(weight)):
        np.testing.assert_array_equal(run(frame, weight=given).weight, by_name.weight)
    assert run(frame, groups=np.arange(120) // 4).folds.scheme == "stratified grouped"
    assert run(frame, time_column=pd.date_range("2020", periods=120)).folds.scheme == "time-ordered"


@pytest.mark.parametrize("role", ["weight", "groups", "time_column"])
def test_frames_and_arrays_of_one_column_may_stand_for_it(frame: pd.DataFrame, role: str) -> None:
    values = pd.Series(np.arange(120.0) // 4 + 1, index=frame.index)
    plain = run(frame, **{role: values})
    for given in (
        values.to_frame("a"),
        values.to_numpy()[:, np.newaxis],
        pl.DataFrame({"a": values.to_numpy()}),
    ):
        problem = run(frame, **{role: given})
        assert problem.folds.digest == plain.folds.digest
        np.testing.assert_array_equal(problem.weight, plain.weight)


def test_an_array_of_times_names_no_column_of_a_wide_table(
    frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screening, "MAX_COLUMNS", 3)
    monkeypatch.setattr(screening, "MIN_COLUMNS", 2)
    problem = run(frame, time_column=np.arange(120))
    assert problem.folds.scheme == "time-ordered"
    assert ("too_many_columns", None) in checks(problem)
    assert "built" in {column.name for column in run(frame, time_column="built").schema.features}


def test_equal_weights_are_no_weights(frame: pd.DataFrame) -> None:
    assert run(frame, weight=np.full(120, 3)).weight is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": np.r_[-1.0, np.ones(119)]}, r"1 weights are negative, the first in row 0 \(-1.0\)"),
        ({"weight": np.r_[np.nan, np.ones(119)]}, "1 weights are missing or infinite"),
        ({"weight": np.zeros(120)}, "All weights are zero"),
        ({"weight": np.ones(7)}, "weight has 7 values for 120 rows"),
        ({"weight": pd.Series(np.ones(120))}, "The index of weight differs"),
        ({"weight": "city"}, "weight holds text"),
        ({"weight": "label"}, "weight and target are the same column, 'label'. Give each its own"),
        ({"groups": "label"}, "groups and target are the same column, 'label'"),
        ({"time_column": "label"}, "time_column and target are the same column, 'label'"),
        (
            {"weight": np.ones((120, 2))},
            "weight has 2 columns. Give the name of a column of df, or one value",
        ),
        ({"groups": pd.DataFrame({"a": [1], "b": [2]})}, "groups has 2 columns"),
        ({"time_column": np.ones((120, 1, 1))}, "time_column is a ndarray. Give the name"),
        ({"weight": {"a": 1}}, "weight is a dict. Give the name"),
        ({"groups": [[1], [1, 2]]}, "groups is not one value a row"),
        ({"weight": pd.DataFrame({"w": np.ones(120)})}, "The index of weight differs"),
        ({"groups": "gruop"}, "groups 'gruop' is not a column"),
        ({"time_column": "city"}, "time_column holds text such as"),
        ({"time_column": np.r_[np.nan, np.ones(119)]}, "1 rows of time_column have no readable time"),
        ({"splitter": 2.5}, "give a scikit-learn splitter"),
    ],
)
def test_roles_that_cannot_be_used(frame: pd.DataFrame, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(frame, **options)


def test_a_row_without_a_group_is_its_own_group(frame: pd.DataFrame) -> None:
    groups = pd.Series(["a", "b", "c", None] * 30, index=frame.index)
    problem = run(frame, groups=groups)
    assert problem.folds.blocks is not None
    assert len(np.unique(problem.folds.blocks)) == 33


def test_copies_stay_in_one_fold_and_are_reported(frame: pd.DataFrame) -> None:
    problem = run(pd.concat([frame, frame]))
    assert checks(problem)["duplicate_rows", None].message.startswith("120 of 240 rows (50.00%)")
    for fold in problem.folds.folds:
        assert not np.intersect1d(fold.train % 120, fold.held_out % 120).size


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"splitter": KFold(4)}, "Copies of 240 rows are on both sides of 4 of 4 folds"),
        ({"splitter": TimeSeriesSplit(3)}, "Copies of 120 rows are on both sides of 2 of 3 folds"),
        ({"groups": np.repeat([0, 1], 120)}, "Copies of 240 rows are on both sides of 2 of 2 folds"),
    ],
    ids=["own splitter", "in time", "groups tied to one"],
)
def test_copies_on_both_sides_of_a_fold_are_said(
    frame: pd.DataFrame, options: dict[str, Any], where: str
) -> None:
    found = checks(run(pd.concat([frame, frame]), **options))
    assert found["copies_split", None].severity is Severity.WARNING
    assert f"{where}: scores will be too good." in found["copies_split", None].message
    assert ("duplicate_rows", None) not in found


@pytest.mark.parametrize(
    "options",
    [
        {"splitter": 4},
        {"time_column": "built"},
        {"splitter": GroupKFold(4), "groups": np.tile(np.arange(120) // 10, 2)},
    ],
    ids=["a number of folds", "in time", "own splitter"],
)
def test_copies_on_one_side_of_every_fold_are_no_harm(frame: pd.DataFrame, options: dict[str, Any]) -> None:
    found = checks(run(pd.concat([frame, frame]), **options))
    assert "Copies are kept in one fold" in found["duplicate_rows", None].message
    assert ("copies_split", None) not in found


def test_equal_rows_that_chance_explains_are_left_alone(rng: np.random.Generator) -> None:
    frame = pd.DataFrame(
        {"a": rng.integers(0, 3, 300), "b": rng.integers(0, 3, 300), "label": rng.integers(0, 2, 300)}
    )
    problem = run(frame)
    assert problem.folds.blocks is None
    assert not problem.findings


def test_rows_without_weight_are_no_rows_of_their_class(frame: pd.DataFrame) -> None:
    three = frame.assign(label=list("aabbbc") * 20)
    found = checks(run(three, weight=(three["label"] != "c").to_numpy(float)))
    assert "fewer than 8 rows with a weight above 0: 'c' (0)" in found["rare_class", "label"].message
    with pytest.raises(InputError, match="one class in the rows with a weight above 0: each is 'b'"):
        run(three, weight=(three["label"] == "b").to_numpy(float))
    numbers = frame.assign(label=np.linspace(0, 1, 120).clip(0, 0.5))
    with pytest.raises(InputError, match=r"'label' is constant .* each is 0\.5\. There is nothing to learn"):
        run(numbers, weight=(numbers["label"] == 0.5).to_numpy(float))


def test_rare_classes_are_named(frame: pd.DataFrame) -> None:
    problem = run(frame.assign(label=["x", *["yes", "no"] * 59, "no"]))
    assert "'x' (1)" in checks(problem)["rare_class", "label"].message


@pytest.mark.parametrize(
    "names",
    [
        [0, 1, 2, 3, 4, "label"],
        ["", " ", "é 😀", '{"a": [1]}', "[<]", "label"],
        ["a b", "a_b", "a-b", 1.5, 7, "label"],
        [pd.Timestamp("2020-01-01"), None, True, 3, 4, "label"],
    ],
)
def test_names_of_every_kind(frame: pd.DataFrame, names: list[Any]) -> None:
    problem = run(frame.set_axis(names, axis=1))
    assert [column.id for column in problem.table.columns] == ["c0", "c1", "c2", "c3", "c4"]
    assert all(isinstance(column.name, str | int | float) for column in problem.schema)


def test_a_multiindex_is_joined_with_a_notice(frame: pd.DataFrame) -> None:
    columns = pd.MultiIndex.from_tuples([("top", name) for name in frame.columns])
    problem = run(frame.set_axis(columns, axis=1), "top_label")
    assert problem.schema.columns[0].name == "top_size"
    assert ("joined_names", None) in checks(problem)


def test_columns_of_several_levels_may_be_named_by_tuples(frame: pd.DataFrame) -> None:
    frame["w"], frame["g"] = 1.5, np.arange(len(frame)) % 9
    wide = frame.set_axis(pd.MultiIndex.from_tuples([("top", name) for name in frame.columns]), axis=1)
    problem = run(
        wide,
        ("top", "label"),
        weight=("top", "w"),
        groups=("top", "g"),
        time_column=None,
        schema={("top", "rooms"): "categorical"},
    )
    assert problem.task.target == "top_label"
    assert problem.schema.roles == ("top_label", "top_w", "top_g")
    assert problem.schema.columns[1].kind is Kind.CATEGORICAL
    with pytest.raises(InputError, match=r"Target 'top_labl' is not a column of df.*'top_label'"):
        run(wide, ("top", "labl"))


def test_integer_targets_may_be_named_by_numbers(frame: pd.DataFrame) -> None:
    assert run(frame.set_axis(range(6), axis=1), 5).task.target == 5


def test_columns_of_a_file_may_be_named_by_text(frame: pd.DataFrame, tmp_path: Path) -> None:
    """A Parquet file may hold whole numbers for names, of which a command line knows the text alone."""
    numbered = frame.set_axis(range(6), axis=1)
    numbered.to_parquet(tmp_path / "rows.parquet")
    problem = run(tmp_path / "rows.parquet", "5", groups="1", schema={"2": "identifier"})
    assert problem.task.target == 5
    assert problem.schema.roles == (5, 1)
    assert {column.name: column.kind for column in problem.schema}[2] is Kind.IDENTIFIER
    with pytest.raises(InputError, match=r"Target '5' is not a column of df\. Did you mean 5\?"):
        run(numbered, "5")
    with pytest.raises(InputError, match=r"schema names column '2', .* Did you mean 2\?"):
        run(numbered, 5, schema={"2": "identifier"})


def test_columns_that_become_text_may_be_named_as_they_were(frame: pd.DataFrame) -> None:
    day = pd.Timestamp("2020-01-01")
    odd = frame.set_axis([day, None, "city", "built", True, "label"], axis=1)
    assert [run(odd, name).task.target for name in (day, None, True)] == [str(day), "None", "True"]
    assert run(odd).schema.roles == ("label",)
    grouped = run(odd, groups=day, schema={True: "categorical"})
    assert grouped.schema.roles == ("label", str(day))
    assert {column.name: column.kind for column in grouped.schema}["True"] is Kind.CATEGORICAL


def test_the_plan_does_not_depend_on_the_budget(frame: pd.DataFrame) -> None:
    assert run(frame, time_limit=1).folds.digest == run(frame, time_limit=3600, n_jobs=2).folds.digest


def test_columns_with_a_role_are_no_extra_columns_at_scoring(frame: pd.DataFrame) -> None:
    frame["w"], frame["g"] = 1.5, np.arange(len(frame)) % 9
    problem = run(frame, weight="w", groups="g")
    assert problem.schema.roles == ("label", "w", "g")
    deviations = canonicalise(frame.assign(new=1), problem.schema)[1].deviations
    assert [(found.column, found.what) for found in deviations] == [("new", "extra_column")]


def test_a_store_without_weight_is_no_obstacle(frame: pd.DataFrame) -> None:
    frame["store"] = np.arange(len(frame)) % 3
    frame["w"] = (frame["store"] > 0) * 1.0
    problem = run(frame, weight="w", groups="store")
    assert problem.folds.folds_per_repeat == 2
    assert problem.weight is not None
    for fold in problem.folds.folds:
        assert problem.weight[fold.held_out].any()


def test_a_splitter_that_breaks_groups_is_said(frame: pd.DataFrame) -> None:
    frame["g"] = np.arange(len(frame)) % 10
    found = checks(run(frame, groups="g", splitter=KFold(4)))
    assert "4 of 4 folds" in found["groups_split", None].message
    assert ("groups_split", None) not in checks(run(frame, groups="g", splitter=GroupKFold(4)))


def test_existing_predictions_are_one_a_row(frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="existing has 3 predictions for 120 training rows"):
        run(frame, existing=[1, 2, 3])


def test_a_path_is_no_table_to_score() -> None:
    with pytest.raises(InputError, match=r"'new.csv' is the path of a file.*tabular-automl score"):
        to_pandas("new.csv")
