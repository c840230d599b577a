"""Measure how well the cores are used.

`python tests/benchmarks/utilisation.py TABLE@TARGET... [--seconds S...]`

Fits each table with all cores at each time limit, and prints a markdown table of `Run.utilisation`. Tables
are paths of anything `fit` reads.
"""

import argparse

import tabular_automl as ta
from tabular_automl.core.run import Run

HEADER = (
    "table",
    "limit s",
    "wall s",
    "candidates",
    "fitting",
    "other work",
    "idle",
    "no fit ran",
    "of it by stage",
)


def line(name: str, seconds: float, run: Run) -> tuple[str, ...]:
    used = run.utilisation
    if used is None:
        raise RuntimeError(f"The fit of {name} was not measured.")
    shares = [f"{part / used.core_seconds:.1%}" for part in (used.fitting, used.other, used.idle)]
    without = f"{used.seconds_without_fits:.1f} s ({used.seconds_without_fits / used.seconds:.1%})"
    stages = ", ".join(f"{stage} {gap:.2f}" for stage, gap in used.without_fits.items())
    return (name, f"{seconds:g}", f"{used.seconds:.1f}", str(len(run.crossfits)), *shares, without, stages)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how well fits use the cores.")
    parser.add_argument("tables", nargs="+", metavar="TABLE@TARGET")
    parser.add_argument("--seconds", nargs="+", type=float, default=[20.0, 60.0])
    arguments = parser.parse_args()
    print("| " + " | ".join(HEADER) + " |")
    print("| " + " | ".join("---" for _ in HEADER) + " |")
    for table in arguments.tables:
        path, _, target = table.rpartition("@")
        name = path.rpartition("/")[2].partition(".")[0]
        for seconds in arguments.seconds:
            model = ta.fit(path, target, time_limit=seconds, progress=False)
            print("| " + " | ".join(line(name, seconds, model.run)) + " |", flush=True)


if __name__ == "__main__":
    main()
