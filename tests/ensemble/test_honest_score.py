from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tabular_automl.core.ensemble import HonestScore
from tabular_automl.core.metrics import METRICS
from tabular_automl.ensemble.bootstrap import resample
from tabular_automl.ensemble.draws import affordable_selections
from tabular_automl.ensemble.greedy import greedy_selection, rows_for
from tabular_automl.ensemble.honest_score import honest_score
from tabular_automl.ensemble.pool import Pool
from tabular_automl.ensemble.selection_cost import selection_seconds

MakePool = Callable[..., Pool]


def weighed(pool: Pool, seed: int = 0, n_selections: int | None = None) -> HonestScore:
    weights = greedy_selection(pool.predictions, pool.y, pool.weight, pool.metric)
    return honest_score(resample(pool, weights, seed, n_selections))


@pytest.mark.parametrize("name", METRICS)
def test_the_interval_holds_the_value(name: str, make_pool: MakePool) -> None:
    score = weighed(make_pool(name), n_selections=40)
    assert score.low < score.value < score.high
    assert score.metric == name
    assert score.n_rows == 300


def test_noise_looks_good_but_is_scored_as_noise() -> None:
    """The heart: naive best-of-many says 0.6 and more, the honest score says 0.5, as new rows would."""
    values, apparent = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, 150).astype(float)
        pool = Pool.of(rng.random((60, 150, 1)), y, None, METRICS["roc_auc"])
        score = weighed(pool, n_selections=60)
        assert score.optimism > 0.05
        assert score.low < 0.5 < score.high
        values.append(score.value)
        apparent.append(score.value + score.optimism)
    assert np.mean(apparent) > 0.6
    assert np.mean(values) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("name", ["rmse", "log_loss"])
def test_the_value_is_nearer_to_new_rows_than_the_apparent_score(name: str, make_pool: MakePool) -> None:
    naive, honest = [], []
    for seed in range(15):
        pool = make_pool(name, n_rows=3_100, n_candidates=8, seed=seed)
        seen, new = pool.take(np.arange(100)), pool.take(np.arange(100, 3_100))
        weights = greedy_selection(seen.predictions, seen.y, seen.weight, seen.metric)
        truth = new.loss(weights)
        score = honest_score(resample(seen, weights, seed=0, n_selections=60))
        naive.append(score.value - score.optimism - truth)
        honest.append(score.value - truth)
    assert np.mean(naive) < 0  # looks too good: a loss too low
    assert abs(np.mean(honest)) < abs(np.mean(naive))


def test_one_candidate_has_no_optimism(make_pool: MakePool) -> None:
    pool = make_pool("roc_auc", n_candidates=1)
    score = weighed(pool)
    assert score.optimism == 0
    assert score.value == 1 - pool.loss(np.ones(1))


def coverage(resampled: str, n_simulations: int = 80) -> tuple[float, float]:
    """Return how often the interval holds the true value, and its mean width in four standard deviations."""
    blocks = resampled == "blocks"
    hits, widths, values = [], [], []
    for seed in range(n_simulations):
        rng = np.random.default_rng(seed)
        group = np.repeat(np.arange(40), 5)
        shared = rng.normal(size=40)[group] if blocks else 0.0
        noise = rng.normal(size=(3, 200)) * 0.5 + shared
        pool = Pool.of(noise[..., None], np.zeros(200), None, METRICS["mse"])
        pool = replace(pool, blocks=group if blocks else None)
        weights = greedy_selection(pool.predictions, pool.y, pool.weight, pool.metric)
        truth = 0.25 * (weights**2).sum() + (1.0 if blocks else 0.0)
        score = honest_score(resample(pool, weights, seed=seed, n_selections=60))
        hits.append(score.low <= truth <= score.high)
        widths.append(score.high - score.low)
        values.append(score.value - truth)
    return float(np.mean(hits)), float(np.mean(widths) / (4 * np.std(values)))


@pytest.mark.parametrize("resampled", ["rows", "blocks"])
def test_the_interval_covers_the_true_value_about_as_often_as_it_says(resampled: str) -> None:
    share, width = coverage(resampled)
    assert 0.88 <= share <= 1.0
    assert 0.75 <= width <= 1.35  # neither narrow by luck nor wide for safety


def test_blocks_widen_the_interval(rng: np.random.Generator) -> None:
    group = np.repeat(np.arange(30), 20)
    shared = rng.normal(size=30)[group]
    predictions = np.stack([shared + rng.normal(size=600) for _ in range(2)])[..., None]
    alone = Pool.of(predictions, np.zeros(600), None, METRICS["rmse"])
    by_row, by_block = weighed(alone), weighed(replace(alone, blocks=group))
    assert by_block.high - by_block.low > 2 * (by_row.high - by_row.low)


def test_equal_seeds_give_equal_scores(make_pool: MakePool) -> None:
    pool = make_pool("roc_auc")
    assert weighed(pool, seed=1, n_selections=40) == weighed(pool, seed=1, n_selections=40)
    assert weighed(pool, seed=1, n_selections=40) != weighed(pool, seed=2, n_selections=40)


def test_row_weights_count(make_pool: MakePool) -> None:
    pool = make_pool("rmse", n_candidates=1)
    far = np.abs(pool.predictions[0, :, 0] - pool.y) > 0.5
    heavy = replace(pool, weight=np.where(far, 5.0, 0.2))
    assert weighed(heavy).value > weighed(pool).value * 1.2


def test_one_block_gives_a_value_without_an_interval(make_pool: MakePool) -> None:
    pool = make_pool("rmse")
    score = weighed(replace(pool, blocks=np.zeros(pool.n_rows, dtype=np.intp)))
    assert np.isfinite(score.value)
    assert (score.low, score.high) == (-np.inf, np.inf)
    assert str(score).endswith("(95% interval unknown)")


@pytest.mark.parametrize("name", ["roc_auc", "f1", "balanced_accuracy", "f1_macro"])
def test_a_single_positive_row_leaves_the_interval_unknown(name: str, rng: np.random.Generator) -> None:
    y = np.zeros(50)
    y[7] = 1
    score = weighed(Pool.of(rng.random((3, 50, 1)), y, None, METRICS[name]), n_selections=40)
    assert (score.low, score.high) == (-np.inf, np.inf)
    assert 0 <= score.value <= 1


@pytest.mark.parametrize("name", ["balanced_accuracy", "f1_macro"])
def test_means_over_classes_rest_on_the_rarest_class(name: str) -> None:
    """Three rows of a class are two degrees of freedom, however many rows the other class has."""
    y = np.r_[np.ones(3), np.zeros(297)]
    of_classes, of_rows = (
        resample(Pool.of(np.full((1, 300, 1), 0.4), y, None, METRICS[metric]), np.ones(1), seed=0)
        for metric in (name, "accuracy")
    )
    assert of_classes.widening > 2 * of_rows.widening
    assert (of_classes.out_of_bag & (y > 0.5)).any(axis=1).all()


def test_one_rare_class_among_many_does_not_hide_the_interval(many_classes: MakePool) -> None:
    pool = many_classes("f1_macro", 1_000, 2, 20)
    y = np.where(pool.y == 19, 0, pool.y)
    y[0] = 19
    score = weighed(replace(pool, y=y), n_selections=40)
    assert np.isfinite([score.low, score.high]).all()


def test_the_value_is_never_better_than_the_apparent_score(make_pool: MakePool) -> None:
    pool = make_pool("rmse")
    weights = greedy_selection(pool.predictions, pool.y, pool.weight, pool.metric)
    lucky = replace(resample(pool, weights, seed=0, n_selections=40), excess=np.full(40, -0.01))
    score = honest_score(lucky)
    assert score.optimism == 0
    assert score.value == lucky.apparent


def test_a_constant_chosen_by_chance_is_not_certain(rng: np.random.Generator) -> None:
    """Its AUC is 0.5 on every draw; an interval of no width around a corrected value would be a lie."""
    y = np.tile([0.0, 1.0], 15)
    predictions = np.stack([np.full(30, 0.5), rng.random(30)])[..., None]
    pool = Pool.of(predictions, y, None, METRICS["roc_auc"])
    score = honest_score(resample(pool, np.array([1.0, 0.0]), seed=0, n_selections=40))
    assert (score.low, score.high) == (-np.inf, np.inf)


def test_bounded_scores_stay_in_their_range(make_pool: MakePool) -> None:
    pool = make_pool("roc_auc", n_rows=60)
    perfect = replace(pool, predictions=0.01 * pool.predictions + 0.9 * pool.y[None, :, None])
    score = weighed(perfect, n_selections=40)
    assert score.low <= score.value <= score.high <= 1


@pytest.mark.parametrize("name", sorted(METRICS))
@pytest.mark.parametrize("n_candidates", [1, 10, 40, 100])
@pytest.mark.parametrize("n_outputs", [1, 26, 100])
def test_all_selections_together_are_bounded(name: str, n_candidates: int, n_outputs: int) -> None:
    """By the cost formula, not the clock: without the bound, 26 classes and 20 candidates took 19 s."""
    metric = METRICS[name]
    if metric.confusion_loss is None or name == "f1":
        n_outputs = 1
    wide = np.broadcast_to(np.float64(0.5), (n_candidates, 50_000, n_outputs))
    pool = Pool(wide, np.zeros(50_000), None, metric, np.arange(50_000))
    rows, selections = affordable_selections(pool)
    assert 1_000 <= rows <= 50_000
    assert 1 <= selections <= 200
    assert selections * selection_seconds(metric, n_candidates, n_outputs, rows) <= 1.0 or selections == 1
    assert (
        selection_seconds(metric, n_candidates, n_outputs, rows_for(pool)) <= 0.4 or rows_for(pool) == 1_000
    )


def test_losses_on_draws_are_the_metrics_own(many_classes: MakePool) -> None:
    pool = many_classes("f1_macro", 300, 3, 5)
    resamples = resample(pool, np.full(3, 1 / 3), seed=0, n_selections=5)
    outside = resamples.out_of_bag[7]
    expected = pool.metric.loss(pool.y[outside], resamples.mixture[outside])
    assert resamples.chosen[7] == pytest.approx(expected)


def test_many_rows_are_resampled_on_a_bounded_sample(make_pool: MakePool) -> None:
    pool = make_pool("rmse", n_rows=60_000, n_candidates=2)
    weights = greedy_selection(pool.predictions, pool.y, pool.weight, pool.metric)
    score = honest_score(resample(pool, weights, seed=0, n_selections=40))
    assert score.n_rows == 50_000
    assert score.value == pytest.approx(pool.loss(weights), rel=0.01)
