"""A finished run put together by hand: a report reads records, not models."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from tabular_automl.core.candidate import Candidate, Origin, Recipe, freeze_params
from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit
from tabular_automl.core.ensemble import (
    Comparison,
    Ensemble,
    FittedEnsemble,
    FittedMember,
    HonestScore,
    Member,
    ServedModel,
)
from tabular_automl.core.fitting import Encoder, FittedModel
from tabular_automl.core.run import Run
from tabular_automl.core.schema import ColumnSchema, Finding, Kind, Schema, Severity
from tabular_automl.core.task import TargetType, Task, TaskKind

N = 120
MakeRun = Callable[..., Run]

CLASSES = {TaskKind.BINARY: ("no", "yes"), TaskKind.MULTICLASS: ("a", "b", "c"), TaskKind.REGRESSION: ()}
METRIC = {TaskKind.BINARY: "roc_auc", TaskKind.MULTICLASS: "log_loss", TaskKind.REGRESSION: "rmse"}


def candidate(family: str, label: str, origin: Origin = Origin.DEFAULT) -> Candidate:
    return Candidate(family, freeze_params({"label": label}), Recipe("ordinal"), origin, label=label)


LIGHTGBM = candidate("lightgbm", "default")
LINEAR = candidate("linear", "default")
OWN = candidate("my_company.models.deep:VerySpecialNetwork", "with-a-very-long-label", Origin.USER)
ZERO_RULE = candidate("baseline", "zero rule", Origin.BASELINE)
ONE_RULE = candidate("baseline", "one rule (a column with quite a long name)", Origin.BASELINE)


def served(who: Candidate, weight: float, *, refits: float) -> FittedMember:
    """A member of two fold models and two refits that predicts with the latter to this share."""
    models = (
        ServedModel(cast("FittedModel", None), 5, share / 2, is_refit)
        for share, is_refit in ((1 - refits, False), (refits, True))
        for _ in range(2)
        if share
    )
    return FittedMember(Member(who, weight), cast("Encoder", None), tuple(models))


@pytest.fixture
def make_run(tmp_path: Any) -> MakeRun:
    def make(kind: TaskKind = TaskKind.BINARY, scale: float = 1.0, **changes: Any) -> Run:
        rng = np.random.default_rng(0)
        classes = CLASSES[kind]
        y = rng.integers(0, len(classes), N).astype(float) if classes else rng.normal(size=N) * scale

        def fit(who: Candidate, noise: float, n_folds: int = 4) -> CrossFit:
            rows = np.arange(N * n_folds // 4)
            folds = tuple(FoldFit("key", i, tmp_path, np.ones(3), 12.3456, 100.0) for i in range(n_folds))
            if kind is TaskKind.MULTICLASS:
                shares = np.eye(3)[y.astype(int)] + noise * rng.random((N, 3)) + 0.01
                predictions = shares / shares.sum(axis=1, keepdims=True)
            elif kind is TaskKind.BINARY:
                predictions = np.clip((y + noise * rng.normal(size=N)) / 2 + 0.25, 0, 1)[:, None]
            else:
                predictions = (y + noise * scale * rng.normal(size=N))[:, None]
            return CrossFit(
                who,
                "plan",
                () if who.origin is Origin.BASELINE else folds,
                rows,
                predictions[rows],
                12_345,
                12_345.678,
            )

        fields: dict[str, Any] = {
            "schema": Schema((ColumnSchema("x", "c0", Kind.NUMERIC, "float64", 0.0, N, "", "number"),)),
            "task": Task("price", kind, TargetType("str"), METRIC[kind], classes),
            "findings": (
                Finding("constant", Severity.WARNING, "Column 'k' is constant.", "Remove it.", "k"),
                Finding("task", Severity.NOTICE, "The target has 2 values.", "Set task= to decide.", None),
            ),
            "scheme": "stratified",
            "n_folds": 4,
            "y": y,
            "weight": None,
            "baselines": (fit(ZERO_RULE, 9.0), fit(ONE_RULE, 3.0)),
            "crossfits": (fit(LINEAR, 1.5), fit(LIGHTGBM, 1.0), fit(OWN, 2.0, n_folds=2)),
            "failures": (Failure(OWN, 3, "MemoryError: cannot\nallocate 12.3 GiB for an array", 12_345.678),),
            "ensemble": Ensemble((Member(LIGHTGBM, 0.75), Member(LINEAR, 0.25))),
            "fitted": FittedEnsemble((served(LIGHTGBM, 0.75, refits=0.5), served(LINEAR, 0.25, refits=0.0))),
            "score": HonestScore(0.91234 * scale, 0.88 * scale, 0.94 * scale, METRIC[kind], 0.004 * scale, N),
            "comparisons": (
                Comparison("zero rule", 0.5 * scale, 0.41 * scale, 0.38 * scale, 0.44 * scale),
                Comparison("existing system", 0.9 * scale, 0.01 * scale, -0.01 * scale, 0.03 * scale),
            ),
            "seconds": {"ingest": 0.25, "fit": 10.5, "total": 11.0},
            "settings": {},
            "versions": {"tabular_automl": "0.1.0", "python": "3.11"},
        }
        return Run(**{**fields, **changes})

    return make
