"""The records of a run as JSON facts and named arrays, and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_automl.artifact.values import decode_value, encode_value
from tabular_automl.core.candidate import Candidate, Origin, Params, Recipe
from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit
from tabular_automl.core.digest import Json, digest_array
from tabular_automl.core.ensemble import Comparison, Ensemble, FittedEnsemble, HonestScore, Member
from tabular_automl.core.run import Run
from tabular_automl.core.schema import ColumnSchema, Finding, Kind, Schema, Severity
from tabular_automl.core.task import TargetType, Task, TaskKind

Facts = Mapping[str, Any]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class RunParts:
    """A run without its fitted models: JSON facts, and the arrays they name."""

    facts: Facts
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
        "seconds": dict(run.seconds),
        "settings": dict(run.settings),
        "versions": dict(run.versions),
    }
    return RunParts(facts, arrays)


def decode_run(parts: RunParts, fitted: FittedEnsemble) -> Run:
    """Return the run that `encode_run` was given, around a fitted ensemble.

    The models that predict are in the ensemble; those of the fold fits stayed in the run store, so that these
    get an empty path.
    """
    facts, arrays = parts.facts, parts.arrays
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
        baselines=tuple(_decode_crossfit(fit, arrays) for fit in facts["baselines"]),
        crossfits=tuple(_decode_crossfit(fit, arrays) for fit in facts["crossfits"]),
        failures=tuple(_decode_failure(failure) for failure in facts["failures"]),
        ensemble=Ensemble(tuple(decode_member(member) for member in facts["ensemble"])),
        fitted=fitted,
        score=HonestScore(**_decode_flat(facts["score"])),
        comparisons=tuple(Comparison(**_decode_flat(comparison)) for comparison in facts["comparisons"]),
        seconds=facts["seconds"],
        settings=facts["settings"],
        versions=facts["versions"],
    )


def encode_member(member: Member) -> Facts:
    """Return a member as JSON."""
    return {"candidate": _encode_candidate(member.candidate), "weight": member.weight}


def decode_member(facts: Facts) -> Member:
    """Return the member that `encode_member` was given."""
    return Member(_decode_candidate(facts["candidate"]), facts["weight"])


def _encode_flat(record: Finding | HonestScore | Comparison) -> Facts:
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
        "seconds": float(fit.seconds),
        "n_repeats": int(fit.n_repeats),
        "max_rounds": fit.max_rounds,
    }


def _decode_crossfit(facts: Facts, arrays: Arrays) -> CrossFit:
    prefix = facts["arrays"]
    folds = tuple(
        FoldFit(folder=Path(), curve=arrays[f"{prefix}/curves/{i}"], **fold)
        for i, fold in enumerate(facts["folds"])
    )
    return CrossFit(
        candidate=_decode_candidate(facts["candidate"]),
        plan=facts["plan"],
        folds=folds,
        rows=arrays[facts["rows"]].astype(np.intp, copy=False),
        predictions=arrays[f"{prefix}/predictions"],
        joint_round=facts["joint_round"],
        seconds=facts["seconds"],
        n_repeats=facts["n_repeats"],
        max_rounds=facts["max_rounds"],
    )


def _encode_fold(fold: FoldFit) -> Facts:
    # The folder is left out: it lies in the run store, and would tell the reader about this machine.
    return {
        "key": fold.key,
        "fold": int(fold.fold),
        "seconds": float(fold.seconds),
        "memory_mb": float(fold.memory_mb),
        "complete": bool(fold.complete),
    }


def _encode_failure(failure: Failure) -> Facts:
    return {
        "candidate": _encode_candidate(failure.candidate),
        "fold": failure.fold,
        "reason": failure.reason,
        "seconds": float(failure.seconds),
        "skipped": failure.skipped,
    }


def _decode_failure(facts: Facts) -> Failure:
    return Failure(**{**facts, "candidate": _decode_candidate(facts["candidate"])})
