"""The story of one fit, told from top to bottom, and the model it returns."""

import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from tabular_automl.artifact import load_run, save_run
from tabular_automl.core.budget import Budget
from tabular_automl.core.candidate import Value
from tabular_automl.core.crossfit import CrossFit, Failure, lasting_failures
from tabular_automl.core.ensemble import HonestScore
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem
from tabular_automl.core.progress import Event
from tabular_automl.core.run import Run
from tabular_automl.core.schema import Finding, Severity
from tabular_automl.core.search import Search
from tabular_automl.core.versions import installed_version
from tabular_automl.crossfit import RunHistory, Runtime, start_workers
from tabular_automl.ensemble import Weighed, longest_of_each, weigh
from tabular_automl.ingest import ingest
from tabular_automl.learners import learner_for
from tabular_automl.report import TextReport, leaderboard, text_report
from tabular_automl.scoring import class_labels, predict, predict_proba
from tabular_automl.search import (
    PRIOR,
    allowed_families,
    check_families,
    first_wave,
    fit_baselines,
    grow,
    recall,
    repeat,
    static_portfolio,
)

if TYPE_CHECKING:
    from tabular_automl.core.schema import SchemaReport

# What every run uses, whatever its learners do.
LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn")


def fit(
    df: Any,
    target: Any,
    *,
    task: str | None = None,
    metric: str | None = None,
    time_limit: float | Literal["auto"] | None = "auto",
    max_candidates: int | None = None,
    n_jobs: int = -1,
    seed: int = 0,
    weight: Any = None,
    groups: Any = None,
    time_column: Any = None,
    splitter: Any = None,
    schema: Mapping[Any, str] | None = None,
    candidates: Sequence[tuple[str, Mapping[str, Value]]] = (),
    families: Sequence[str] | None = None,
    search: Search | None = None,
    existing: Any = None,
    human_level: float | None = None,
    run_dir: str | Path | None = None,
    progress: bool | Callable[[Event], None] | None = None,
    strict: bool = False,
    missing_target: str = "error",
) -> "Model":
    """Fit an ensemble that predicts one column of a table from the others.

    A fit ends with its time or its number of candidates, whichever is said; or before, when no more
    candidates are worth it. A run bounded by time ends when it has as many candidates as the rows can tell
    apart (from 4 on up to 100 rows to 100 on more than 10,000): more would only over-fit the validation.
    Either ends after 40 candidates in a row that brought nothing, and when there is nothing left to propose.
    Without any bound (``time_limit=None`` and no ``max_candidates``) it ends with the portfolio: nothing is
    tuned.

    Ctrl-C asks for the best so far; a second one stops at once with `KeyboardInterrupt`. Either way, and even
    if the process is killed, a fit started again with the same ``run_dir`` goes on where this one ended.

    Parameters
    ----------
    df
        The training table: a pandas DataFrame, anything narwhals reads (polars, Arrow), or the path of a CSV
        (also .gz) or Parquet file. Never changed.
    target
        Name of the column to predict.
    task
        ``binary``, ``multiclass`` or ``regression``; inferred from the target by default.
    metric
        What to be good at; default ``roc_auc`` (binary), ``log_loss`` (multiclass), ``rmse`` (regression).
    time_limit
        Seconds until the model is there, everything included; None: no limit. ``auto``: 300, and no limit
        when ``max_candidates`` bounds the run. Where reading the table took all of it, a first model is
        fitted beyond it, which a warning says.
    max_candidates
        Number of candidates to fit, failed and pruned ones among them; fewer after 40 in vain. Then nothing
        depends on the clock, and one seed gives one model; a ``time_limit`` given with it only aborts, and is
        what ends a learner that hangs.
    n_jobs
        Worker processes; -1: all cores. With 1, a run without time limit fits in this process.
    seed
        All randomness is derived from it.
    weight, groups, time_column
        Column names, or arrays of one value a row: how much a row counts; rows that must stay in one fold;
        the order in time, when folds must never look ahead.
    splitter
        A scikit-learn splitter, or pairs of (train, held-out) row positions, instead of our fold plan; one
        that only looks back counts as time-ordered. A number: as many folds of our own plan. 200 at most.
    schema
        Overrides of the inferred column kinds, such as ``{"zip": "categorical"}``.
    candidates
        Your own candidates, where the search starts: fitted before any other, and known to the tuner. Pairs
        of a family and the hyperparameters that differ from its defaults, such as ``("lightgbm",
        {"num_leaves": 7})``. They are always fitted, also where ``families`` leaves their family out; then
        nothing else of that family is. There may be no more of them than ``max_candidates``.
    families
        Learner families to use; default: all. ``package.module:Class`` names a learner of your own; worker
        processes must be able to import it.
    search
        How candidates are searched for, a `Search`: sampler, pruner, spaces narrowed or widened, families
        forbidden or bounded, such as ``ta.Search(spaces={"lightgbm": {"num_leaves": (8, 64)}})``.
    existing
        Predictions of an existing system for the training rows, made without seeing them: labels or values,
        or probabilities of the classes. A baseline to beat.
    human_level
        The score people reach, in the metric's own direction: a baseline to beat.
    run_dir
        Folder in which everything is kept as it is made. A run that was killed goes on there when it is
        started again: bounded by ``max_candidates`` to the same model, bounded by ``time_limit``, which
        begins anew, with what was fitted. See `history`.
    progress
        True: a live display in a terminal or a notebook, elsewhere lines on stderr; False: silence; a
        callable receives each `Event`, and what it raises ends the fit; None: as True when a terminal or a
        notebook is watching, else events go to the logger ``tabular_automl``.
    strict
        Stop on warnings about the data, too.
    missing_target
        What to do about rows whose target is missing or infinite: ``error``, or ``drop`` to leave them out,
        with what ``weight``, ``groups``, ``time_column``, ``splitter`` and ``existing`` hold for them.

    Returns
    -------
    Model
        Predicts, reports and saves itself.

    Raises
    ------
    InputError
        If the table or an argument cannot be used; raised before time is spent, with the way out.
    StoreError
        If ``run_dir`` cannot be written or is in use.

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame({"x": range(60), "y": [2.0 * x for x in range(60)]})
    >>> model = fit(df, target="y", max_candidates=1, n_jobs=1)
    >>> len(model.predict(df.drop(columns="y")))
    60
    """
    options = Options(
        target, task, metric, time_limit, max_candidates, n_jobs, seed, weight, groups, time_column, splitter,
        schema, candidates, families, search or Search(), existing, human_level, run_dir, progress, strict,
        missing_target,
    )  # fmt: skip
    budget = Budget.start(options)
    with start_workers(budget, allowed_families(options)) as workers:
        check_families(options)
        problem = ingest(df, options)
        starts = static_portfolio(problem, options)
        with Runtime.open(problem, options, budget, workers) as runtime:
            warn_of_no_effect(options, runtime)
            baselines = fit_baselines(problem, options, runtime)
            recalled = recall(problem, starts, runtime, search=options.search)
            first = first_wave(problem, starts, runtime, recalled=recalled, search=options.search)
            grown = grow(problem, starts, first, runtime, search=options.search)
            repeated = repeat(problem, (*first, *grown), runtime)
            results = (*first, *grown, *repeated)
            weighed = weigh(problem, baselines, results, runtime, human_level=options.human_level)
            return Model(record(problem, options, baselines, results, weighed, runtime))


def load(path: str | Path) -> "Model":
    """Load a saved model.

    Raises
    ------
    ArtifactError
        If the folder is not a model, or any of its files is damaged or was tampered with.
    """
    return Model(load_run(Path(path)))


def history(run_dir: str | Path) -> RunHistory:
    """Look into a run folder, also while a run works in it: what was tried, what came of it, with what.

    Raises
    ------
    InputError
        If it is no run folder.
    StoreError
        If it cannot be read, is damaged or of another format.
    """
    return RunHistory(run_dir)


class Model:
    """What `fit` returns: a thin face of a `Run`.

    Parameters
    ----------
    run
        The record of the fit.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.schema_report_: SchemaReport | None = None

    def predict(self, df: Any, *, max_deviating_share: float | None = None) -> "pd.Series[Any]":
        """Return predictions with the rows' index: classes in the target's exact dtype, values as floats.

        What in the rows differed from training is counted in ``schema_report_``; None after an error.

        Parameters
        ----------
        df
            New rows: pandas, polars or Arrow. Columns are found by name.
        max_deviating_share
            Fail when in any column a larger share of cells is of no use to the model: categories not seen in
            training, text that cannot be parsed, infinities, cells that are newly missing. None: never.

        Raises
        ------
        SchemaError
            If columns are missing, all of them named; or if a column deviates in too many rows.
        """
        self.schema_report_ = None
        predictions, self.schema_report_ = predict(self.run, df, max_deviating_share=max_deviating_share)
        return predictions

    def predict_proba(self, df: Any, *, max_deviating_share: float | None = None) -> pd.DataFrame:
        """Return the probability of each class, a column a class, with the rows' index.

        Parameters
        ----------
        df, max_deviating_share
            As for `predict`.

        Raises
        ------
        SchemaError
            As in `predict`.
        InputError
            If the task is regression.
        """
        self.schema_report_ = None
        probabilities, self.schema_report_ = predict_proba(
            self.run, df, max_deviating_share=max_deviating_share
        )
        return probabilities

    @property
    def score_(self) -> HonestScore:
        """What to expect on new rows, and how sure that is."""
        return self.run.score

    @property
    def classes_(self) -> tuple[Any, ...]:
        """The class labels, in the order of `predict_proba`'s columns; empty for regression."""
        return class_labels(self.run.task)

    def leaderboard(self) -> pd.DataFrame:
        """Return every candidate and every baseline, ranked where their scores are of the same rows."""
        return leaderboard(self.run)

    def report(self) -> TextReport:
        """Return the summary of the run as text."""
        return text_report(self.run)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model to a folder, without pickle, atomically.

        The folder may be there already if it is empty; ``~`` is the home folder.

        Raises
        ------
        InputError
            If the folder holds a model and ``overwrite`` is false, or holds anything else, or its parent does
            not exist.
        WriteError
            If it cannot be written, as on a full disk.
        """
        return save_run(self.run, Path(path), overwrite=overwrite)

    def __repr__(self) -> str:
        members = _n_members(self.run)
        return f"<Model of {self.run.task.target!r} ({self.run.task.kind}), {members}, {self.run.score}>"


def warn_of_no_effect(options: Options, runtime: Runtime) -> None:
    """Warn of what was said of the search and has no effect in this run."""
    search = options.search
    is_bounded = options.seconds is not None or options.max_candidates is not None
    said = {"sampler": search.sampler, "pruner": search.pruner}
    usual = Search()
    in_vain = [f"{name}={value!r}" for name, value in said.items() if value != getattr(usual, name)]
    if in_vain and not is_bounded:
        runtime.emit(
            "ingest",
            f"Nothing is tuned in a run without any bound: search.{', '.join(in_vain)} only matters with a "
            "time_limit or max_candidates. Give one of them.",
            is_warning=True,
        )
    fitted = allowed_families(options)
    for family in sorted({*search.spaces, *(search.most_candidates or {})} - {*fitted}):
        runtime.emit(
            "ingest",
            f"search speaks of {family}, which is not fitted: families leaves it out. Name it there, too.",
            is_warning=True,
        )


def record(
    problem: Problem,
    options: Options,
    baselines: tuple[CrossFit, ...],
    results: Sequence[CrossFit | Failure],
    weighed: Weighed,
    runtime: Runtime,
) -> Run:
    """Put everything a fit found out into one record; a model of the prior alone is warned about."""
    crossfits = longest_of_each(result for result in results if isinstance(result, CrossFit))
    outcome = _prior_only(problem, weighed)
    for finding in outcome:
        runtime.emit("done", finding.announcement, is_warning=True)
    run = Run(
        schema=problem.schema,
        task=problem.task,
        findings=(*problem.findings, *outcome),
        scheme=problem.folds.scheme,
        n_folds=problem.folds.folds_per_repeat,
        y=problem.y,
        weight=problem.weight,
        baselines=baselines,
        crossfits=crossfits,
        failures=(*lasting_failures(results), *weighed.failures),
        ensemble=weighed.ensemble,
        fitted=weighed.fitted,
        score=weighed.score,
        comparisons=weighed.comparisons,
        seconds=runtime.stage_seconds(),
        settings=_settings(options, runtime.budget),
        versions=_versions(crossfits),
        forecast=weighed.forecast,
        utilisation=runtime.utilisation(),
    )
    runtime.emit("done", f"The model is ready, with {_n_members(run)}.")
    return run


def _n_members(run: Run) -> str:
    number = len(run.ensemble.members)
    return f"{number} member{'s' * (number != 1)}"


def _prior_only(problem: Problem, weighed: Weighed) -> tuple[Finding, ...]:
    if not problem.table.columns or any(m.candidate.family != PRIOR for m in weighed.ensemble.members):
        return ()
    message = "No learner beat the prior, or none could finish: every row gets the same prediction."
    way_out = "See the failures in the report; if time ran out, raise time_limit."
    return (Finding("prior_only", Severity.WARNING, message, way_out),)


def _versions(crossfits: Sequence[CrossFit]) -> dict[str, str]:
    """Return the versions of Python, this package and the libraries that the run and its learners used."""
    families = {fit.candidate.family for fit in crossfits}
    of_learners = {name for family in families for name in learner_for(family).libraries}
    installed = {name: installed_version(name) for name in sorted({*LIBRARIES, *of_learners})}
    return {
        "tabular_automl": version("tabular_automl"),
        "python": platform.python_version(),
        **{name: found for name, found in installed.items() if found is not None},
    }


def _settings(options: Options, budget: Budget) -> dict[str, Any]:
    return {
        "time_limit": options.seconds,
        "max_candidates": options.max_candidates,
        "seed": options.seed,
        "families": list(options.families) if options.families is not None else None,
        "search": options.search.describe(),
        "strict": options.strict,
        "missing_target": options.missing_target,
        "n_jobs": budget.n_jobs,
        "interrupted": budget.cancelled,
    }
