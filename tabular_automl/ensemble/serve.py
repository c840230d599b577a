"""From chosen members to models that predict: those of the folds, refits on all rows, or both."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tabular_automl.core.candidate import Candidate
from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit
from tabular_automl.core.ensemble import FittedEnsemble, FittedMember, Member, ServedModel
from tabular_automl.core.failure_text import reason_of
from tabular_automl.core.folds import TIME_ORDERED
from tabular_automl.core.problem import Problem
from tabular_automl.crossfit.load_models import load_models
from tabular_automl.crossfit.refit import Refit, n_copies, refit
from tabular_automl.crossfit.runtime import Runtime

# Above so many rows refits take the place of the fold models: as good, at a third of size and latency.
BAG_ROWS = 10_000
# Copies of a refit differ by their seed. Mean error against a bag of eight, LightGBM on 22 tables: one copy
# +1.2%, two 0.0%, three -0.5%, five -0.9%; the bag and three copies, half each, -0.8%.
COPIES = 3
REFIT_SHARE = 0.5
# One copy alone is worse than the bag, two are as good: fewer never take its place.
FEWEST_COPIES = 2
# A refit holds about so many times what a fold model does.
REFIT_SIZE = 1.25


def serve(
    weighted: Sequence[tuple[CrossFit, float]], problem: Problem, runtime: Runtime
) -> tuple[FittedEnsemble, tuple[Failure, ...], tuple[Failure, ...]]:
    """Return the members ready to predict, which refits failed, and which members could not be loaded.

    On few rows a member predicts half with its fold models and half with its refits on all rows, on many rows
    with the refits alone, if there was time for more than one. Whoever found no time for a refit predicts
    with its fold models. On a time-ordered plan these are only the model of fold 0, as those of other folds
    have not seen the most recent rows, and a single refit takes its place.

    A member whose models cannot be loaded is not among those returned. One model of each is tried first:
    where that fails nothing is refitted and no member returned, as others are to be chosen.
    """
    chosen = [fit for fit, _ in weighted]
    tried = (_loaded(fit, _to_load(fit, (), problem)[:1], runtime) for fit in chosen)
    lost = tuple(one for one in tried if isinstance(one, Failure))
    if lost:
        return FittedEnsemble(()), (), lost
    refits, failures = _refits(chosen, problem, runtime)
    fitted: list[FittedMember] = []
    for fit, weight in weighted:
        models = _loaded(fit, _to_load(fit, refits.get(fit.candidate.key, ()), problem), runtime)
        if isinstance(models, Failure):
            lost = (*lost, models)
        else:
            encoder = runtime.encoder(fit.candidate.recipe)
            fitted.append(FittedMember(Member(fit.candidate, weight), encoder, models))
    return FittedEnsemble(tuple(fitted)), failures, lost


def serves_bag(problem: Problem) -> bool:
    """Whether fold models stay beside refits."""
    return problem.n_rows <= BAG_ROWS and problem.folds.scheme != TIME_ORDERED


def _refits(
    chosen: Sequence[CrossFit], problem: Problem, runtime: Runtime
) -> tuple[dict[str, list[Refit]], tuple[Failure, ...]]:
    wanted = sum(n_copies(fit, COPIES) for fit in chosen)
    refits: dict[str, list[Refit]] = {}
    failures: dict[tuple[str, str], Failure] = {}
    for result in refit(chosen, COPIES, runtime, reserve=loading_seconds(chosen, problem, runtime)):
        wanted -= 1
        if isinstance(result, Failure):
            # Copies that fail for the same reason are told of once.
            failures.setdefault((result.candidate.key, result.reason), result)
        else:
            refits.setdefault(result.candidate.key, []).append(result)
    made = sum(len(found) for found in refits.values())
    why = "the run was stopped before" if runtime.budget.cancelled else "there was no time for"
    of_time = f"; {why} {wanted} more" if wanted else ""
    runtime.emit(
        "weigh",
        f"Fitted {len(refits)} of {len(chosen)} member{'s' * (len(chosen) != 1)} again on all rows, {made} "
        f"model{'s' * (made != 1)}{of_time}.",
    )
    return refits, tuple(failures.values())


def loading_seconds(chosen: Sequence[CrossFit], problem: Problem, runtime: Runtime) -> float:
    """Return the wall seconds to load what will predict, whatever comes of the refits."""
    total = 0.0
    for fit in chosen:
        folds = _able_folds(fit, problem)
        of_folds = runtime.observations.loading(fold.folder for fold in folds)
        copies, a_refit = n_copies(fit, COPIES), REFIT_SIZE * of_folds / len(folds)
        # A single copy of several joins the fold models, wherever more of them take their place.
        beside = copies if serves_bag(problem) else min(copies, FEWEST_COPIES) - 1
        # One of the folds' models is loaded beforehand, to try.
        total += of_folds / len(folds) + max(of_folds + beside * a_refit, copies * a_refit)
    return total


def _able_folds(fit: CrossFit, problem: Problem) -> tuple[FoldFit, ...]:
    """Return the folds whose models may predict new rows."""
    return fit.folds[:1] if problem.folds.scheme == TIME_ORDERED else fit.folds


@dataclass(frozen=True)
class _ToLoad:
    """A kept model, and how it is to be served (`ServedModel`)."""

    folder: Path
    rounds: int
    share: float
    is_refit: bool


def _to_load(fit: CrossFit, refits: Sequence[Refit], problem: Problem) -> list[_ToLoad]:
    """Return what a member predicts with."""
    folds = () if _replace_the_bag(fit, refits, problem) else _able_folds(fit, problem)
    of_refits = 0.0 if not refits else REFIT_SHARE if folds else 1.0
    wanted = [_ToLoad(fold.folder, fit.joint_round, (1.0 - of_refits) / len(folds), False) for fold in folds]
    wanted += [_ToLoad(found.fit.folder, found.rounds, of_refits / len(refits), True) for found in refits]
    return wanted


def _replace_the_bag(fit: CrossFit, refits: Sequence[Refit], problem: Problem) -> bool:
    """Whether refits predict alone."""
    if not refits or serves_bag(problem):
        return False
    return problem.folds.scheme == TIME_ORDERED or len(refits) >= min(FEWEST_COPIES, n_copies(fit, COPIES))


def _loaded(fit: CrossFit, wanted: Sequence[_ToLoad], runtime: Runtime) -> tuple[ServedModel, ...] | Failure:
    try:
        models = load_models(fit.candidate.family, [one.folder for one in wanted])
        # A model that stopped before that round gives all it has.
        return tuple(
            ServedModel(model, min(one.rounds, model.rounds), one.share, one.is_refit)
            for model, one in zip(models, wanted, strict=True)
        )
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a third-party learner may fail in any way
        return _unloadable(fit.candidate, error, runtime)


def _unloadable(candidate: Candidate, error: BaseException, runtime: Runtime) -> Failure:
    """Tell whose models could not be loaded, and why."""
    reason = f"its models cannot be loaded: {reason_of(error)}"
    failure = Failure(candidate, None, reason, 0.0)
    runtime.failed(failure, stage="weigh")
    runtime.emit("weigh", f"{candidate.name} is left out: {reason}", is_warning=True)
    return failure
