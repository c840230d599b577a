"""Anytime curves: the ensemble's loss on held-out rows over core-seconds, for our search and for plain ones.

    python tests/benchmarks/anytime.py run SPLITS OUT.jsonl SECONDS DATASET...
    python tests/benchmarks/anytime.py plot OUT.jsonl anytime.svg

SPLITS holds a folder a dataset with ``0/train.parquet``, ``0/test.parquet``, ``0/task.json`` (target, task).
The searches, on the same folds, the same workers and for the same seconds:

- ``ours``: the first wave, then growing (portfolio, studies, races on prefixes of the folds);
- ``random``: candidates drawn from the spaces of all families in turn, each on all folds;
- ``tpe``: the families in turn, each tuned by its own TPE study from its default on, each on all folds.

At each checkpoint an ensemble is chosen from what was finished by then, as a fit does it, from out-of-fold
predictions; it is judged on the held-out third of the rows, with the models of all folds averaged. Finished
runs are skipped, so that it can be interrupted. `plot` draws the curves and prints a Markdown table: by share
of the core-seconds the held-out loss of the others against ours, geometric means over the datasets, and
on how many of them ours is lower.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Candidate, Origin, freeze_params
from tabular_automl.core.crossfit import CrossFit, Failure
from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.metrics import default_metric, metric_named
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.search import Search
from tabular_automl.core.seeds import derive_rng
from tabular_automl.core.table import Table
from tabular_automl.core.task import TaskKind
from tabular_automl.crossfit import Request, Runtime, cross_fit, load_models, start_workers
from tabular_automl.ensemble import choose
from tabular_automl.ingest import canonicalise, ingest
from tabular_automl.learners import learner_for
from tabular_automl.search import first_wave, grow, static_portfolio
from tabular_automl.search.fold_losses import fold_losses
from tabular_automl.search.portfolio import PRIOR, default_candidate
from tabular_automl.search.study import FamilyStudy

SYSTEMS = ("ours", "random", "tpe")
CHECKPOINTS = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
N_JOBS = 2
Results = list[CrossFit | Failure]


def main() -> None:
    """Run or plot."""
    what, *rest = sys.argv[1:]
    if what == "plot":
        curves = pd.read_json(rest[0], lines=True)
        plot(curves, Path(rest[1]))
        print(summary(curves))
        return
    splits, out, seconds, *datasets = rest
    for dataset in datasets:
        for system in SYSTEMS:
            if (dataset, system) not in finished(Path(out)):
                lines = curve(system, Path(splits) / dataset / "0", float(seconds))
                with Path(out).open("a", encoding="utf-8") as file:
                    file.writelines(
                        json.dumps({"dataset": dataset, "system": system, **x}) + "\n" for x in lines
                    )
                print(dataset, system, *(f"{line['loss']:.5g}" for line in lines), flush=True)


def finished(out: Path) -> set[tuple[str, str]]:
    """Return what there is a curve of."""
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    return {(line["dataset"], line["system"]) for line in map(json.loads, lines)}


def curve(system: str, split: Path, seconds: float) -> list[dict[str, float]]:
    """Search for so many seconds; return core-seconds and held-out loss at each checkpoint."""
    spec = json.loads((split / "task.json").read_text(encoding="utf-8"))
    train, test = (pd.read_parquet(split / f"{part}.parquet") for part in ("train", "test"))
    target = spec["target"]
    kind = TaskKind(spec["task"])
    options = Options(
        target, spec["task"], default_metric(kind).name, seconds, n_jobs=N_JOBS, progress=False,
        search=Search(),
    )  # fmt: skip
    budget = Budget.start(options)
    with start_workers(budget, None) as workers:
        problem = ingest(train, options)
        with Runtime.open(problem, options, budget, workers) as runtime:
            results = SEARCHES[system](problem, options, runtime)
            table, _ = canonicalise(test, problem.schema)
            y = held_out_target(test[target], problem)
            return checkpoints(results, problem, runtime, HeldOut(table, y))


class HeldOut:
    """Held-out rows, and what candidates predict for them."""

    def __init__(self, table: Table, y: FloatArray) -> None:
        self.table, self.y = table, y
        self.predictions: dict[str, FloatArray] = {}

    def predict(self, fit: CrossFit, runtime: Runtime) -> FloatArray:
        """Return the mean over the fold models, at the joint round."""
        key = fit.candidate.key
        if key not in self.predictions:
            matrix = runtime.encoder(fit.candidate.recipe).transform(self.table)
            models = load_models(fit.candidate.family, [fold.folder for fold in fit.folds])
            parts = [model.predict(matrix, min(fit.joint_round, model.rounds)) for model in models]
            self.predictions[key] = np.mean(parts, axis=0)
        return self.predictions[key]


def checkpoints(
    results: Results, problem: Problem, runtime: Runtime, held_out: HeldOut
) -> list[dict[str, float]]:
    """Return the loss of the ensemble of what was finished by each checkpoint."""
    metric = metric_named(problem.task.metric, problem.task.kind)
    spent = np.cumsum([result.seconds for result in results])
    total = (runtime.budget.limit or 0.0) * N_JOBS
    lines = []
    for share in CHECKPOINTS:
        n_done = max(1, int(np.searchsorted(spent, share * total, side="right")))
        chosen = choose(problem, results[:n_done])
        if chosen is None:
            continue
        mixed = sum(w * held_out.predict(fit, runtime) for fit, w in chosen.weighted)
        lines.append(
            {
                "core_seconds": share * total,
                "loss": metric.loss(held_out.y, np.asarray(mixed)),
                "n_candidates": n_done,
                "spent": float(spent[n_done - 1]),
            }
        )
    return lines


def held_out_target(values: "pd.Series[Any]", problem: Problem) -> FloatArray:
    """Return the target as learners see it."""
    if problem.task.kind is TaskKind.REGRESSION:
        return np.asarray(values, dtype=np.float64)
    n_classes = len(problem.task.classes)
    labels = problem.task.labels(np.arange(n_classes), pd.RangeIndex(n_classes)).astype(str).tolist()
    codes = values.astype(str).map({label: code for code, label in enumerate(labels)})
    return np.asarray(codes, dtype=np.float64)


def our_search(problem: Problem, options: Options, runtime: Runtime) -> Results:
    """Run the first wave and growing, as a fit does."""
    starts = static_portfolio(problem, options)
    first = first_wave(problem, starts, runtime)
    return [*first, *grow(problem, starts, first, runtime, search=options.search)]


def random_search(problem: Problem, options: Options, runtime: Runtime) -> Results:
    """Draw from the spaces of all families in turn."""
    families = searched_families(problem, options)

    def drawn() -> Iterator[Candidate]:
        for number in range(10_000):
            family = families[number % len(families)]
            learner, rng = learner_for(family), derive_rng(0, "random search", number)
            params = {
                **dict(learner.defaults(problem.shape)),
                **dict(learner.space(problem.shape).sample(rng)),
            }
            frozen = freeze_params(params)
            yield Candidate(family, frozen, learner.recipe(frozen), Origin.TUNED, label=f"r{number}")

    requests = (Request(candidate, problem.folds.folds_per_repeat) for candidate in drawn())
    return list(cross_fit(requests, problem, runtime))


def tpe_search(problem: Problem, options: Options, runtime: Runtime) -> Results:
    """Tune the families in turn, each from its default on."""
    families = searched_families(problem, options)
    studies = {family: FamilyStudy(family, problem.shape, Search(), 0) for family in families}
    n_folds = problem.folds.folds_per_repeat
    exhausted: set[str] = set()

    def requests() -> Iterator[Request]:
        yield from (Request(default_candidate(family, problem.shape), n_folds) for family in families)
        while len(exhausted) < len(families):
            for family in families:
                candidate = None if family in exhausted else studies[family].ask()
                if candidate is None:
                    exhausted.add(family)
                else:
                    yield Request(candidate, n_folds)

    results: Results = []
    for result in cross_fit(requests(), problem, runtime):
        results.append(result)
        tell(studies[result.candidate.family], result, problem)
    return results


def tell(study: FamilyStudy, result: CrossFit | Failure, problem: Problem) -> None:
    """Tell a study of a finished candidate."""
    if isinstance(result, Failure):
        if result.candidate.origin is Origin.TUNED:
            study.fail(result.candidate)
    elif result.candidate.origin is Origin.TUNED:
        study.finish(result.candidate, fold_losses(result, problem))
    else:
        study.know(result.candidate, fold_losses(result, problem))


def searched_families(problem: Problem, options: Options) -> list[str]:
    """Return the families that can solve the problem."""
    starts = static_portfolio(problem, options)
    return list(dict.fromkeys(candidate.family for candidate in starts if candidate.family != PRIOR))


SEARCHES = {"ours": our_search, "random": random_search, "tpe": tpe_search}


def summary(lines: pd.DataFrame) -> str:
    """Return by checkpoint how much higher than ours the losses of the others are, as a Markdown table."""
    whole = lines.groupby("dataset")["core_seconds"].transform("max")
    losses = lines.assign(share=(lines["core_seconds"] / whole).round(3)).pivot_table(
        index=["share", "dataset"], columns="system", values="loss"
    )
    others = [system for system in SYSTEMS if system != "ours"]
    rows = [["share of core-seconds", *others], ["---"] * (1 + len(others))]
    for share, at in losses.groupby(level="share"):
        ratios = {other: (at[other] / at["ours"]).dropna() for other in others}
        cells = [
            f"{np.exp(np.log(ratio).mean()) - 1:+.1%} (ours lower on {(ratio > 1).sum()} of {len(ratio)})"
            for ratio in ratios.values()
        ]
        rows.append([f"{share:.0%}", *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def plot(lines: pd.DataFrame, picture: Path) -> None:
    """Draw a panel a dataset: loss relative to the best anyone reached."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    datasets = list(dict.fromkeys(lines["dataset"]))
    figure, axes = plt.subplots(
        2, -(-len(datasets) // 2), figsize=(3 * -(-len(datasets) // 2), 6), squeeze=False
    )
    for axis, dataset in zip(axes.flat, datasets, strict=False):
        of_dataset = lines[lines["dataset"] == dataset]
        best = of_dataset["loss"].min()
        for system, of_system in of_dataset.groupby("system", sort=False):
            axis.plot(
                of_system["core_seconds"], 100 * (of_system["loss"] / best - 1), label=system, marker="."
            )
        axis.set_title(dataset, fontsize=9)
    axes[0, 0].legend(fontsize=8)
    figure.supxlabel("core-seconds")
    figure.supylabel("held-out loss above the best, %")
    figure.tight_layout()
    figure.savefig(picture)


if __name__ == "__main__":
    main()
