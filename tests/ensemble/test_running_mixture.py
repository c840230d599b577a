from collections.abc import Callable

import numpy as np
import pytest

from tabular_automl.core.metrics import METRICS
from tabular_automl.ensemble.pool import Pool
from tabular_automl.ensemble.running_mixture import mixture_source

MakePool = Callable[..., Pool]

# The running loss may be a monotone function of the metric's.
AS_METRIC = {"rmse": np.sqrt}
TOLERANCE = {"roc_auc": 1e-3, "log_loss": 2e-6}


def true_losses(pool: Pool, counts: np.ndarray, row_weight: np.ndarray) -> list[float]:
    mixtures = (pool.mixed((counts + one) / (counts.sum() + 1)) for one in np.eye(len(counts)))
    return [pool.metric.loss(pool.y, mixture, row_weight) for mixture in mixtures]


@pytest.mark.parametrize("name", sorted(set(METRICS) - {"r2"}))
def test_running_losses_are_the_metrics_own(name: str, make_pool: MakePool, rng: np.random.Generator) -> None:
    pool = make_pool(name, n_rows=400)
    row_weight = pool.row_weight * rng.integers(0, 3, pool.n_rows)  # a bootstrap draw
    mixture = mixture_source(pool).on(row_weight)
    counts = np.zeros(len(pool.predictions))
    for chosen in (2, 0, 2, 4):
        running = AS_METRIC.get(name, np.asarray)(mixture.losses())
        expected = true_losses(pool, counts, row_weight)
        assert running == pytest.approx(expected, abs=TOLERANCE.get(name, 1e-9))
        mixture.add(chosen)
        counts[chosen] += 1


@pytest.mark.parametrize("name", ["rmse", "log_loss", "roc_auc", "mae"])
def test_narrowing_keeps_the_candidates_losses(name: str, make_pool: MakePool) -> None:
    pool = make_pool(name)
    mixture = mixture_source(pool).on(pool.row_weight)
    alone = mixture.losses()
    mixture.narrow(np.array([1, 4]))
    assert mixture.losses() == pytest.approx(alone[[1, 4]])
    mixture.add(1)
    assert mixture.losses()[1] == pytest.approx(alone[4])


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1_macro", "log_loss"])
def test_running_losses_of_many_classes(
    name: str, many_classes: Callable[..., Pool], rng: np.random.Generator
) -> None:
    pool = many_classes(name, 300, 4, 7)
    row_weight = rng.integers(0, 3, pool.n_rows).astype(float)
    mixture = mixture_source(pool).on(row_weight)
    counts = np.zeros(4)
    for chosen in (2, 0, 2):
        assert mixture.losses() == pytest.approx(true_losses(pool, counts, row_weight), abs=2e-6)
        mixture.add(chosen)
        counts[chosen] += 1


def test_labels_are_looked_at_on_a_bounded_number_of_rows_rare_classes_whole(
    many_classes: Callable[..., Pool],
) -> None:
    pool = many_classes("balanced_accuracy", 30_000, 2, 3)
    capped = mixture_source(pool).on(pool.row_weight).losses()
    exact = [pool.loss(weights) for weights in np.eye(2)]
    assert capped == pytest.approx(exact, rel=0.1)
    assert not np.array_equal(capped, exact)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 0.02])
@pytest.mark.parametrize("rarer", ["positive", "negative"])
def test_binned_auc_is_close_for_rare_classes_and_for_faint_signals(
    scale: float, rarer: str, rng: np.random.Generator
) -> None:
    log_odds = rng.normal(size=(3, 20_000))
    y = (rng.random(20_000) < 1 / (1 + np.exp(2 - log_odds.mean(axis=0)))).astype(float)
    values = 0.5 * scale / (1 + np.exp(-2 * log_odds))
    if scale == 0.02:
        values += 0.49
    if rarer == "negative":
        y, values = 1 - y, 1 - values
    pool = Pool.of(values[..., None], y, None, METRICS["roc_auc"])
    exact = [pool.metric.loss(y, candidate) for candidate in pool.predictions]
    assert mixture_source(pool).on(pool.row_weight).losses() == pytest.approx(exact, abs=1e-4)


def test_the_generic_mixture_looks_at_a_bounded_number_of_rows(make_pool: MakePool) -> None:
    pool = make_pool("mae", n_rows=30_000, n_candidates=2)
    capped = mixture_source(pool).on(pool.row_weight).losses()
    exact = [pool.loss(weights) for weights in np.eye(2)]
    assert capped == pytest.approx(exact, rel=0.03)
    assert not np.array_equal(capped, exact)
