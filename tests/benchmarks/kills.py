"""Kill runs at random moments and see what they come to: `python tests/benchmarks/kills.py [N] [SEED]`.

A counted fit of a small mixed table runs once undisturbed. Then N runs are killed with SIGKILL at a moment
drawn evenly from that run's duration (reading, fitting, weighing, saving, in the middle of a write), started
again in the same run folder, there maybe killed again, up to three times in all, and let go on to the end.
All files of the saved model but its circumstances must then be those of the undisturbed run, byte for byte,
and no worker may outlive its driver by more than a moment. Prints a row a run.
"""

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import psutil

MOST_KILLS = 3
# How long a worker may take to notice that its driver is gone; a busy machine lets it wait for its turn.
NOTICE_SECONDS = 5.0
DRIVER = """
import sys
import pandas as pd
import tabular_automl

table, run_dir, out = sys.argv[1:]
print("reading", flush=True)
frame = pd.read_csv(table)
model = tabular_automl.fit(
    frame, "y", max_candidates=8, splitter=3, n_jobs=2, run_dir=run_dir,
    progress=lambda event: print(event.stage, flush=True),
)
print("saving", flush=True)
model.save(out, overwrite=True)
"""


class Kill(NamedTuple):
    """When a run was killed, what it was doing, and how many of its workers stayed."""

    seconds: float
    stage: str
    stayed: int


def main(count: int, seed: int) -> int:
    """Return the number of runs that came to something else."""
    draw = random.Random(seed)  # noqa: S311 - moments, no secrets
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        table = place / "table.csv"
        mixed_table().to_csv(table, index=False)
        started = time.monotonic()
        run_to_the_end(table, place / "undisturbed")
        duration = time.monotonic() - started
        expected = files(place / "undisturbed" / "model")
        print(f"Undisturbed: {duration:.1f} s, {len(expected)} files.\n")
        print("| run | killed | result |\n|---|---|---|")
        wrong = 0
        for number in range(1, count + 1):
            run = place / str(number)
            kills = kill_some(table, run, draw, duration)
            run_to_the_end(table, run)
            found = files(run / "model")
            other = sorted(
                name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
            )
            stayed = sum(kill.stayed for kill in kills)
            wrong += bool(other or stayed)
            moments = "; ".join(f"{kill.seconds:.2f} s, {kill.stage}" for kill in kills) or "ended before"
            result = f"differs: {other[:3]}" if other else "equal"
            print(
                f"| {number} | {moments} | {result}{f', {stayed} workers stayed' * (stayed > 0)} |",
                flush=True,
            )
    print(f"\n{count - wrong} of {count} runs came to the same bytes.")
    return wrong


def kill_some(table: Path, run: Path, draw: random.Random, duration: float) -> list[Kill]:
    """Start and kill a run once to three times, as long as it does not end before."""
    kills: list[Kill] = []
    for _ in range(draw.randint(1, MOST_KILLS)):
        driver = start(table, run)
        seconds = draw.uniform(0.0, duration)
        try:
            driver.wait(seconds)
            break
        except subprocess.TimeoutExpired:
            workers = psutil.Process(driver.pid).children(recursive=True)
            driver.send_signal(signal.SIGKILL)
            driver.wait()
            _, stayed = psutil.wait_procs(workers, NOTICE_SECONDS)
            lines = (run / "stages").read_text().split()
            kills.append(Kill(seconds, lines[-1] if lines else "starting", len(stayed)))
    return kills


def run_to_the_end(table: Path, run: Path) -> None:
    """Let a run go on until it is over."""
    if start(table, run).wait():
        raise SystemExit(f"A run ended with an error: {(run / 'errors').read_text()}")


def start(table: Path, run: Path) -> subprocess.Popen[bytes]:
    """Start a run, or start it again."""
    run.mkdir(exist_ok=True)
    arguments = [sys.executable, "-c", DRIVER, str(table), str(run / "run_dir"), str(run / "model")]
    with (run / "stages").open("wb") as stages, (run / "errors").open("wb") as errors:
        return subprocess.Popen(arguments, stdout=stages, stderr=errors)


def files(model: Path) -> dict[str, bytes]:
    """Return all files of a saved model but its circumstances."""
    paths = (path for path in model.rglob("*") if path.is_file() and path.name != "circumstances.json")
    return {path.relative_to(model).as_posix(): path.read_bytes() for path in paths}


def mixed_table() -> pd.DataFrame:
    """Return numbers, categories and gaps, with a target of two classes."""
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 120)).round(2)
    color = rng.choice(["red", "green", "blue"], 120)
    y = np.where(x + (color == "red") + 0.5 * rng.normal(size=120) > 0.3, "yes", "no")
    frame = pd.DataFrame({"x": x, "z": z, "color": color, "y": y})
    frame.loc[::7, "z"] = np.nan
    return frame


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:]]
    sys.exit(main(*numbers, *(30, 0)[len(numbers) :]) > 0)
