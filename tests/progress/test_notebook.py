"""What a person sees in a notebook, by a fit in a real kernel."""

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FIT = """
import numpy as np, pandas as pd, tabular_automl as ta
from tabular_automl.testing import FAKE_FAMILY
rng = np.random.default_rng(0)
frame = pd.DataFrame(rng.normal(size=(60, 2)), columns=["<script>x</script>", "z"]).assign(**{"<b>same": 1})
frame["y"] = (frame["<script>x</script>"] + rng.normal(size=60) > 0).map({True: "yes", False: "no"})
stalls = (FAKE_FAMILY, {"behaviour": "stall", "stall_seconds": 1.5})
model = ta.fit(frame, "y", candidates=[stalls], families=["linear"], max_candidates=2, n_jobs=2, splitter=2)
"""


class Listening(NotebookClient):
    """Keeps what the kernel asks to display, and how."""

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        if "data" in msg["content"]:
            told = (msg["msg_type"], msg["content"]["data"])
            self.displayed = [*getattr(self, "displayed", []), told]
        return super().process_message(msg, cell, cell_index)


@pytest.fixture(scope="module")
def shown() -> Listening:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(FIT)])
    client = Listening(notebook, timeout=300, kernel_name="python3")
    client.execute()
    return client


def test_one_output_is_updated_in_place(shown: Listening) -> None:
    (output,) = shown.nb.cells[0].outputs
    assert output.output_type == "display_data"
    first, *updates = [kind for kind, _ in shown.displayed]
    assert first == "display_data"
    assert set(updates) == {"update_display_data"}
    assert len(updates) >= 3


def test_while_it_runs_it_tells_how_far_it_is(shown: Listening) -> None:
    htmls = [data["text/html"] for _, data in shown.displayed]
    told = "\n".join(htmls)
    assert "so far" in told
    assert "2 done, 0 of 2 left" in told
    assert "FakeLearner/user 1 fold 0" in told
    assert "perfect than one rule (&lt;script&gt;x&lt;/script&gt;)" in told
    assert "Interrupt ends it with the best so far" in told


def test_the_end_is_a_closing_line_with_all_warnings(shown: Listening) -> None:
    data = shown.nb.cells[0].outputs[0].data
    assert "Done in" in data["text/html"]
    assert "2 candidates; expected on new rows: roc_auc" in data["text/html"]
    assert "warning: Column &#x27;&lt;b&gt;same&#x27; is not used" in data["text/html"]
    assert "warning: Column '<b>same' is not used" in data["text/plain"]


def test_names_from_data_are_escaped(shown: Listening) -> None:
    assert all("<script>" not in data["text/html"] for _, data in shown.displayed)
    assert all("<b>same" not in data["text/html"] for _, data in shown.displayed)
