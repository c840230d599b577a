"""Measure what fits need against their families' formulas: `python tests/benchmarks/memory.py [FAMILY ...]`.

Each fit runs in a process that has imported every family and has made a tiny fit before, as a worker has,
and reads a made-up table from a file. Printed is the peak of resident memory beyond what the process held
before (Linux only), in MB (10^6 bytes), how many times that `Learner.memory` expects for as many rounds as
were fitted, and what the process held before: what is resident, and of that what the kernel cannot take
back. Without arguments all families are measured.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tabular_automl.core.candidate import Params, freeze_params
from tabular_automl.core.fitting import FitContext, Rows
from tabular_automl.core.memory import held_memory
from tabular_automl.core.problem import ProblemShape
from tabular_automl.core.schema import Kind
from tabular_automl.core.table import Column, Table
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit.fold_job import peak_memory_mb
from tabular_automl.crossfit.matrix_file import write_matrix
from tabular_automl.learners import FAMILIES, Learner, learner_for
from tabular_automl.preprocessing import fit_encoder

MB = 1e6
MOST_ROUNDS = 30
LEVELS = 12


@dataclass(frozen=True)
class Case:
    """A table's shape, and hyperparameters that differ from the defaults."""

    task: str
    n_rows: int
    n_numeric: int
    n_categorical: int = 0
    n_outputs: int = 1
    params: tuple[tuple[str, Any], ...] = ()

    @property
    def shape(self) -> ProblemShape:
        task = TaskKind(self.task)
        return ProblemShape(task, self.n_rows, self.n_numeric, self.n_categorical, self.n_outputs)


CASES = (
    Case("binary", 1_000, 10),
    Case("binary", 1_000, 500),
    Case("binary", 20_000, 100),
    Case("binary", 20_000, 30, 20),
    Case("regression", 20_000, 500),
    Case("binary", 100_000, 10),
    Case("regression", 100_000, 100),
    Case("multiclass", 1_000, 100, 0, 20),
    Case("multiclass", 20_000, 30, 10, 20),
    Case("multiclass", 5_000, 500, 0, 8),
    Case("multiclass", 20_000, 10, 0, 100),
)
LARGEST = {
    "lightgbm": (("num_leaves", 200),),
    "xgboost": (("max_bin", 512), ("max_depth", 10)),
    "catboost": (("border_count", 254), ("depth", 9)),
}


def main(families: list[str]) -> None:
    print("family         task           rows  columns  classes  measured  expected/measured  before")
    for family in families or [name for name in FAMILIES if name != "prior"]:
        largest = [Case("binary", 20_000, 200, params=LARGEST[family])] if family in LARGEST else []
        for case in [*CASES, *largest]:
            done = subprocess.run(
                [sys.executable, __file__, "--one", family, json.dumps(asdict(case))],
                check=False, capture_output=True, text=True,
            )  # fmt: skip
            if done.returncode:
                print(family, case, done.stderr[-400:])
                continue
            measured, expected, resident, held = json.loads(done.stdout)
            columns = case.n_numeric + case.n_categorical
            sizes = f"{case.n_rows:8d} {columns:8d} {case.n_outputs:8d}"
            figures = f"{measured:9.0f} {expected / max(measured, 1.0):18.2f} {resident:7.0f} {held:5.0f}"
            print(f"{family:13s}  {case.task:10s} {sizes} {figures}  {dict(case.params) or ''}", flush=True)


def one(family: str, case: Case) -> tuple[float, float, float, float]:
    """Return the measured and the expected MB of one fit, and the MB resident and held before it."""
    for other in FAMILIES:
        learner_for(other)
    measure(family, replace(case, n_rows=400, n_numeric=5, n_categorical=1))
    return measure(family, case)


def measure(family: str, case: Case) -> tuple[float, float, float, float]:
    learner, shape = learner_for(family), case.shape
    params = freeze_params({**dict(learner.defaults(shape)), **dict(case.params)})
    rounds = min(MOST_ROUNDS, learner.expected_rounds(shape, params))
    with tempfile.TemporaryDirectory() as folder:
        context = write(learner, params, shape, Path(folder), rounds)
        before, held = reset_peak(), (held_memory(os.getpid()) or 0) / MB
        fit(learner, params, context, Path(folder))
        measured = peak_memory_mb() * 2**20 / MB - before
    return measured, of_rounds(learner, shape, params, rounds) / MB, before, held


def of_rounds(learner: Learner, shape: ProblemShape, params: Params, rounds: int) -> float:
    """Return the family's formula for a fit of so many rounds."""

    class Short(type(learner)):  # type: ignore[misc]
        def expected_rounds(self, shape: ProblemShape, params: Params) -> int:
            return rounds

    return float(Short().memory(shape, params))


def write(learner: Learner, params: Params, shape: ProblemShape, folder: Path, rounds: int) -> FitContext:
    """Write matrix, target and folds, and return the circumstances of the fit."""
    rng = np.random.default_rng(0)
    columns = [Column(f"n{i}", Kind.NUMERIC, rng.normal(size=shape.n_rows)) for i in range(shape.n_numeric)]
    for i in range(shape.n_categorical):
        codes = rng.integers(0, LEVELS, shape.n_rows).astype(np.int32)
        columns.append(Column(f"c{i}", Kind.CATEGORICAL, codes, tuple(map(str, range(LEVELS)))))
    table = Table(tuple(columns), shape.n_rows)
    encoder = fit_encoder(learner.recipe(params), table)
    write_matrix(encoder, table, folder / "matrix.npy")
    signal = rng.normal(size=shape.n_rows) + np.sum([column.values for column in columns[:5]], axis=0)
    if shape.task is TaskKind.BINARY:
        signal = (signal > 0).astype(np.float64)
    if shape.task is TaskKind.MULTICLASS:
        signal = np.floor(np.argsort(np.argsort(signal)) * (shape.n_outputs / shape.n_rows))
    np.save(folder / "y.npy", signal)
    limits = learner.limits(shape, params)
    return FitContext(shape, encoder.features, 0, 1, rounds, limits.patience)


def fit(learner: Learner, params: Params, context: FitContext, folder: Path) -> None:
    """Fit on seven eighths of the rows, predict the others and save, as a worker does."""
    held_out = np.arange(context.shape.n_rows) % 8 == 0
    train, watched = (
        Rows(
            np.load(folder / "matrix.npy", mmap_mode="r")[np.flatnonzero(part)],
            np.load(folder / "y.npy")[part],
        )
        for part in (~held_out, held_out)
    )
    model = learner.fit(train, watched, params, context).model
    model.predict(watched.X)
    (folder / "model").mkdir()
    model.save(folder / "model")


def reset_peak() -> float:
    """Let the peak start from what is resident now, and return that in MB."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_memory_mb() * 2**20 / MB


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        settings = json.loads(sys.argv[3])
        settings["params"] = tuple(map(tuple, settings["params"]))
        print(json.dumps(one(sys.argv[2], Case(**settings))))
    else:
        main(sys.argv[1:])
