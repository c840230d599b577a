"""Is a forecast of what more time brings true?

`python tests/benchmarks/forecast.py --kept FOLDER TABLE@TARGET ...`

On each table so many candidates are fitted once; their out-of-fold predictions stay in FOLDER and are used
again. Then some rows, drawn at random, see the first candidates alone: on them the ensemble is chosen and the
forecast made. The gain that the next candidates really bring, until twice the seconds are spent, is judged on
all other rows, with its standard error. Printed as markdown: a line a case, and how good the forecasts are
over all, each table counting once. Where the gain's own standard error is wide, no forecast can hit it, so
that coverage is that of interval and error taken together.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import ndtri

import tabular_automl as ta
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.metrics import METRICS
from tabular_automl.ensemble.bagged_selection import bagged_weights
from tabular_automl.ensemble.forecast import (
    COVERAGE,
    MOST_PARTS,
    Gain,
    extrapolate,
    first_at_half_time,
    gain_of_later,
)
from tabular_automl.ensemble.pool import Pool

FAMILIES = ("lightgbm", "xgboost", "linear", "extra_trees")
SHARES = (0.3, 0.6)
N_SPLITS = 3
FIRSTS = (6, 8, 10, 12)
# With less than this of a doubling left there is nothing to judge a forecast by.
LEAST_DOUBLINGS = 0.6
# A gain measured worse than this says nothing of a forecast's size; cases weigh less the worse.
USUAL_ERROR = 0.005


@dataclass(frozen=True)
class Candidates:
    """All candidates of a table."""

    table: str
    pool: Pool
    families: tuple[str, ...]
    seconds: FloatArray


@dataclass(frozen=True)
class Case:
    """A forecast, and what came."""

    table: str
    n_rows: int
    n_first: int
    n_then: int
    doublings: float
    told: Gain
    came: Gain

    @property
    def forecast(self) -> tuple[float, float, float]:
        """Expected gain with its interval."""
        step = extrapolate(self.told, 2, 1.0, METRICS["rmse"])
        # Told for a whole doubling; what came is a part of one.
        return tuple(-change * self.doublings for change in (step.change, step.high, step.low))  # type: ignore[return-value]

    @property
    def held(self) -> bool:
        """Whether interval and error of measurement together hold what came."""
        expected, low, high = self.forecast
        half = math.hypot((high - low) / 2, float(ndtri((1 + COVERAGE) / 2)) * self.came.error)
        return abs(self.came.value - expected) <= half


def candidates_of(table: str, kept: Path, max_candidates: int) -> Candidates:
    """Return the candidates of a table, fitted now if they are not kept."""
    path, _, target = table.rpartition("@")
    name = Path(path).stem
    file = kept / f"{name}.npz"
    if not file.exists():
        run = ta.fit(
            path, target, max_candidates=max_candidates, families=FAMILIES, n_jobs=1, progress=False
        ).run
        fits = [
            fit for fit in run.crossfits if fit.candidate.family in FAMILIES and len(fit.rows) == len(run.y)
        ]
        np.savez(
            file,
            allow_pickle=False,
            y=run.y,
            metric=run.task.metric,
            names=[fit.candidate.name for fit in fits],
            seconds=[fit.seconds for fit in fits],
            predictions=np.stack([fit.predictions for fit in fits]),
        )
    with np.load(file, allow_pickle=False) as saved:
        pool = Pool.of(saved["predictions"], saved["y"], None, METRICS[str(saved["metric"])])
        families = tuple(str(one).partition("/")[0] for one in saved["names"])
        return Candidates(name, pool, families, saved["seconds"])


def cases_of(all_of: Candidates) -> Iterator[Case]:
    """Yield what a forecast from the first candidates says, and what came, for several drawings of rows."""
    n_rows, spent = all_of.pool.n_rows, np.cumsum(all_of.seconds)
    for share in SHARES:
        for split in range(N_SPLITS):
            order = np.random.default_rng(split).permutation(n_rows)
            cut = int(share * n_rows)
            seen, judge = (all_of.pool.take(np.sort(rows)) for rows in (order[:cut], order[cut:]))
            for n_first in FIRSTS:
                n_then = int(np.searchsorted(spent, 2 * spent[min(n_first, len(spent)) - 1], side="right"))
                doublings = math.log2(spent[n_then - 1] / spent[min(n_first, len(spent)) - 1])
                base = first_at_half_time(all_of.families[:n_first], all_of.seconds[:n_first])
                if base is None or doublings < LEAST_DOUBLINGS:
                    continue
                seconds = all_of.seconds[:n_first]
                behind = math.log2(seconds.sum() / seconds[base].sum())
                told = gain_of_later(first(seen, n_first), base, behind, split)
                if told is not None:
                    came = gain_of(seen, judge, (n_first, n_then))
                    yield Case(all_of.table, cut, n_first, n_then, doublings, told, came)


def first(pool: Pool, n: int) -> Pool:
    return replace(pool, predictions=pool.predictions[:n])


def gain_of(seen: Pool, judge: Pool, numbers: tuple[int, int]) -> Gain:
    """Return what more candidates bring on rows that chose nothing, with its jackknife standard error."""
    mixtures = [first(judge, n).mixed(bagged_weights(first(seen, n), 0)) for n in numbers]

    def relative(rows: np.ndarray) -> float:
        before, after = (judge.metric.loss(judge.y[rows], mixture[rows]) for mixture in mixtures)
        return (before - after) / before

    part = np.random.default_rng(0).permutation(judge.n_rows) % MOST_PARTS
    value = relative(np.arange(judge.n_rows))
    without = np.array([relative(np.flatnonzero(part != out)) for out in range(MOST_PARTS)])
    return Gain(value, math.sqrt((MOST_PARTS - 1) * float(np.mean((without - value) ** 2))))


def summary(cases: Sequence[Case]) -> Iterator[str]:
    """Yield how good the forecasts are, each table counting once."""
    tables = [case.table for case in cases]
    once = np.array([1 / tables.count(table) for table in tables])
    came = np.array([case.came.value for case in cases])
    precise = once / (np.array([case.came.error for case in cases]) ** 2 + USUAL_ERROR**2)
    ways = {
        "forecast": np.array([case.forecast[0] for case in cases]),
        "the table's own gain, unmixed": np.array([case.told.value * case.doublings for case in cases]),
        "no gain at all": np.zeros(len(cases)),
    }
    mean = np.average(came, weights=precise)
    yield f"\n{len(cases)} cases of {len(set(tables))} tables; mean gain {mean:.2%}."
    for way, told in ways.items():
        bias, error = (np.average(one, weights=precise) for one in (told - came, np.abs(told - came)))
        yield f"{way}: bias {bias:+.2%}, mean absolute error {error:.2%}"
    held = np.average([case.held for case in cases], weights=once)
    width = np.average([case.forecast[2] - case.forecast[1] for case in cases], weights=once)
    yield f"{COVERAGE:.0%} intervals hold {held:.0%}; mean width {width:.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Judge forecasts of what more time brings.")
    parser.add_argument("tables", nargs="+", metavar="TABLE@TARGET")
    parser.add_argument("--kept", type=Path, required=True)
    parser.add_argument("--max-candidates", type=int, default=24)
    arguments = parser.parse_args()
    print("| table | rows | candidates | forecast (80% interval) | what came (standard error) | held |")
    print("| --- | --- | --- | --- | --- | --- |")
    cases = []
    for table in arguments.tables:
        for case in cases_of(candidates_of(table, arguments.kept, arguments.max_candidates)):
            cases.append(case)
            expected, low, high = case.forecast
            print(
                f"| {case.table} | {case.n_rows} | {case.n_first} to {case.n_then} | "
                f"{expected:.2%} ({low:.2%} to {high:.2%}) | {case.came.value:.2%} ({case.came.error:.2%}) | "
                f"{'yes' if case.held else 'no'} |",
                flush=True,
            )
    print(*summary(cases), sep="\n")


if __name__ == "__main__":
    main()
