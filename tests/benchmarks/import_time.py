"""Measure imports in fresh processes, taking turns: `python tests/benchmarks/import_time.py [REPEATS]`.

Prints the median seconds of `import pandas`, of `import tabular_automl`, and of the first touch of `fit`,
which loads what a fit needs. Each value is the time of the statement alone, interpreter start-up excluded.
"""

import statistics
import subprocess
import sys

STATEMENTS = {
    "import pandas": "import pandas",
    "import tabular_automl": "import tabular_automl",
    "import tabular_automl; tabular_automl.fit": "import tabular_automl; tabular_automl.fit",
}


def seconds(statement: str) -> float:
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout)


def main(repeats: int) -> None:
    for statement in STATEMENTS.values():  # fill the file cache and write the bytecode first
        seconds(statement)
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(repeats):
        for name, statement in STATEMENTS.items():
            times[name].append(seconds(statement))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{median:7.3f} s  {name}")
    bound = 2 * medians["import pandas"] + 0.3
    print(f"{bound:7.3f} s  the bound: twice the time of `import pandas` plus 0.3 s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
