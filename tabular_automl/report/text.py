"""The summary of a run as plain text: what to expect first, then what it rests on."""

import math
import textwrap
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from tabular_automl.core.crossfit import CrossFit
from tabular_automl.core.ensemble import Comparison
from tabular_automl.core.folds import TIME_ORDERED
from tabular_automl.core.metrics import Metric, metric_named
from tabular_automl.core.run import Run
from tabular_automl.core.schema import Severity
from tabular_automl.ensemble.choose import longest_of_each
from tabular_automl.report.leaderboard import leaderboard, member_fits
from tabular_automl.search import PRIOR

WIDTH = 110
MOST_FINDINGS = 12
MOST_LINES = 25
MOST_CLASSES = 6
LEAST_SECONDS = 0.05
_GAPS = MappingProxyType({"first fit": "waiting for the first fit"})


class TextReport(str):
    """A text that shows itself as it is, in a terminal and in a notebook."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def text_report(run: Run) -> TextReport:
    """Return the summary of a run.

    In this order: the expected score with its interval and optimism, the gain over each baseline in plain
    words, what more time would bring, what was found in the data with the way out, the data, its validation
    and what predicts, the leaderboard, who was left early and why, what was skipped for want of time,
    failures, time and how well the cores were used.
    """
    metric = metric_named(run.task.metric, run.task.kind)
    sections = [
        _title(run),
        _section("Expected score on new rows", _expected(run, metric)),
        _section("Against the baselines", _against(run, metric)),
        _section("With more time", _ahead(run)),
        _section("Warnings about the data", _findings(run, Severity.WARNING)),
        _section("Notes about the data", _findings(run, Severity.NOTICE)),
        _section("How it was made", _made(run)),
        _section("Leaderboard", _table(leaderboard(run).drop(columns="family"))),
        _section("Left early", _left_early(run)),
        _section("Skipped", _skipped(run)),
        _section("Failures", _failures(run)),
        _section("Time", _time(run)),
    ]
    return TextReport("\n\n".join("\n".join(lines) for lines in sections if lines))


def _section(heading: str, lines: list[str]) -> list[str]:
    return [heading, "-" * len(heading), *lines] if lines else []


def _title(run: Run) -> list[str]:
    size = f"{len(run.y):,} rows, {len(run.schema.features)} feature columns"
    title = f"Model of {str(run.task.target)!r}: {run.task.kind}, {size}"
    return [title, "=" * len(title)]


def _expected(run: Run, metric: Metric) -> list[str]:
    score = run.score
    direction = "higher" if metric.greater_is_better else "lower"
    if not math.isfinite(score.high - score.low):
        return [
            f"{score.metric} {_number(score.value, abs(score.value))} ({direction} is better)",
            "No interval: too few independent rows or blocks carry the score to say how sure this is.",
            *_wrapped(_not_repeated(run)),
        ]
    width = score.high - score.low
    value, low, high = (_number(number, width) for number in (score.value, score.low, score.high))
    apparent = _number(_apparent(score.value, score.optimism, metric), width)
    lines = [
        f"{score.metric} {value}, 95% interval {low} to {high} ({direction} is better)",
        f"Estimated on {score.n_rows:,} out-of-fold rows. On the rows that chose it the ensemble looks like "
        f"{apparent}; the optimism of {_number(score.optimism, width)} is already taken off.",
        "The interval covers the sampling of rows and the choice of the ensemble, not a shift of the data.",
        *_not_repeated(run),
    ]
    return _wrapped(lines)


def _not_repeated(run: Run) -> list[str]:
    """Say which choices were made on the very rows that score them, and are not corrected for."""
    fits, lines = member_fits(run), []
    alone = [fit.candidate.name for fit in fits if len(fit.folds) == 1 and len(fit.folds[0].curve) > 1]
    if alone:
        lines.append(
            f"Fitted on a single fold: {', '.join(alone)}; the stopping round was chosen on the very rows "
            "that score it, so the score is slightly optimistic."
        )
    n_folds = sorted({fit.folds_per_repeat for fit in fits})
    if len(n_folds) > 1:
        lines.append(
            f"Members were fitted on {n_folds[0]} to {n_folds[-1]} folds: the choice between more candidates "
            "and more rows was made on the rows that score it, and is not corrected for."
        )
    n_repeats = sorted({fit.n_repeats for fit in fits})
    if len(n_repeats) > 1:
        lines.append(
            f"Members rest on {n_repeats[0]} to {n_repeats[-1]} repeats of the folds: who was repeated was "
            "chosen on the rows that score it, and is not corrected for."
        )
    return lines


def _apparent(value: float, optimism: float, metric: Metric) -> float:
    return value + optimism if metric.greater_is_better else value - optimism


def _against(run: Run, metric: Metric) -> list[str]:
    """Say how far above each baseline the ensemble is, the strongest baseline first."""
    comparisons = sorted(run.comparisons, key=lambda comparison: comparison.gain)
    if not comparisons:
        return []
    names = max(len(comparison.baseline) for comparison in comparisons)
    rows = [(comparison, _baseline_score(comparison)) for comparison in comparisons]
    scores = max(len(score) for _, score in rows)
    lines = [f"{c.baseline:<{names}}  {score:>{scores}}  {_in_words(c, metric)}" for c, score in rows]
    return [*_wrapped([_verdict(comparisons)]), *lines]


def _verdict(comparisons: list[Comparison]) -> str:
    not_beaten = [comparison.baseline for comparison in comparisons if not comparison.clear]
    if not not_beaten:
        which = "the one baseline" if len(comparisons) == 1 else f"all {len(comparisons)} baselines"
        return f"The ensemble is clearly better than {which}."
    return (
        f"CAUTION: the ensemble is not clearly better than {', '.join(not_beaten)}. "
        f"More rows or better columns may help; until then the other way serves as well."
    )


def _baseline_score(comparison: Comparison) -> str:
    scale = comparison.high - comparison.low
    return _number(comparison.baseline_score, scale or abs(comparison.baseline_score))


def _in_words(comparison: Comparison, metric: Metric) -> str:
    width = comparison.high - comparison.low
    if not math.isfinite(width):
        return f"gain {_number(comparison.gain, comparison.gain)}, interval unknown"
    gain, low, high = (_number(value, width) for value in (comparison.gain, comparison.low, comparison.high))
    if comparison.clear:
        loss = comparison.baseline_score
        share = f", {comparison.gain / loss:.0%} lower" if not metric.greater_is_better and loss > 0 else ""
        return f"better by {gain} (95%: {low} to {high}{share})"
    if comparison.high < 0:
        return f"WORSE by {gain.lstrip('-')} (95%: {low} to {high})"
    return f"NOT CLEARLY BETTER: gain {gain} (95%: {low} to {high})"


def _ahead(run: Run) -> list[str]:
    """Say what more time would bring."""
    return [] if run.forecast is None else _wrapped(run.forecast.sentences)


def _findings(run: Run, severity: Severity) -> list[str]:
    found = [finding for finding in run.findings if finding.severity is severity]
    lines = _bullets(str(finding) for finding in found[:MOST_FINDINGS])
    left = len(found) - MOST_FINDINGS
    return [*lines, f"... and {left} more in run.findings"] if left > 0 else lines


def _made(run: Run) -> list[str]:
    members = [f"{member.weight:.0%} {member.candidate.name}" for member in run.ensemble.members]
    # A candidate may have several results: taken up again on more folds, or cut short by a failure.
    fitted = {fit.candidate.key for fit in _without_prior(run)}
    failed = {one.candidate.key for one in run.failures if not one.skipped and one.candidate.family != PRIOR}
    tried = len(fitted | failed)
    lines = [
        f"Target: {_target(run)}",
        f"Validation: {run.n_folds} folds, {run.scheme}; every score is on rows its model did not see.",
        *_repeated(run),
        f"Ensemble: {', '.join(members)}; chosen from {tried} candidate{'s' * (tried != 1)}.",
        *_predicting(run),
    ]
    return _wrapped(lines)


def _predicting(run: Run) -> list[str]:
    """Say what the members predict new rows with."""
    by_way: dict[str, list[str]] = {}
    for fitted in run.fitted.members:
        of_refits = sum(served.share for served in fitted.models if served.is_refit)
        by_way.setdefault(_way(of_refits, run.scheme), []).append(fitted.member.candidate.name)
    n_members = len(run.fitted.members)
    if len(by_way) == 1:
        who = {1: "The one member predicts", 2: "Both members predict"}
        return [
            f"New rows: {who.get(n_members, f'All {n_members} members predict')} {way}." for way in by_way
        ]
    return [
        f"New rows: {len(names)} of {n_members} members predict{'s' * (len(names) == 1)} {way}: "
        f"{', '.join(names)}."
        for way, names in by_way.items()
    ]


def _way(of_refits: float, scheme: str) -> str:
    if math.isclose(of_refits, 1.0):
        return "with refits on all rows alone"
    if of_refits > 0:
        return f"with refits on all rows ({of_refits:.0%}) and the fold models"
    if scheme == TIME_ORDERED:
        return "with the model of fold 0 alone, which was trained on the most recent rows"
    return "with the fold models alone"


def _repeated(run: Run) -> list[str]:
    """Say on how many repeats of the folds candidates were fitted, if on several."""
    most: dict[str, int] = {}
    for fit in _without_prior(run):
        most[fit.candidate.key] = max(fit.n_repeats, most.get(fit.candidate.key, 1))
    found = sorted(n_repeats for n_repeats in most.values() if n_repeats > 1)
    if not found:
        return []
    repeats = f"{found[-1]}" if found[0] == found[-1] else f"{found[0]} to {found[-1]}"
    return [
        f"Repeats: {len(found)} of {len(most)} candidate{'s' * (len(most) != 1)} on {repeats} repeats of the "
        "folds, each dealt anew; they are scored by the mean of a row's predictions, one from each repeat."
    ]


def _target(run: Run) -> str:
    if not run.task.kind.is_classification:
        low, middle, high = np.quantile(run.y, [0.05, 0.5, 0.95])
        return f"median {middle:,.4g}, 90% of values from {low:,.4g} to {high:,.4g}."
    shares = np.bincount(run.y.astype(np.intp), minlength=len(run.task.classes)) / len(run.y)
    order = np.argsort(-shares, kind="stable")[:MOST_CLASSES]
    shown = [f"{run.task.classes[code]} {shares[code]:.1%}" for code in order]
    more = len(run.task.classes) - len(shown)
    return ", ".join([*shown, f"{more} more classes"] if more > 0 else shown) + "."


def _table(board: pd.DataFrame) -> list[str]:
    """Return the leaderboard's lines: texts to the left, numbers to the right, a dash where there is none."""
    shown = board.head(MOST_LINES)
    columns = []
    for name in board.columns:
        cells = [_cell(value) for value in shown[name]]
        if pd.api.types.is_float_dtype(shown[name]):
            cells = _aligned_decimals(shown[name])
        width = max(map(len, [name, *cells]))
        left = not pd.api.types.is_numeric_dtype(board[name])
        columns.append([cell.ljust(width) if left else cell.rjust(width) for cell in (name, *cells)])
    lines = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
    left_out = len(board) - len(shown)
    return [*lines, f"... and {left_out} more in leaderboard()"] if left_out else lines


def _cell(value: object) -> str:
    return "-" if value is pd.NA else str(value)


def _aligned_decimals(scores: "pd.Series[float]") -> list[str]:
    finite = [float(score) for score in scores if np.isfinite(score)]
    decimals = max(len(np.format_float_positional(score, trim="-").partition(".")[2]) for score in finite)
    return [f"{score:.{decimals}f}" if np.isfinite(score) else "-" for score in scores]


def _without_prior(run: Run) -> list[CrossFit]:
    """Return the fits of candidates: the prior is none that anybody asked for."""
    return [fit for fit in run.crossfits if fit.candidate.family != PRIOR]


def _left_early(run: Run) -> list[str]:
    """Say why candidates ended early, first the search's reasons, then the time's."""
    fits = longest_of_each(run.crossfits)
    left = [f"{fit.candidate.name} pruned: {fit.pruned}" for fit in fits if fit.pruned]
    left += [f"{fit.candidate.name} {_cut_short(fit)}" for fit in fits if not fit.pruned and not fit.complete]
    more = len(left) - MOST_FINDINGS
    return [*_bullets(left[:MOST_FINDINGS]), *([f"... and {more} more"] if more > 0 else [])]


def _cut_short(fit: CrossFit) -> str:
    ended = [str(fold.fold) for fold in fit.folds if not fold.complete]
    which = f"fold{'s' * (len(ended) > 1)} {', '.join(ended)}"
    return f"cut short: the time was over before {which} had all rounds; predicted with those there are"


def _skipped(run: Run) -> list[str]:
    return _bullets(f"{one.candidate.name}: {one.reason}" for one in run.failures if one.skipped)


def _failures(run: Run) -> list[str]:
    return _bullets(
        f"{failure.candidate.name}{_where(failure.fold, run.n_folds)} (after {failure.seconds:.1f} s): "
        f"{failure.reason}"
        for failure in run.failures
        if not failure.skipped
    )


def _where(fold: int | None, folds_per_repeat: int) -> str:
    """Return the fold as its number within its repeat; both are counted from 0."""
    if fold is None:
        return ""
    repeat, number = divmod(fold, folds_per_repeat)
    return f", fold {number} of repeat {repeat}" if repeat else f", fold {number}"


def _time(run: Run) -> list[str]:
    stages = _parts({name: seconds for name, seconds in run.seconds.items() if name != "total"})
    total = f"Total {run.seconds['total']:.1f} s" if "total" in run.seconds else ""
    interrupted = "Stopped by Ctrl-C: this is the best until then." if run.settings.get("interrupted") else ""
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    timing = ": ".join(part for part in (total, stages) if part)
    return _wrapped([line for line in (timing, *_cores(run), interrupted, versions) if line])


def _cores(run: Run) -> list[str]:
    """Say how well the cores were used, and where no fit ran."""
    used = run.utilisation
    if used is None:
        return []
    gaps = _parts({_GAPS.get(stage, stage): seconds for stage, seconds in used.without_fits.items()})
    lines = [f"{used}{f' ({gaps})' if gaps else ''}"]
    if used.crowded:
        share = used.jobs_cpu / used.fitting
        lines.append(
            f"Jobs got {share:.0%} of their cores' time: the machine was busy with something else, or the "
            "fit runs at low priority."
        )
    return lines


def _parts(seconds: Mapping[str, float]) -> str:
    """Return what took how long, without what is shown as nothing."""
    return ", ".join(f"{part} {taken:.1f} s" for part, taken in seconds.items() if taken >= LEAST_SECONDS)


def _bullets(texts: Iterable[str]) -> list[str]:
    return [
        line
        for text in texts
        for line in textwrap.wrap(" ".join(text.split()), WIDTH, initial_indent="* ", subsequent_indent="  ")
    ]


def _wrapped(lines: Iterable[str]) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, WIDTH, subsequent_indent="  ")]


def _number(value: float, scale: float) -> str:
    """Return a number with the decimals that a scale, such as an interval's width, makes meaningful."""
    scale = abs(scale)
    if not (math.isfinite(scale) and scale > 0):
        return f"{value:.4g}"
    decimals = min(max(1 - math.floor(math.log10(scale)), 0), 12)
    return f"{value:,.{decimals}f}"
