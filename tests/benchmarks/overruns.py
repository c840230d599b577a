"""Does `fit` end in time? Fits tables at time limits, in fresh processes, one after the other.

`python tests/benchmarks/overruns.py --out overruns.jsonl --limits 5 20 60 --jobs 2 TABLE [TABLE ...]`

A table is a made-up one (`100x5`, `500000x30:binary:categories=0.4:missing=0.05`, see `made_table.py`) or a
CSV or Parquet file with its target, `path/to/file.csv@price`. The bound is max(1.02 x limit, ingest + a first
model) + 1 s: the latter is when the first model beyond the prior was there. Results are appended to the file
given by `--out`, a line each; what is in it already is not run again. All is printed as a Markdown table.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from made_table import TARGET, TableShape, made_table  # type: ignore[import-not-found]

FIELDS = ("table", "limit", "jobs")
SAMPLE_SECONDS = 0.25
# By how much a fit may overrun: a share of its limit, and so many seconds.
SHARE, SECONDS = 0.02, 1.0


def main() -> None:
    options = _options()
    if options.one:
        print(json.dumps(_fit_one(options.tables[0], options.limits[0], options.jobs)))
        return
    known = _read(options.out)
    done = {tuple(result[name] for name in FIELDS) for result in known}
    for table in options.tables:
        for limit in options.limits:
            if (table, limit, options.jobs) not in done:
                known.append(_in_fresh_process(table, limit, options.jobs))
                with options.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(known[-1]) + "\n")
                print(_row(known[-1]), file=sys.stderr)
    print(_markdown(known))


def bound(result: dict[str, Any]) -> float:
    """Return how many seconds the fit was allowed to take.

    Beside a share of the limit there is a second for what cannot be foreseen; where the first model came
    after the limit, it is for weighing that and ending the workers.
    """
    first = max(result["ingested"], result["first_model"] or 0.0)
    return max((1.0 + SHARE) * result["limit"], first) + SECONDS


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tables", nargs="+", metavar="TABLE")
    parser.add_argument("--limits", nargs="+", type=float, default=[5.0, 20.0, 60.0], metavar="SECONDS")
    parser.add_argument("--jobs", type=int, default=-1, help="n_jobs of the fit")
    parser.add_argument("--out", type=Path, default=Path("overruns.jsonl"), help="file of results")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _read(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


@dataclass
class _Watch:
    """What the events of a fit say about when things were there."""

    ingested: float = 0.0
    first_model: float | None = None
    last: float = 0.0
    warnings: list[str] = field(default_factory=list)

    def __call__(self, event: Any) -> None:
        self.last = event.elapsed
        if event.is_warning:
            self.warnings.append(event.message)
        elif event.stage == "ingest":
            self.ingested = event.elapsed
        elif event.stage == "fit" and self.first_model is None and _tells_of_a_model(event.message):
            self.first_model = event.elapsed


def _tells_of_a_model(message: str) -> bool:
    return " fold" in message and " failed" not in message and not message.startswith("prior")


def _fit_one(table: str, limit: float, jobs: int) -> dict[str, Any]:
    started = time.perf_counter()
    import tabular_automl

    fit: Callable[..., Any] = tabular_automl.fit
    imported = time.perf_counter()
    source, _, target = table.rpartition("@")
    df: Any = source if source else made_table(TableShape.parse(table))
    made = time.perf_counter()
    watch = _Watch()
    model = fit(df, target or TARGET if source else TARGET, time_limit=limit, n_jobs=jobs, progress=watch)
    seconds = time.perf_counter() - made
    return {
        "seconds": seconds,
        "importing": imported - started,
        "making": made - imported,
        "ingested": watch.ingested,
        "first_model": watch.first_model,
        "stages": model.run.seconds,
        "candidates": len(model.run.crossfits),
        "members": len(model.run.ensemble.members),
        "failures": [f"{failure.candidate.name}: {failure.reason}" for failure in model.run.failures],
        "warnings": watch.warnings,
    }


def _in_fresh_process(table: str, limit: float, jobs: int) -> dict[str, Any]:
    about = dict(zip(FIELDS, (table, limit, jobs), strict=True))
    command = [sys.executable, __file__, "--one", table, "--limits", str(limit), "--jobs", str(jobs)]
    started, load = time.perf_counter(), psutil.getloadavg()[0]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = [0.0]
    threading.Thread(target=_watch_memory, args=(process.pid, peak), daemon=True).start()
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{table} at {limit:g} s ended with code {process.returncode}.")
    result = {**about, **json.loads(out.splitlines()[-1])}
    whole = time.perf_counter() - started - result["making"]
    date = time.strftime("%Y-%m-%d")
    return {**result, "process": whole, "peak_mb": peak[0], "load_before": load, "date": date}


def _watch_memory(pid: int, peak: list[float]) -> None:
    """Keep the highest sum of proportional set sizes of a process and its children, in MB."""
    while True:
        try:
            process = psutil.Process(pid)
            total = sum(_pss(one) for one in (process, *process.children(recursive=True)))
        except psutil.NoSuchProcess:
            return
        peak[0] = max(peak[0], total / 1e6)
        time.sleep(SAMPLE_SECONDS)


def _pss(process: psutil.Process) -> float:
    try:
        memory = process.memory_full_info()
    except psutil.Error:
        return 0.0
    return float(getattr(memory, "pss", memory.rss))


def _markdown(results: list[dict[str, Any]]) -> str:
    head = (
        "| table | limit s | jobs | fit s | wall / limit | ingested at s | first model at s | bound s |"
        " in time | process s | peak MB | candidates | seconds by stage |"
    )
    return "\n".join([head, "|" + " --- |" * 13, *map(_row, results)])


def _row(result: dict[str, Any]) -> str:
    seconds = {name: value for name, value in result["stages"].items() if name != "total"}
    stages = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    first = "none" if result["first_model"] is None else f"{result['first_model']:.1f}"
    in_time = "yes" if result["seconds"] <= bound(result) else "**no**"
    cells = [
        result["table"], f"{result['limit']:g}", str(result["jobs"]), f"{result['seconds']:.1f}",
        f"{result['seconds'] / result['limit']:.2f}", f"{result['ingested']:.1f}", first,
        f"{bound(result):.1f}", in_time, f"{result['process']:.1f}", f"{result['peak_mb']:,.0f}",
        str(result["candidates"]), stages,
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
