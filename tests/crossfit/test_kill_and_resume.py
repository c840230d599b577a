"""A run whose driver is killed, and the one that goes on in its folder."""

import signal
import sqlite3
import subprocess
import sys

import numpy as np
import pandas as pd

import tabular_automl

# The driver kills itself as soon as a candidate beside the prior is there, while its workers go on.
KILLED_RUN = """
import os, signal, sys
import pandas as pd
import tabular_automl

def kill(event):
    if event.stage == "fit" and not event.message.startswith("prior"):
        os.kill(os.getpid(), signal.SIGKILL)

table, run_dir = sys.argv[1:]
tabular_automl.fit(
    pd.read_csv(table), "y", max_candidates=3, n_jobs=2, run_dir=run_dir, progress=kill
)
"""


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path):
    table, run_dir = tmp_path / "table.csv", tmp_path / "run"
    make_table().to_csv(table, index=False)
    killed = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", KILLED_RUN, str(table), str(run_dir)], check=False, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    stored = stored_fits(run_dir)
    assert stored

    frame = pd.read_csv(table)
    resumed = tabular_automl.fit(frame, "y", max_candidates=3, n_jobs=2, run_dir=run_dir)
    whole = tabular_automl.fit(frame, "y", max_candidates=3, n_jobs=2)
    pd.testing.assert_frame_equal(resumed.predict_proba(frame), whole.predict_proba(frame), check_exact=True)
    assert resumed.score_ == whole.score_
    for one, two in zip(resumed.run.crossfits, whole.run.crossfits, strict=True):
        assert one.candidate == two.candidate
        np.testing.assert_array_equal(one.predictions, two.predictions)
    # What the killed run had stored was not fitted again.
    kept = stored_fits(run_dir)
    assert stored.items() <= kept.items()
    assert len(kept) > len(stored)


def make_table():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 160)).round(2)
    color = rng.choice(["red", "green", "blue"], 160)
    y = np.where(x + (color == "red") + 0.5 * rng.normal(size=160) > 0.3, "yes", "no")
    return pd.DataFrame({"x": x, "z": z, "color": color, "y": y})


def stored_fits(run_dir):
    """Complete fits of a run folder: key and time at which their curve was written."""
    connection = sqlite3.connect(run_dir / "run.sqlite")
    rows = connection.execute("SELECT key, folder FROM fold_fits WHERE complete = 1").fetchall()
    connection.close()
    return {key: (run_dir / folder).parent.joinpath("curve.npy").stat().st_mtime_ns for key, folder in rows}
