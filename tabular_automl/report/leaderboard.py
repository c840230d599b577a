"""Every candidate and every baseline; ranked are those whose scores are of the same rows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabular_automl.core.candidate import Candidate, Origin
from tabular_automl.core.crossfit import CrossFit, Failure, shared_rows
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.metrics import Metric, metric_named
from tabular_automl.core.run import Run
from tabular_automl.ensemble.choose import longest_of_each

ENSEMBLE = "ensemble"
NAME_WIDTH = 22
FAMILY_WIDTH = 8
STATUS_WIDTH = 17


@dataclass(frozen=True)
class _Line:
    name: str
    loss: float
    family: str
    origin: str
    folds: str | None
    rounds: int | None
    fit_s: float
    weight: float
    status: str


def leaderboard(run: Run) -> pd.DataFrame:
    """Return the ensemble, then candidates and baselines from best to worst, then what can't be compared.

    The ensemble's score is the honest one (`HonestScore`), with the optimism of choosing taken off; it can
    therefore be a little below that of its best member. A candidate's is its plain out-of-fold score on
    the rows the ensemble rests on. Below, without a rank, come those that were pruned or ran on fewer folds,
    so that they do not cover all of these rows: their scores are of the rows they have, on which chance may
    have been kind. Last comes what failed or was skipped.

    Returns
    -------
    DataFrame
        A row a candidate. Columns: rank (missing where a score is missing or of fewer rows), name, score (in
        the metric's own direction), family, origin, folds (``8``, ``8×3`` for three repeats of eight, ``2 of
        8`` where it was left or time was short; of the ensemble, what every member has at least), rounds (the
        joint stopping round), fit_s (core-seconds), weight (in the ensemble) and status.
        The status says what happened for want of time: ``cut short`` (the deadline ended a fit), ``capped``
        (a cap on rounds did), ``faster steps`` (such as a higher learning rate), ``skipped``; ``pruned``
        where the search left a candidate early; else ``ok``. The report has the reasons.
        Numbers are rounded and long texts cut, so that a printed line fits 110 columns; the run has them
        whole.
    """
    metric = metric_named(run.task.metric, run.task.kind)
    rows = shared_rows(member_fits(run))
    weights = {member.candidate.key: member.weight for member in run.ensemble.members}
    judged = _with_weight(run, rows)
    ranked: list[_Line] = []
    others: list[_Line] = []
    for fit in (*longest_of_each(run.crossfits), *run.baselines):
        line = _line(run, fit, _loss(run, fit, rows, metric), weights)
        is_comparable = not fit.pruned and np.isin(judged, fit.rows, assume_unique=True).all()
        (ranked if is_comparable and not np.isnan(line.loss) else others).append(line)
    ranked.sort(key=lambda line: line.loss)
    others.sort(key=lambda line: (np.isnan(line.loss), line.loss))
    lines = [_ensemble_line(run, metric), *ranked, *others, *map(_failed_line, run.failures)]
    table = pd.DataFrame([vars(line) for line in lines]).rename(columns={"loss": "score"})
    n_ranked = 1 + len(ranked)
    table.insert(0, "rank", [*range(1, n_ranked + 1), *[None] * (len(table) - n_ranked)])
    table["score"] = _rounded(np.array([metric.score(loss) for loss in table["score"]]))
    return table.astype({"rank": "Int64", "folds": "string", "rounds": "Int64"})


def member_fits(run: Run) -> tuple[CrossFit, ...]:
    """Return the cross fits that the ensemble's members come from."""
    keys = {member.candidate.key for member in run.ensemble.members}
    return tuple(fit for fit in longest_of_each(run.crossfits) if fit.candidate.key in keys)


def _loss(run: Run, fit: CrossFit, rows: NDArray[np.intp], metric: Metric) -> float:
    """Return a fit's loss on the weighed rows it covers, or on its own if none; NaN if all weigh 0."""
    shared = np.intersect1d(rows, fit.rows, assume_unique=True)
    seen = _with_weight(run, shared)
    seen = seen if len(seen) else _with_weight(run, fit.rows)
    if not len(seen):
        return float("nan")
    weight = None if run.weight is None else run.weight[seen]
    return metric.loss(run.y[seen], fit.predictions[np.searchsorted(fit.rows, seen)], weight)


def _with_weight(run: Run, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    return rows if run.weight is None else rows[run.weight[rows] > 0]


def _ensemble_line(run: Run, metric: Metric) -> _Line:
    fits = member_fits(run)
    n_members = len(run.ensemble.members)
    return _Line(
        name=ENSEMBLE,
        family=ENSEMBLE,
        origin=f"{n_members} member{'s' if n_members > 1 else ''}",
        loss=metric.score(run.score.value),
        folds=_folds(run, min(fit.folds_per_repeat for fit in fits), min(fit.n_repeats for fit in fits)),
        rounds=None,
        fit_s=round(sum(fit.seconds for fit in fits), 1),
        weight=1.0,
        status="honest score",
    )


def _line(run: Run, fit: CrossFit, loss: float, weights: dict[str, float]) -> _Line:
    candidate = fit.candidate
    is_baseline = candidate.origin is Origin.BASELINE
    return _Line(
        name=_name(candidate),
        family=_family(candidate),
        origin=str(candidate.origin),
        loss=loss,
        folds=_folds(run, run.n_folds if is_baseline else fit.folds_per_repeat, fit.n_repeats),
        rounds=None if is_baseline else fit.joint_round,
        fit_s=round(fit.seconds, 1),
        weight=round(weights.get(candidate.key, 0.0), 3),
        status=_status(fit, loss),
    )


def _status(fit: CrossFit, loss: float) -> str:
    if fit.pruned:
        return "pruned"
    happened = {
        "rows weigh 0": np.isnan(loss),
        "cut short": not fit.complete,
        "capped": fit.capped,
        "faster steps": fit.candidate.hastened,
    }
    return _cut(", ".join(what for what, is_so in happened.items() if is_so) or "ok", STATUS_WIDTH)


def _failed_line(failure: Failure) -> _Line:
    candidate = failure.candidate
    return _Line(
        name=_name(candidate),
        family=_family(candidate),
        origin=str(candidate.origin),
        loss=float("nan"),
        folds=None,
        rounds=None,
        fit_s=round(failure.seconds, 1),
        weight=0.0,
        status="skipped" if failure.skipped else _cut(f"failed: {failure.reason}", STATUS_WIDTH),
    )


def _folds(run: Run, n_folds: int, n_repeats: int) -> str:
    if n_repeats > 1:
        return f"{n_folds}×{n_repeats}"
    return str(n_folds) if n_folds == run.n_folds else f"{n_folds} of {run.n_folds}"


def _name(candidate: Candidate) -> str:
    if candidate.origin is Origin.BASELINE and candidate.label:
        return _cut(candidate.label, NAME_WIDTH)
    # A family of one's own is `package.module:Class`; its class says enough here.
    return _cut(candidate.name.rpartition(":")[2], NAME_WIDTH)


def _family(candidate: Candidate) -> str:
    return _cut(candidate.family.rpartition(":")[2], FAMILY_WIDTH)


def _cut(text: str, width: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 3].rstrip()}..."


def _rounded(scores: FloatArray) -> FloatArray:
    """Round to six digits of the largest score, the same decimals for all."""
    largest = float(np.nanmax(np.abs(scores)))
    decimals = 6 if largest == 0 else 5 - int(np.floor(np.log10(largest)))
    return np.round(scores, max(decimals, 0))
