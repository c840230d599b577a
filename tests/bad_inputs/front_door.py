"""The engine as a person meets it: fit, predict, save, score a file, the command line.

Every call compares the caller's frame before and after: it is never changed.
"""

import contextlib
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold

import tabular_automl as ta
from tabular_automl.cli import main
from tabular_automl.core.errors import InputError
from tabular_automl.core.run import Run
from tabular_automl.core.schema import ColumnSchema, SchemaReport, Severity
from tabular_automl.core.table import Column
from tabular_automl.ingest import canonicalise, to_pandas
from tabular_automl.scoring import ScoreOptions, score_file

ONE_FIT: dict[str, Any] = {"max_candidates": 1, "n_jobs": 1, "families": ["linear"], "progress": False}


def small_table(n: int = 80) -> pd.DataFrame:
    """A number, a whole number, a city and a label that depends on all of them."""
    rng = np.random.default_rng(1)
    size, rooms = rng.normal(size=n), rng.integers(1, 40, n)
    city = rng.choice(["Rome", "Oslo", "Lima"], n)
    label = np.where(size + rooms / 20 + (city == "Oslo") + rng.normal(size=n) / 3 > 1.3, "dear", "cheap")
    return pd.DataFrame({"size": size, "rooms": rooms, "city": city, "label": label})


class Door:
    """Fits, predicts and scores, and fails a test when the caller's frame was changed.

    Parameters
    ----------
    folder
        Where models and files are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._saved: dict[int, tuple[ta.Model, Path, Run]] = {}
        self._n_files = 0

    def fit(self, df: Any, target: Any = "label", **options: Any) -> ta.Model:
        """Fit one linear candidate; no fit may fail on the way.

        Two folds are enough where the plan doesn't matter; ``splitter=None`` leaves it to the engine.
        """
        if not {"splitter", "groups", "time_column"} & set(options):
            options["splitter"] = KFold(2, shuffle=True, random_state=0)
        with unchanged(df):
            model = ta.fit(df, target, **{**ONE_FIT, **options})
        assert model.run.failures == ()
        return model

    def refuses(self, df: Any, match: str, target: Any = "label", **options: Any) -> None:
        """Check that a fit is refused before time is spent, by `InputError` and with these words."""
        with unchanged(df), pytest.raises(InputError, match=match):
            ta.fit(df, target, **{**ONE_FIT, **options})

    def predict(self, model: ta.Model, df: Any) -> "pd.Series[Any]":
        """Predict labels or values."""
        with unchanged(df):
            return model.predict(df)

    def numbers(self, model: ta.Model, df: Any) -> np.ndarray:
        """Predict probabilities, or values of a regression, as an array of two dimensions."""
        with unchanged(df):
            if not model.classes_:
                return model.predict(df).to_numpy(dtype=float)[:, None]
            return model.predict_proba(df).to_numpy()

    def refuses_to_predict(self, model: ta.Model, df: Any, match: str) -> None:
        """Check that rows are refused by `InputError` with these words."""
        with unchanged(df), pytest.raises(InputError, match=match):
            model.predict(df)

    def score(self, model: ta.Model, rows: Any, **told: Any) -> tuple[np.ndarray, dict[tuple[str, str], int]]:
        """Score a file with the model saved and loaded; return its numbers and the counted deviations.

        ``rows`` is a file, or a frame that is written to Parquet.
        """
        run = self._loaded(model)[1]
        out = self.path("predictions.parquet")
        told = {"proba": run.task.kind.is_classification, **told}
        summary = score_file(run, self.file(rows), out, ScoreOptions(**told))
        written = pd.read_parquet(out)
        names = [name for name in written.columns if str(name).startswith("probability_")]
        values = written[names] if names else written[[f"predicted_{run.task.target}"]]
        assert len(written) == summary.n_rows
        return values.to_numpy(dtype=float), counted(summary.report)

    def refuses_to_score(self, model: ta.Model, rows: Any, match: str, *told: str) -> None:
        """Check the command line: exit code 2, one message with these words, and no output file."""
        folder, out = self._loaded(model)[0], self.path("predictions.parquet")
        arguments = ["score", str(folder), str(self.file(rows)), "--out", str(out), *told]
        code, said = command(arguments)
        assert (code, out.exists()) == (2, False), said
        _assert_said(said, match)

    def refuses_to_fit_file(self, path: Any, match: str, *told: str, target: str = "label") -> None:
        """Check the command line's fit: exit code 2, one message with these words, and no model."""
        out = self.path("model")
        bounds = ["--max-candidates", "1", "--n-jobs", "1", "--families", "linear"]
        code, said = command(
            ["fit", str(self.file(path)), "--target", target, "--out", str(out), *bounds, *told]
        )
        assert (code, out.exists()) == (2, False), said
        _assert_said(said, match)

    def path(self, name: str) -> Path:
        """Return a fresh path; its folder's name has spaces and letters beyond ASCII."""
        self._n_files += 1
        folder = self._folder / f"Größe {self._n_files}"
        folder.mkdir()
        return folder / name

    def file(self, rows: Any) -> Path:
        """Return a file of these rows: a frame becomes Parquet, text or bytes a CSV file."""
        if isinstance(rows, Path):
            return rows
        if isinstance(rows, pd.DataFrame):
            path = self.path("rows.parquet")
            rows.to_parquet(path)
            return path
        path = self.path("rows.csv")
        path.write_bytes(rows.encode() if isinstance(rows, str) else rows)
        return path

    def _loaded(self, model: ta.Model) -> tuple[Path, Run]:
        if id(model) not in self._saved:
            folder = model.save(self.path("model"))
            self._saved[id(model)] = (model, folder, ta.load(folder).run)
        return self._saved[id(model)][1:]


def command(arguments: list[str]) -> tuple[int, str]:
    """Run the command line in this process; return its exit code and what it said on stderr."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main(arguments)
    return code, said.getvalue()


def counted(report: SchemaReport | None) -> dict[tuple[str, str], int]:
    """Return how many rows deviate, by column and kind of deviation."""
    assert report is not None
    return {(deviation.column, deviation.what): deviation.n_rows for deviation in report.deviations}


def column_of(model: ta.Model, name: object) -> ColumnSchema:
    """Return what a column was taken for."""
    return next(column for column in model.run.schema if str(column.name) == str(name))


def cells_of(model: ta.Model, frame: Any, name: object) -> list[object]:
    """Return what the model reads in one column: numbers, or texts of categories; None where missing."""
    table, _ = canonicalise(to_pandas(frame), model.run.schema)
    wanted = column_of(model, name).id
    column = next(column for column in table.columns if column.id == wanted)
    return _plain(column)


def found(model: ta.Model, severity: Severity | None = None) -> dict[tuple[str, str | None], str]:
    """Return the findings of a fit, by check and column, as they are told."""
    return {
        (finding.check, finding.column): str(finding)
        for finding in model.run.findings
        if severity in {None, finding.severity}
    }


@contextmanager
def unchanged(df: Any) -> Iterator[None]:
    """Fail when a frame is not afterwards what it was before, to the type of every cell."""
    before = fingerprint(df)
    yield
    assert fingerprint(df) == before, "the caller's frame was changed"


def fingerprint(df: Any) -> object:
    """Return what tells whether a frame was changed: names, index, types, attributes and cells."""
    if not isinstance(df, pd.DataFrame):
        return repr(df)
    names = [(type(name), str(name)) for name in df.columns]
    index = hashlib.sha256(repr([type(df.index), df.index.names, list(df.index)]).encode()).hexdigest()
    return names, type(df.columns), index, [str(dtype) for dtype in df.dtypes], dict(df.attrs), _cells(df)


def _cells(df: pd.DataFrame) -> list[str]:
    digests = []
    for place in range(df.shape[1]):
        series = df.iloc[:, place]
        if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biufc":
            content = series.to_numpy().tobytes()
        else:
            content = repr([(type(cell), cell) for cell in series.array]).encode("utf-8", "backslashreplace")
        digests.append(hashlib.sha256(content).hexdigest())
    return digests


def _plain(column: Column) -> list[object]:
    if column.categories is None:
        return [None if np.isnan(value) else float(value) for value in column.values]
    return [None if code < 0 else column.categories[int(code)] for code in column.values]


def _assert_said(said: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        raise InputError(said)
    assert "Traceback" not in said
