"""What a run folder tells about its runs, as frames."""

import json
from collections.abc import Iterator, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import pandas as pd

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.errors import InputError
from tabular_automl.core.given_path import given_path
from tabular_automl.crossfit.candidate_text import candidate_from
from tabular_automl.crossfit.fold_job import ALL_ROWS, CURVE_FILE
from tabular_automl.crossfit.folder_lock import is_held
from tabular_automl.crossfit.run_folder import read_database
from tabular_automl.crossfit.stored_array import stored_array

_WHOLE_NUMBERS = ["asked_folds", "max_rounds", "n_folds", "joint_round", "fold", "rounds"]
_TIMES = ["started", "ended", "asked", "written"]
_TRUTHS = ["complete", "given_up", "kept", "is_warning"]


class RunHistory:
    """The runs of one run folder: what was tried, what came of it, with what.

    Each method opens the folder to read and closes it again, so it tells what is there by then, also while a
    run is working in it, and where nothing can be written. Times are UTC. A run's number counts the starts in
    the folder; fits are found again by later runs, so a candidate may have results in several runs and fits
    in the first of them only. Whether a run was killed is told by the lock it held; where locks of files do
    nothing (see `RunStore.open`), one that works is told as killed.

    Parameters
    ----------
    run_dir
        The folder that was given to `fit` as ``run_dir``.

    Raises
    ------
    InputError
        If it is no run folder.
    StoreError
        If it can't be read, is damaged or of another format.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> import tabular_automl as ta
    >>> df = pd.DataFrame({"x": range(60), "y": [2.0 * x for x in range(60)]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = ta.fit(df, "y", families=["linear"], max_candidates=1, n_jobs=1, run_dir=folder)
    ...     history = ta.history(folder)
    ...     tried = history.candidates()
    ...     print(history.runs()["state"].tolist())
    ['finished']
    >>> tried[["name", "state", "n_folds"]].to_dict("records")[-1]
    {'name': 'linear/default', 'state': 'fitted', 'n_folds': 8}
    """

    def __init__(self, run_dir: str | Path) -> None:
        self.run_dir = given_path(run_dir, "run_dir")
        with read_database(self.run_dir):
            pass  # whether it is one is said here, not later

    def runs(self) -> pd.DataFrame:
        """Return the runs, a row each.

        Columns: run, state (``running``, ``finished``, ``cancelled``, ``failed``, ``killed``), reason,
        started, ended, candidates (how many), requests (of one or more for each of them), fitted (how many
        requests wholly), data and plan (hashes of the table and the fold plan: runs that share both are
        comparable), loss, metric, seed, settings (a dict).
        """
        found = self._read_states(
            "SELECT number AS run, state, reason, started, ended, "
            "(SELECT COUNT(DISTINCT key) FROM requests WHERE run = runs.number) AS candidates, "
            "(SELECT COUNT(*) FROM requests WHERE run = runs.number) AS requests, "
            "(SELECT COUNT(*) FROM requests WHERE run = runs.number AND requests.state = 'fitted') "
            "AS fitted, "
            "data, plan, loss, metric, seed, settings FROM runs ORDER BY number"
        )
        found["seed"] = [int(seed) for seed in found["seed"]]
        found["settings"] = [json.loads(settings) for settings in found["settings"]]
        return found

    def candidates(self) -> pd.DataFrame:
        """Return what the searches asked for, a row a request, in their order.

        Columns: run, number (in the run), name, family, origin, key (the candidate's), state (``running``,
        ``fitted``, ``pruned``, ``cut``, ``failed``, ``killed``), reason, score (in the metric's own
        direction), loss (that learners are trained on), n_folds, asked_folds, joint_round, max_rounds (the
        cap, if one was set), seconds (core-seconds), params (hyperparameters, a dict), recipe, hastened,
        asked, ended.
        """
        found = self._read_states(
            "SELECT run, number, candidate, key, state, reason, score, loss, n_folds, asked_folds, "
            "joint_round, max_rounds, seconds, asked, ended FROM requests ORDER BY run, number"
        )
        candidates = _take_candidates(found)
        found.insert(3, "family", [one.family for one in candidates])
        found.insert(4, "origin", [str(one.origin) for one in candidates])
        place = list(found.columns).index("asked")
        found.insert(place, "params", pd.Series([dict(one.params) for one in candidates], dtype=object))
        found.insert(place + 1, "recipe", [one.recipe.name for one in candidates])
        found.insert(place + 2, "hastened", [one.hastened for one in candidates])
        return found

    def folds(self) -> pd.DataFrame:
        """Return the fits, a row each, in the order in which they were made.

        Columns: run (that made it), name, key (the candidate's), fold (-1: all rows), loss (the lowest on the
        held-out rows; learners are trained on it), rounds, seconds, memory_mb, complete (False: the time was
        over), given_up (it fell behind a threshold curve), kept (whether its files are still there), written,
        folder.
        """
        found = self._read(
            "SELECT run, candidate, candidate_key AS key, fold, loss, rounds, seconds, memory_mb, complete, "
            "given_up, kept, written, folder FROM fold_fits ORDER BY rowid"
        )
        _take_candidates(found)
        return found

    def curves(self, candidate: str | None = None) -> pd.DataFrame:
        """Return the loss on the held-out rows after each round, of every fit whose files are there.

        Columns: name, key, fold, fit (the name of its folder: a candidate may be fitted with several caps on
        rounds), round (1, 2, ...), loss.

        Parameters
        ----------
        candidate
            Key or name of one candidate; None: of all.

        Raises
        ------
        InputError
            If no fit is of that candidate.
        """
        fits = self.folds()
        fits = fits[fits["kept"] & (fits["fold"] != ALL_ROWS)]
        if candidate is not None:
            if not isinstance(candidate, str):
                raise InputError(f"candidate is {candidate!r}. Give the name or the key of one, as a text.")
            fits = fits[(fits["key"] == candidate) | (fits["name"] == candidate)]
            if fits.empty:
                raise InputError(
                    f"{self.run_dir} has no fit of a candidate {candidate!r}. The names and keys of those it "
                    "has are in `folds()`."
                )
        curves = list(self._curves(fits))
        if not curves:
            return pd.DataFrame(columns=["name", "key", "fold", "fit", "round", "loss"])
        return pd.concat(curves, ignore_index=True)

    def failures(self) -> pd.DataFrame:
        """Return what failed.

        Columns: run, name, key, fold (missing: as a whole), reason, seconds, traceback, written.
        """
        found = self._read(
            "SELECT run, candidate, '' AS key, fold, reason, seconds, detail AS traceback, written "
            "FROM failures ORDER BY rowid"
        )
        found["key"] = [one.key for one in _take_candidates(found)]
        return found

    def events(self) -> pd.DataFrame:
        """Return what the runs told: run, elapsed (seconds), stage, message, is_warning, written."""
        return self._read(
            "SELECT run, elapsed, stage, message, is_warning, written FROM events ORDER BY rowid"
        )

    def environment(self, run: int | None = None) -> pd.DataFrame:
        """Return in what environment a run worked: run, name, value.

        Names are such as ``python``, ``platform``, ``libraries.numpy`` and, for each learner that was used,
        ``learners.linear.code_version`` and ``learners.linear.scikit-learn``.

        Parameters
        ----------
        run
            Its number; None: the last one.

        Raises
        ------
        InputError
            If there is no such run.
        """
        runs = self._read("SELECT number, environment FROM runs ORDER BY number")
        numbers = runs["number"].tolist()
        is_number = run is None or isinstance(run, Integral)  # an array may equal several numbers at a time
        if not is_number or not numbers or run not in (None, *numbers):
            raise InputError(f"{self.run_dir} has no run {run}. There are: {numbers}.")
        chosen = numbers[-1] if run is None else int(run)
        facts = json.loads(runs["environment"][numbers.index(chosen)])
        learners = self._read("SELECT family, code_version, libraries FROM learners WHERE run = ?", (chosen,))
        facts["learners"] = {
            family: {"code_version": code_version, **json.loads(libraries)}
            for family, code_version, libraries in learners.itertuples(index=False)
        }
        rows = [(chosen, name, value) for name, value in _flat(facts)]
        return pd.DataFrame(rows, columns=["run", "name", "value"])

    def __repr__(self) -> str:
        runs = self.runs()
        last = f", the last one {runs['state'].iloc[-1]}" if len(runs) else ""
        return f"<RunHistory of {self.run_dir}: {len(runs)} run{'s' * (len(runs) != 1)}{last}>"

    def _read_states(self, query: str) -> pd.DataFrame:
        """Read rows with a run and a state; what runs while nobody holds the folder was killed."""
        found = self._read(query)
        running = found["run"][found["state"] == "running"]
        if running.empty or is_held(self.run_dir):
            return found
        found = self._read(query)  # it may have ended between the first look and that at the lock
        found.loc[(found["state"] == "running") & found["run"].isin(running), "state"] = "killed"
        return found

    def _read(self, query: str, values: Sequence[object] = ()) -> pd.DataFrame:
        with read_database(self.run_dir) as connection:
            cursor = connection.execute(query, tuple(values))
            names = [column[0] for column in cursor.description]
            found = pd.DataFrame(cursor.fetchall(), columns=names)
        for name in found.columns.intersection(_WHOLE_NUMBERS):
            found[name] = found[name].astype("Int64" if found[name].isna().any() else "int64")
        for name in found.columns.intersection(_TIMES):
            found[name] = pd.to_datetime(found[name], utc=True, format="ISO8601")
        for name in found.columns.intersection(_TRUTHS):
            found[name] = found[name].astype(bool)
        return found

    def _curves(self, fits: pd.DataFrame) -> Iterator[pd.DataFrame]:
        for name, key, fold, folder in fits[["name", "key", "fold", "folder"]].itertuples(index=False):
            fit = (self.run_dir / folder).parent
            curve = stored_array(fit / CURVE_FILE)
            if curve is not None and curve.ndim == 1:  # a run may have taken it away just now
                rounds = range(1, len(curve) + 1)
                yield pd.DataFrame(
                    {"name": name, "key": key, "fold": fold, "fit": fit.name, "round": rounds, "loss": curve}
                )


def _take_candidates(found: pd.DataFrame) -> list[Candidate]:
    """Return the candidates of a column of texts, and put their names in its place."""
    place = list(found.columns).index("candidate")
    candidates = [candidate_from(text) for text in found.pop("candidate")]
    found.insert(place, "name", [one.name for one in candidates])
    return candidates


def _flat(facts: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
