"""What do bars inside a fit save, and whom do they cost? Judged on loss curves of whole fits of fold 0.

`python tests/benchmarks/bars.py --curves curves.jsonl TABLE [TABLE ...]`

A table is a Parquet file with its target, `path/to/file.parquet@price`. Of each family the default and eleven
candidates drawn from its space are fitted to their end on fold 0, in this process on one thread; what is in
`--curves` already is not fitted again. Then the candidates come in so many orders, each against the bar of
those before it, as `bar_for` sets it in a search. Printed as a Markdown table: the share of the seconds that
is saved, and how often a candidate was left that ends among the best third of its family on that table.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tabular_automl.core.candidate import Candidate, freeze_params
from tabular_automl.core.crossfit import CrossFit, FoldFit
from tabular_automl.core.fitting import FitContext, Rows
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem, ProblemShape
from tabular_automl.core.seeds import derive_rng, derive_seed
from tabular_automl.ingest import ingest
from tabular_automl.learners import learner_for
from tabular_automl.learners.patience import fell_behind
from tabular_automl.preprocessing.encoders import fit_encoder
from tabular_automl.search.bars import bar_for

FAMILIES = ("lightgbm", "xgboost")
N_CANDIDATES = 12
N_ORDERS = 40
BEST_SHARE = 1 / 3


@dataclass(frozen=True)
class Seen:
    """A fit of fold 0 that ran to its end."""

    table: str
    shape: ProblemShape
    candidate: Candidate
    curve: np.ndarray
    seconds: float

    def crossfit(self, rounds: int | None = None) -> CrossFit:
        """Return what a search knows of it, or of its first rounds where it was given up after these."""
        curve = self.curve if rounds is None else self.curve[:rounds]
        seconds = self.seconds * len(curve) / len(self.curve)
        fold = FoldFit("", 0, Path(), curve, seconds, 0.0, given_up=rounds is not None)
        pruned = "" if rounds is None else "fell behind"
        return CrossFit(
            self.candidate, self.table, (fold,), np.arange(1), np.zeros((1, 1)), 1, seconds, pruned=pruned
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--curves", type=Path, required=True)
    parser.add_argument("tables", nargs="+")
    options = parser.parse_args()
    seen = list(_all_seen(options.tables, options.curves))
    print("| table | family | rounds | seconds | saved | left in the best third |")
    print("| --- | --- | --- | --- | --- | --- |")
    for table in dict.fromkeys(one.table for one in seen):
        for family in FAMILIES:
            kin = [one for one in seen if (one.table, one.candidate.family) == (table, family)]
            print(_line(table, family, kin))


def _all_seen(tables: Sequence[str], file: Path) -> Iterator[Seen]:
    known = _read(file)
    for table in tables:
        path, _, target = table.rpartition("@")
        problem = ingest(pd.read_parquet(path), Options(target))
        for family in FAMILIES:
            for candidate in _drawn(family, problem.shape):
                name, place = Path(path).stem, (Path(path).stem, candidate.key)
                if place not in known:
                    known[place] = _fit(problem, candidate)
                    with file.open("a", encoding="utf-8") as out:
                        json.dump({"table": name, "key": candidate.key, **known[place]}, out)
                        out.write("\n")
                found = known[place]
                yield Seen(name, problem.shape, candidate, np.array(found["curve"]), found["seconds"])


def _read(file: Path) -> dict[tuple[str, str], dict[str, Any]]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    found = (json.loads(line) for line in lines)
    return {(one["table"], one["key"]): {"curve": one["curve"], "seconds": one["seconds"]} for one in found}


def _drawn(family: str, shape: ProblemShape) -> Iterator[Candidate]:
    learner = learner_for(family)
    rng = derive_rng(0, "bars", family)
    for number in range(N_CANDIDATES):
        drawn = learner.space(shape).sample(rng) if number else ()
        params = freeze_params({**dict(learner.defaults(shape)), **dict(drawn)})
        yield Candidate(family, params, learner.recipe(params))


def _fit(problem: Problem, candidate: Candidate) -> dict[str, Any]:
    learner, encoder = learner_for(candidate.family), fit_encoder(candidate.recipe, problem.table)
    X, fold = encoder.transform(problem.table), problem.folds.folds[0]
    limits = learner.limits(problem.shape, candidate.params)
    seed = derive_seed(0, "bars", candidate.key)
    context = FitContext(problem.shape, encoder.features, seed, 1, limits.max_rounds, limits.patience)
    train, held_out = (Rows(X[rows], problem.y[rows]) for rows in (fold.train, fold.held_out))
    started = time.monotonic()
    outcome = learner.fit(train, held_out, candidate.params, context)
    return {"curve": outcome.curve.tolist(), "seconds": time.monotonic() - started}


def _line(table: str, family: str, kin: Sequence[Seen]) -> str:
    final = np.array([one.curve.min() for one in kin])
    best = set(np.argsort(final)[: round(BEST_SHARE * len(kin))].tolist())
    spent = left = 0.0
    for order in range(N_ORDERS):
        first, *others = range(len(kin))  # a family's default comes first
        places = [first, *derive_rng(order, "bars order", table, family).permutation(others).tolist()]
        seconds, given_up = _search([kin[place] for place in places])
        spent += seconds
        left += len(best & {places[n] for n in given_up})
    whole = N_ORDERS * sum(one.seconds for one in kin)
    rounds = [len(one.curve) for one in kin]
    return (
        f"| {table} | {family} | {min(rounds)}-{max(rounds)} | {whole / N_ORDERS:.1f} | "
        f"{1 - spent / whole:.0%} | {left / N_ORDERS / len(best):.1%} |"
    )


def _search(kin: Sequence[Seen]) -> tuple[float, list[int]]:
    """Return the seconds that candidates take one after the other, and the positions of those given up."""
    finished: list[CrossFit] = []
    given_up = []
    for place, one in enumerate(kin):
        bar = bar_for(one.candidate, finished, one.shape)
        so_far = np.minimum.accumulate(one.curve)
        behind = (n for n, best in enumerate(so_far, start=1) if fell_behind(float(best), n, bar))
        rounds = next(behind, None)
        finished.append(one.crossfit(rounds))
        if rounds is not None:
            given_up.append(place)
    return sum(fit.seconds for fit in finished), given_up


if __name__ == "__main__":
    main()
