"""``tabular-automl history``: what the runs of a run folder tried, and what came of it."""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from tabular_automl.artifact import check_parent
from tabular_automl.automl import history
from tabular_automl.cli.show import show, show_as_it_is
from tabular_automl.core.errors import WriteError
from tabular_automl.crossfit import RunHistory

_SHOWN: Mapping[str, Callable[[RunHistory], pd.DataFrame]] = MappingProxyType(
    {
        "runs": RunHistory.runs,
        "candidates": RunHistory.candidates,
        "folds": RunHistory.folds,
        "curves": RunHistory.curves,
        "failures": RunHistory.failures,
        "events": RunHistory.events,
        "environment": RunHistory.environment,
    }
)
# So many candidates the overview shows, the last ones.
OVERVIEW_ROWS = 20
_RUN_COLUMNS = ["run", "state", "started", "seconds", "candidates", "requests", "fitted", "metric", "seed"]
_CANDIDATE_COLUMNS = ["run", "name", "origin", "state", "score", "n_folds", "seconds", "reason"]
# So many digits tell hashes apart in text.
HASH_DIGITS = 12
_HASHES = ["data", "plan", "fit"]
_TOO_LONG_FOR_TEXT = ["settings", "params", "traceback", "folder"]


def history_command(options: argparse.Namespace) -> None:
    """Print the history of a run folder, or write it to a file."""
    path = None if options.out is None else check_parent(options.out)
    told = history(options.run_dir)
    if options.show is None and options.format == "text":
        text = _overview(told)
    else:
        text = _FORMATS[options.format](_SHOWN[options.show or "candidates"](told))
    if path is None:
        (show if options.format == "text" else show_as_it_is)(text)
        return
    _write(path, text)
    show(f"History written to {options.out}.")


def _overview(told: RunHistory) -> str:
    runs, candidates, failures = told.runs(), _longest(told.candidates()), told.failures()
    runs["seconds"] = (runs["ended"] - runs["started"]).dt.total_seconds().round(1)
    parts = [f"Runs (UTC):\n{_text(runs[_RUN_COLUMNS])}"]
    if len(candidates):
        last = candidates.tail(OVERVIEW_ROWS)
        which = f"the last {len(last)} of {len(candidates)}" if len(last) < len(candidates) else "in order"
        parts.append(f"Candidates by their longest request, {which}:\n{_text(last[_CANDIDATE_COLUMNS])}")
    if len(failures):
        parts.append(f"{len(failures)} failures: --show failures --format json tells their tracebacks.")
    parts.append("More: --show runs, candidates, folds, curves, failures, events or environment.")
    return "\n\n".join(parts)


def _longest(requests: pd.DataFrame) -> pd.DataFrame:
    """Return one request a candidate of a run, that for the most folds; of several, the last."""
    by_length = requests.sort_values(["asked_folds", "run", "number"], kind="stable")
    return by_length.drop_duplicates(["run", "key"], keep="last").sort_values(["run", "number"])


def _text(frame: pd.DataFrame) -> str:
    shown = frame.drop(columns=[name for name in _TOO_LONG_FOR_TEXT if name in frame])
    if shown.empty:
        return "(none)"
    for name in shown.columns.intersection(_HASHES):
        shown[name] = shown[name].str[:HASH_DIGITS]
    for time in shown.select_dtypes("datetimetz"):
        shown[time] = shown[time].dt.strftime("%Y-%m-%d %H:%M:%S")
    return shown.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.5g}")


def _csv(frame: pd.DataFrame) -> str:
    flat = frame.copy()
    for name in flat.columns:
        if any(isinstance(value, dict) for value in flat[name]):
            flat[name] = [json.dumps(value) for value in flat[name]]
    return flat.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ").rstrip("\n")


def _json(frame: pd.DataFrame) -> str:
    return frame.to_json(orient="records", date_format="iso", indent=1, double_precision=15) or ""


_FORMATS: Mapping[str, Callable[[pd.DataFrame], str]] = MappingProxyType(
    {"text": _text, "csv": _csv, "json": _json}
)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise WriteError(f"Cannot write '{path}': {error.strerror}. Choose another path.") from error
