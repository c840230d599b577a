import numpy as np
import pandas as pd
import pytest

from tabular_automl.core.schema import ColumnSchema, Finding, Kind, Severity
from tabular_automl.ingest.checks import read_all_cells
from tabular_automl.ingest.infer_schema import infer_schema, is_id_name

N = 60


def infer(
    values: object, kind: str | None = None, name: str | int = "a"
) -> tuple[ColumnSchema, tuple[Finding, ...]]:
    frame = pd.DataFrame({name: values})
    cells, _ = read_all_cells(frame)
    schema, findings = infer_schema(frame, cells, {} if kind is None else {name: kind})
    return schema.columns[0], findings


def texts(n_distinct: int, form: str = "v{}") -> list[str]:
    return [form.format(i % n_distinct) for i in range(N)]


@pytest.mark.parametrize(
    ("values", "kind", "parse"),
    [
        (np.arange(N), Kind.NUMERIC, "number"),
        (np.linspace(0, 1, N), Kind.NUMERIC, "number"),
        (np.arange(N) % 2, Kind.BINARY, "number"),
        (np.arange(N) % 3, Kind.NUMERIC, "number"),
        (np.arange(N) % 2 == 0, Kind.BINARY, "bool"),
        (texts(2), Kind.BINARY, "string"),
        (["yes", "no"] * (N // 2), Kind.BINARY, "bool"),
        (texts(5), Kind.CATEGORICAL, "string"),
        (texts(5, "{}"), Kind.NUMERIC, "number"),
        (texts(5, "0{}"), Kind.CATEGORICAL, "string"),
        (texts(30, "${},000"), Kind.CATEGORICAL, "string"),
        (texts(30, "$1{:02d},000"), Kind.NUMERIC, "number"),
        (texts(30, "{},5"), Kind.NUMERIC, "number:comma"),
        (texts(28, "2020-02-{:02d}"), Kind.CATEGORICAL, "string"),
        (pd.date_range("2020", periods=N).strftime("%Y-%m-%d"), Kind.DATETIME, "datetime"),
        (pd.date_range("2020", periods=N).strftime("%d/%m/%Y"), Kind.DATETIME, "datetime:%d/%m/%Y"),
        (pd.date_range("2020", periods=N), Kind.DATETIME, "datetime"),
        (pd.date_range("2020", periods=N, tz="Asia/Tokyo"), Kind.DATETIME, "datetime"),
        (pd.to_timedelta(np.arange(N), unit="s"), Kind.NUMERIC, "timedelta"),
        (pd.Categorical(texts(5, "{}")), Kind.CATEGORICAL, "string"),
        (pd.Categorical(np.arange(N) % 3), Kind.CATEGORICAL, "number"),
        (texts(N, "x{}"), Kind.IDENTIFIER, "string"),
        (texts(N, "here are a few words and {}"), Kind.TEXT, "string"),
        ([None] * N, Kind.CONSTANT, "number"),
        ([7] * N, Kind.CONSTANT, "number"),
        (["x"] * N, Kind.CONSTANT, "string"),
        (["x", None] * (N // 2), Kind.BINARY, "string"),
        ([1.0, None] * (N // 2), Kind.BINARY, "number"),
        ([np.inf, 1.0] * (N // 2), Kind.BINARY, "number"),
    ],
)
def test_kinds(values: object, kind: Kind, parse: str) -> None:
    if isinstance(values, list) and values[0] == "2020-02-00":
        values = [text if text[-2:] in {"00", "01"} else "soon" + text for text in values]
    if isinstance(values, list) and values[0] == "$0,000":
        values = [text + "x" if i % 5 == 0 else text for i, text in enumerate(values)]
    column, _ = infer(values)
    assert (column.kind, column.parse) == (kind, parse), column.reason
    assert column.reason.endswith(".")


@pytest.mark.parametrize("name", ["id", "PassengerId", "customer_id", "Unnamed: 0", "key", "rowid"])
def test_distinct_integers_named_like_a_key_are_dropped_with_a_warning(name: str) -> None:
    for values in (np.arange(N) * 3, (np.arange(N) + 100).astype(str), np.arange(N) + 2**60):
        column, findings = infer(values, name=name)
        assert column.kind is Kind.IDENTIFIER
        assert [(f.check, f.severity, f.column) for f in findings] == [
            ("identifier_column", Severity.WARNING, name)
        ]
        assert name in findings[0].way_out


def test_repeated_or_fractional_keys_stay() -> None:
    assert infer(np.arange(N) // 2, name="id")[0].kind is Kind.NUMERIC
    assert infer(np.arange(N) + 0.5, name="id")[0].kind is Kind.NUMERIC


@pytest.mark.parametrize("name", ["width", "paid", "humid", "grid", "idea", "keyboard"])
def test_names_that_only_look_like_keys(name: str) -> None:
    assert not is_id_name(name)


def test_levels_are_sorted_whatever_the_order_of_rows() -> None:
    assert infer(["b", "c", "a"] * 20)[0].categories == ("a", "b", "c")
    assert infer([10, 9, 1] * 20, "categorical")[0].categories == ("1", "9", "10")


def test_an_ordered_category_keeps_its_order_and_loses_unused_levels() -> None:
    values = pd.Categorical(["low", "high"] * 30, categories=["low", "middle", "high"], ordered=True)
    assert infer(values)[0].categories == ("low", "high")


def test_na_is_namibia_among_countries_and_missing_elsewhere() -> None:
    countries, _ = infer(["DE", "FR", "NA", "IT", "ES", "PL"] * 10)
    assert countries.categories is not None
    assert "NA" in countries.categories
    words, _ = infer(["red", "green", "NA", "blue"] * 15)
    assert words.categories == ("blue", "green", "red")
    assert words.missing_share == 0.25


@pytest.mark.parametrize(("n_na", "severity"), [(5, Severity.NOTICE), (6, Severity.WARNING)])
def test_na_taken_for_missing_is_told_with_the_way_to_keep_it(n_na: int, severity: Severity) -> None:
    regions = ["NA"] * n_na + [None] * 3 + texts(3)[n_na + 3 :]
    column, (finding,) = infer(regions, name="region")
    assert column.categories == ("v0", "v1", "v2")
    assert (finding.check, finding.severity) == ("na_texts", severity)
    assert f"'region' holds 'NA' in {n_na} of 60 rows" in finding.message
    assert "schema={'region': 'categorical'}" in finding.way_out
    for kept, found in (infer(regions, "categorical"), infer(pd.Categorical(regions))):
        assert kept.categories == ("NA", "v0", "v1", "v2")
        assert kept.missing_share == 3 / N
        assert found == ()


def test_the_users_word_keeps_only_what_may_be_a_level() -> None:
    column, _ = infer(["nan", "NA", "a"] * 20, "categorical")
    assert column.categories == ("NA", "a")
    assert column.missing_share == pytest.approx(1 / 3)


def test_the_way_out_names_the_column_as_it_is() -> None:
    _, (finding,) = infer(["NA", "a", "b"] * 20, name=3)
    assert "schema={3: 'categorical'}" in finding.way_out


def test_texts_that_can_only_mean_missing_are_not_told() -> None:
    for text in ("NaN", "<NA>", "null"):
        assert infer([text, "a", "b"] * 20)[1] == ()
    assert infer([*["NA"] * 20, *np.arange(40).astype(str)])[1][0].check == "parsed_text"


@pytest.mark.parametrize(
    ("n_large", "kind"), [(3, Kind.NUMERIC), (4, Kind.CATEGORICAL), (60, Kind.IDENTIFIER)]
)
def test_whole_numbers_beyond_floats_are_keys(n_large: int, kind: Kind) -> None:
    values = np.where(np.arange(N) < n_large, 2**60 + np.arange(N), np.arange(N) % 9)
    for given in (values, values.astype(object), values.astype(str)):
        column, _ = infer(given)
        assert column.kind is kind
        assert ("2^53" in column.reason) is (kind is not Kind.NUMERIC)


def test_missing_share_counts_whatever_became_missing() -> None:
    column, _ = infer([*["1"] * 28, "2", "3", "4", "oops", "", "n/a", *["5"] * 6])
    assert column.parse == "number"
    assert column.missing_share == pytest.approx(3 / 40)
    assert column.n_unique == 5


@pytest.mark.parametrize(
    ("values", "kind", "parse"),
    [
        (np.arange(N) % 3, "categorical", "number"),
        (texts(5), "text", "string"),
        (texts(N), "categorical", "string"),
        (np.arange(N), "identifier", "string"),
        (np.arange(N), "left_out", "string"),
        (texts(5, "{}"), "categorical", "string"),
        ([*texts(5, "{}")[:50], *["x"] * 10], "numeric", "number"),
        (pd.date_range("2020", periods=N).strftime("%d/%m/%Y"), "datetime", "datetime:%d/%m/%Y"),
        (["a", "b"] * 30, "binary", "string"),
    ],
)
def test_the_user_decides(values: object, kind: str, parse: str) -> None:
    column, findings = infer(values, kind)
    assert (column.kind, column.parse, findings) == (kind, parse, ())
    assert column.reason == "Set by you."


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        (texts(5), "numeric", "cannot be numeric"),
        (texts(5), "datetime", "cannot be datetime"),
        (np.arange(N), "datetime", "cannot be datetime"),
        (texts(5), "binary", "holds 5 distinct values"),
        (texts(5), "numerical", "Did you mean 'numeric'"),
    ],
)
def test_overrides_that_cannot_be_followed_are_errors(values: object, kind: str, message: str) -> None:
    _, findings = infer(values, kind)
    assert [f.severity for f in findings] == [Severity.ERROR]
    assert message in str(findings[0])


def test_an_override_of_an_unknown_column_offers_the_nearest() -> None:
    frame = pd.DataFrame({"price": [1, 2, 3]})
    _, findings = infer_schema(frame, read_all_cells(frame)[0], {"prise": "numeric"})
    assert "Did you mean 'price'?" in str(findings[0])


def test_text_read_as_numbers_is_noticed() -> None:
    _, findings = infer(texts(30, "$1{:02d}"))
    assert [(f.check, f.severity) for f in findings] == [("parsed_text", Severity.NOTICE)]
    assert "'$100'" in findings[0].message


def test_constant_and_all_missing_columns_are_warnings_that_name_the_value() -> None:
    _, (constant,) = infer([7] * N)
    assert (constant.check, constant.severity, constant.column) == ("constant_column", Severity.WARNING, "a")
    assert "every cell is 7" in constant.message
    _, (missing,) = infer([None] * N)
    assert missing.check == "all_missing_column"
