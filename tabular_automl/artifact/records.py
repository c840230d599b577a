"""The records of a run as JSON facts and named arrays, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_automl.artifact.circumstances import (
    CIRCUMSTANTIAL_SETTINGS,
    decode_fold_circumstances,
    decode_utilisation,
    encode_circumstances,
)
from tabular_automl.artifact.values import decode_value, encode_value
from tabular_automl.core.candidate import Candidate, Origin, Params, Recipe
from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit
from tabular_automl.core.digest import Json, digest_array
from tabular_automl.core.ensemble import Comparison, Ensemble, FittedEnsemble, HonestScore, Member
from tabular_automl.core.forecast import Extrapolation, Forecast
from tabular_automl.core.run import Run
from tabular_automl.core.schema import ColumnSchema, Finding, Kind, Schema, Severity
from tabular_automl.core.task import TargetType, Task, TaskKind

Facts = Mapping[str, Any]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class RunParts:
    """A run without its fitted models: JSON facts, its circumstances, and the arrays that facts name."""

    facts: Facts
    circumstances: Facts
    arrays: Arrays = field(default_factory=dict)


def encode_run(run: Run) -> RunParts:
    """Return everything in a run but the fitted ensemble."""
    arrays: Arrays = {"y": run.y}
    if run.weight is not None:
        arrays["weight"] = run.weight
    facts = {
        "schema": [_encode_column(column) for column in run.schema],
        "roles": [encode_value(name) for name in run.schema.roles],
        "task": _encode_task(run.task),
        "findings": [_encode_flat(finding) for finding in run.findings],
        "scheme": run.scheme,
        "n_folds": run.n_folds,
        "baselines": [_encode_crossfit(fit, f"baselines/{i}", arrays) for i, fit in enumerate(run.baselines)],
        "crossfits": [_encode_crossfit(fit, f"crossfits/{i}", arrays) for i, fit in enumerate(run.crossfits)],
        "failures": [_encode_failure(failure) for failure in run.failures],
        "ensemble": [encode_member(member) for member in run.ensemble.members],
        "score": _encode_flat(run.score),
        "comparisons": [_encode_flat(comparison) for comparison in run.comparisons],
        "forecast": None if run.forecast is None else _encode_forecast(run.forecast),
        "settings": {n: value for n, value in run.settings.items() if n not in CIRCUMSTANTIAL_SETTINGS},
        "versions": dict(run.versions),
    }
    return RunParts(facts, encode_circumstances(run), arrays)


def decode_run(parts: RunParts, fitted: FittedEnsemble) -> Run:
    """Return the run that `encode_run` was given, around a fitted ensemble.

    The models that predict are in the ensemble; those of the fold fits stayed in the run store, so that these
    get an empty path.
    """
    facts, circumstances, arrays = parts.facts, parts.circumstances, parts.arrays
    return Run(
        schema=Schema(
            tuple(_decode_column(column) for column in facts["schema"]),
            tuple(decode_value(name) for name in facts["roles"]),
        ),
        task=_decode_task(facts["task"]),
        findings=tuple(_decode_finding(finding) for finding in facts["findings"]),
        scheme=facts["scheme"],
        n_folds=facts["n_folds"],
        y=arrays["y"],
        weight=arrays.get("weight"),
        baselines=_decode_crossfits(facts["baselines"], circumstances["baselines"], arrays),
        crossfits=_decode_crossfits(facts["crossfits"], circumstances["crossfits"], arrays),
        failures=tuple(
            _decode_failure(*pair) for pair in zip(facts["failures"], circumstances["failures"], strict=True)
        ),
        ensemble=Ensemble(tuple(decode_member(member) for member in facts["ensemble"])),
        fitted=fitted,
        score=HonestScore(**_decode_flat(facts["score"])),
        comparisons=tuple(Comparison(**_decode_flat(comparison)) for comparison in facts["comparisons"]),
        seconds=circumstances["seconds"],
        settings={**facts["settings"], **circumstances["settings"]},
        versions=facts["versions"],
        forecast=None if facts["forecast"] is None else _decode_forecast(facts["forecast"]),
        utilisation=decode_utilisation(circumstances["utilisation"]),
    )


def encode_member(member: Member) -> Facts:
    """Return a member as JSON."""
    return {"candidate": _encode_candidate(member.candidate), "weight": member.weight}


def decode_member(facts: Facts) -> Member:
    """Return the member that `encode_member` was given."""
    return Member(_decode_candidate(facts["candidate"]), facts["weight"])


def _encode_forecast(forecast: Forecast) -> Facts:
    steps = [_encode_flat(step) for step in forecast.extrapolations]
    return {**_encode_flat(replace(forecast, extrapolations=())), "extrapolations": steps}


def _decode_forecast(facts: Facts) -> Forecast:
    steps = tuple(Extrapolation(**_decode_flat(step)) for step in facts["extrapolations"])
    return Forecast(**{**_decode_flat({**facts, "extrapolations": None}), "extrapolations": steps})


def _encode_flat(record: Finding | HonestScore | Comparison | Forecast | Extrapolation) -> Facts:
    return {part.name: encode_value(getattr(record, part.name)) for part in fields(record)}


def _decode_flat(facts: Facts) -> dict[str, Any]:
    return {name: decode_value(value) for name, value in facts.items()}


def _decode_finding(facts: Facts) -> Finding:
    return Finding(**{**_decode_flat(facts), "severity": Severity(facts["severity"])})


def _encode_column(column: ColumnSchema) -> Facts:
    facts = {part.name: getattr(column, part.name) for part in fields(column)}
    levels = None if column.categories is None else [encode_value(level) for level in column.categories]
    return facts | {"name": encode_value(column.name), "kind": str(column.kind), "categories": levels}


def _decode_column(facts: Facts) -> ColumnSchema:
    name, kind, levels = decode_value(facts["name"]), Kind(facts["kind"]), _decode_labels(facts["categories"])
    return ColumnSchema(**{**facts, "name": name, "kind": kind, "categories": levels})


def _encode_task(task: Task) -> Facts:
    given = task.target_type
    return {
        "target": encode_value(task.target),
        "kind": str(task.kind),
        "target_type": {
            "dtype": given.dtype,
            "categories": _encode_labels(given.categories),
            "categories_dtype": given.categories_dtype,
            "ordered": given.ordered,
        },
        "metric": task.metric,
        "classes": _encode_labels(task.classes),
    }


def _decode_task(facts: Facts) -> Task:
    given = facts["target_type"]
    return Task(
        target=decode_value(facts["target"]),
        kind=TaskKind(facts["kind"]),
        target_type=TargetType(**{**given, "categories": _decode_labels(given["categories"])}),
        metric=facts["metric"],
        classes=_decode_labels(facts["classes"]) or (),
    )


def _encode_labels(labels: tuple[Any, ...] | None) -> Json:
    return None if labels is None else [encode_value(label) for label in labels]


def _decode_labels(facts: list[Any] | None) -> tuple[Any, ...] | None:
    return None if facts is None else tuple(decode_value(label) for label in facts)


def _encode_candidate(candidate: Candidate) -> Facts:
    return {
        "family": candidate.family,
        "params": _encode_params(candidate.params),
        "recipe": {"name": candidate.recipe.name, "params": _encode_params(candidate.recipe.params)},
        "origin": str(candidate.origin),
        "level": candidate.level,
        "parents": list(candidate.parents),
        "label": candidate.label,
        "hastened": candidate.hastened,
    }


def _decode_candidate(facts: Facts) -> Candidate:
    return Candidate(
        family=facts["family"],
        params=_decode_params(facts["params"]),
        recipe=Recipe(facts["recipe"]["name"], _decode_params(facts["recipe"]["params"])),
        origin=Origin(facts["origin"]),
        level=facts["level"],
        parents=tuple(facts["parents"]),
        label=facts["label"],
        hastened=facts.get("hastened", False),
    )


def _encode_params(params: Params) -> Json:
    return [[name, encode_value(value)] for name, value in params]


def _decode_params(facts: list[list[Any]]) -> Params:
    return tuple((name, decode_value(value)) for name, value in facts)


def _encode_crossfit(fit: CrossFit, prefix: str, arrays: Arrays) -> Facts:
    # Most candidates cover the same rows: these are stored once, under their hash.
    rows = f"rows/{digest_array(fit.rows)[:16]}"
    arrays[rows] = fit.rows
    arrays[f"{prefix}/predictions"] = fit.predictions
    for i, fold in enumerate(fit.folds):
        arrays[f"{prefix}/curves/{i}"] = fold.curve
    return {
        "candidate": _encode_candidate(fit.candidate),
        "plan": fit.plan,
        "folds": [_encode_fold(fold) for fold in fit.folds],
        "rows": rows,
        "arrays": prefix,
        "joint_round": int(fit.joint_round),
        "n_repeats": int(fit.n_repeats),
        "max_rounds": fit.max_rounds,
        "pruned": fit.pruned,
        "unjudged": fit.unjudged,
    }


def _decode_crossfits(
    facts: Sequence[Facts], measured: Sequence[Facts], arrays: Arrays
) -> tuple[CrossFit, ...]:
    pairs = zip(facts, measured, strict=True)
    return tuple(_decode_crossfit(fit, of_fit, arrays) for fit, of_fit in pairs)


def _decode_crossfit(facts: Facts, measured: Facts, arrays: Arrays) -> CrossFit:
    prefix = facts["arrays"]
    folds = tuple(
        FoldFit(
            folder=Path(), curve=arrays[f"{prefix}/curves/{i}"], **fold, **decode_fold_circumstances(of_fold)
        )
        for i, (fold, of_fold) in enumerate(zip(facts["folds"], measured["folds"], strict=True))
    )
    return CrossFit(
        candidate=_decode_candidate(facts["candidate"]),
        plan=facts["plan"],
        folds=folds,
        rows=arrays[facts["rows"]].astype(np.intp, copy=False),
        predictions=arrays[f"{prefix}/predictions"],
        joint_round=facts["joint_round"],
        seconds=measured["seconds"],
        n_repeats=facts["n_repeats"],
        max_rounds=facts["max_rounds"],
        pruned=facts["pruned"],
        unjudged=facts.get("unjudged", False),
    )


def _encode_fold(fold: FoldFit) -> Facts:
    # The folder is left out: it lies in the run store, and would tell the reader about this machine.
    return {
        "key": fold.key,
        "fold": int(fold.fold),
        "complete": bool(fold.complete),
        "given_up": bool(fold.given_up),
    }


def _encode_failure(failure: Failure) -> Facts:
    return {
        "candidate": _encode_candidate(failure.candidate),
        "fold": failure.fold,
        "skipped": failure.skipped,
    }


def _decode_failure(facts: Facts, measured: Facts) -> Failure:
    return Failure(**{**facts, **measured, "candidate": _decode_candidate(facts["candidate"])})
