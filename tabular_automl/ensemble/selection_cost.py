"""What a greedy selection costs, by a static formula: bounds on time follow from sizes, not the clock."""

from tabular_automl.core.metrics import Metric
from tabular_automl.ensemble.running_mixture import SQUARED

STEPS = 20
MOST_ENTRANTS = 100
OVERHEAD_ROWS = 500
FEWEST_ROWS = 1_000
GATHER_NS = 3.0
# Nanoseconds for a row and candidate in one step, for each output, on one core of 2020's.
LOG_LOSS_NS = 5.0
ROC_AUC_NS = 12.0
LABELS_NS = 2.0
LABELS_ROW_NS = 8.0
GENERIC_NS = 6.0
# For a row and a pair of candidates: their part of the Gram matrix.
SQUARED_ERROR_NS = 0.5


def selection_seconds(metric: Metric, n_candidates: int, n_outputs: int, n_rows: int) -> float:
    """Return about how many core-seconds one greedy selection takes."""
    return row_seconds(metric, n_candidates, n_outputs) * (n_rows + OVERHEAD_ROWS)


def affordable_rows(metric: Metric, n_candidates: int, n_outputs: int, seconds: float) -> int:
    """Return how many rows a selection of so many core-seconds can look at; never less than 1,000."""
    rows = seconds / row_seconds(metric, n_candidates, n_outputs) - OVERHEAD_ROWS
    return max(FEWEST_ROWS, int(rows))


def row_seconds(metric: Metric, n_candidates: int, n_outputs: int) -> float:
    """Return about how many core-seconds each row adds to a selection."""
    entrants = min(n_candidates, MOST_ENTRANTS)
    gathered = n_candidates * n_outputs * GATHER_NS
    if metric.name in SQUARED:
        return 1e-9 * (gathered + entrants**2 * SQUARED_ERROR_NS)
    evaluations = n_candidates + STEPS * entrants
    return 1e-9 * (gathered + evaluations * _step_ns(metric, n_outputs))


def _step_ns(metric: Metric, n_outputs: int) -> float:
    if metric.confusion_loss is not None:
        return LABELS_ROW_NS + n_outputs * LABELS_NS
    if metric.name == "log_loss":
        return LOG_LOSS_NS
    return ROC_AUC_NS if metric.name == "roc_auc" else GENERIC_NS
