"""Fits candidates on folds, lazily: what is fitted next is asked only when a worker is free."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tabular_automl.core.crossfit import CrossFit, Failure, FoldFit
from tabular_automl.core.errors import FoldPlanMismatchError
from tabular_automl.core.failure_text import reason_of
from tabular_automl.core.problem import Problem
from tabular_automl.core.seeds import derive_seed
from tabular_automl.crossfit.bag import Bag, FoldSetup
from tabular_automl.crossfit.fold_job import FitJob, FitReport, JobFailure, PredictJob, PredictReport
from tabular_automl.crossfit.fold_key import FitSettings, fold_key
from tabular_automl.crossfit.load_models import expect_to_load
from tabular_automl.crossfit.request import Request
from tabular_automl.crossfit.request_outcome import RequestOutcome
from tabular_automl.crossfit.runtime import EncodedMatrix, Runtime
from tabular_automl.crossfit.time_plan import Allowance, TimePlan
from tabular_automl.crossfit.workers import Finished, Lost, Ticket
from tabular_automl.learners import learner_for

# How often deadline and Ctrl-C are looked at while all workers are busy.
POLL_SECONDS = 0.1
# In a run bounded by counts proposal t sees the results up to t - 4, whatever the number of workers.
LOOKAHEAD = 4


def cross_fit(
    requests: Iterator[Request | None], problem: Problem, runtime: Runtime
) -> Iterator[CrossFit | Failure]:
    """Fit what is requested, and yield each result as soon as it is there.

    The next request is pulled only when a worker is free and nothing is queued, so that a proposer sees the
    results so far and the time that is left. Fits already in the run store are not made again. When the time
    is over or a person has cancelled, candidates end with the folds they have. In a run bounded by counts
    results come in the order of the requests, and proposal t is pulled when exactly the results up to t - 4
    were yielded, however many workers there are.

    Parameters
    ----------
    requests
        What to fit, proposed lazily. None: nothing for now, to be asked again after the next result; with no
        result to come it is the end.
    problem, runtime
        What is being solved, and how.

    Yields
    ------
    CrossFit or Failure
        One for each request that found time. If a later fold failed or its worker died, the cross fit of the
        folds before it, followed by that fold's failure.

    Raises
    ------
    FoldPlanMismatchError
        If the runtime was opened for another fold plan.
    """
    if problem.folds.digest != runtime.problem.folds.digest:
        raise FoldPlanMismatchError(
            "This runtime was opened for another fold plan. Open one for this problem."
        )
    scheduler = _Scheduler(requests, runtime)
    try:
        yield from scheduler.results()
    finally:
        scheduler.end()


@dataclass(frozen=True)
class _Work:
    """What a ticket is for."""

    bag: Bag
    fold: int
    allowance: Allowance


class _Scheduler:
    def __init__(self, requests: Iterator[Request | None], runtime: Runtime) -> None:
        self._requests = requests
        self._runtime = runtime
        self._problem = runtime.problem
        self._workers = runtime.workers
        self._time = TimePlan(runtime.budget, runtime.workers.n_slots, runtime.observations)
        self._bags: list[Bag] = []
        self._work: dict[Ticket, _Work] = {}
        self._settled: dict[int, tuple[CrossFit | Failure, ...]] = {}
        self._asked: dict[int, tuple[Request, int]] = {}
        self._proposed = self._yielded = 0
        self._exhausted = self._stalled = False
        self._held: Request | None = None
        self._weights = _held_out_weights(self._problem)

    def results(self) -> Iterator[CrossFit | Failure]:
        """Yield results until the requests are exhausted or the time is over."""
        while True:
            self._submit()
            yield from self._releasable()
            if self._propose():
                continue
            if (self._exhausted or self._stalled) and not self._bags and not self._settled:
                return
            for finished in self._workers.wait(POLL_SECONDS):
                self._absorb(finished)

    def end(self) -> None:
        """Kill what still runs."""
        for ticket in self._work:
            self._runtime.drop(ticket)

    def _releasable(self) -> Iterator[CrossFit | Failure]:
        in_order = self._runtime.budget.counted
        while self._settled and (not in_order or self._is_due(self._yielded)):
            number = self._yielded if in_order else next(iter(self._settled))
            self._yielded += 1
            yield from self._settled.pop(number)
            self._stalled = False

    def _is_due(self, number: int) -> bool:
        """Whether proposals to come may see a result: no sooner than with any number of workers."""
        nothing_first = self._exhausted or self._stalled
        return number in self._settled and (nothing_first or self._proposed >= number + LOOKAHEAD)

    def _propose(self) -> bool:
        """Open a bag for the next request, if it is time to."""
        request = self._next_request()
        if request is None:
            return False
        number, self._proposed = self._proposed, self._proposed + 1
        self._asked[number] = (request, self._runtime.store.put_request(request))
        try:
            bag = self._open_bag(number, request)
        except Exception as error:  # noqa: BLE001 - a third-party learner may fail in any way
            failure = Failure(request.candidate, None, reason_of(error), 0.0)
            self._record(failure)
            self._settle(number, failure)
            return True
        self._bags.append(bag)
        self._advance(bag)
        return True

    def _next_request(self) -> Request | None:
        """Pull the next request; None if it is too early for one, or too late."""
        if self._exhausted or not self._time.may_propose(self._bags):
            self._exhausted = True
            return None
        ahead = self._proposed - self._yielded
        queued = any(bag.waiting or bag.to_predict for bag in self._bags)
        if self._stalled or self._workers.free == 0 or queued:
            return None
        if self._runtime.budget.counted and ahead >= LOOKAHEAD:
            return None
        request, self._held = self._held or self._pulled(), None
        if request is not None and any(
            bag.request.candidate.key == request.candidate.key for bag in self._bags
        ):
            # Asked for again, on more folds, while it is still being fitted: its fits are needed first.
            request, self._held = None, request
        return request

    def _pulled(self) -> Request | None:
        """Ask for the next request; without one there is nothing for now, or nothing any more."""
        try:
            request = next(self._requests)
        except StopIteration:
            self._exhausted = True
            return None
        self._stalled = request is None
        return request

    def _open_bag(self, number: int, request: Request) -> Bag:
        candidate = request.candidate
        learner = learner_for(candidate.family)
        self._runtime.store.put_learner(candidate.family, learner)
        learner.require(self._problem.shape)
        limits = learner.limits(self._problem.shape, candidate.params)
        learner.refit_rounds(1, 1.0)  # one that cannot tell must fail here, not when all is fitted
        if request.max_rounds is not None:
            limits = limits._replace(max_rounds=min(limits.max_rounds, request.max_rounds))
        setups = []
        for fold in range(self._problem.folds.usable_folds(request.n_folds)):
            seed = derive_seed(self._runtime.seed, "fold fit", candidate.key, fold)
            settings = FitSettings(seed, self._runtime.threads, limits.max_rounds, limits.patience)
            key = fold_key(self._runtime.identity, fold, candidate, learner, settings=settings)
            setups.append(FoldSetup(key, seed, request.bar if fold == 0 else None))
        found = {fold: self._runtime.store.lookup(one.key, one.bar) for fold, one in enumerate(setups)}
        fits = {fold: fit for fold, fit in found.items() if fit is not None}
        for fit in fits.values():
            self._runtime.observations.kept(fit.folder)
        if not all(self._runtime.store.made(fit) for fit in fits.values()):
            self._runtime.take_up()
        if len(fits) < len(setups):
            self._runtime.memory.require(candidate, self._workers)
        return Bag(number, request, limits, tuple(setups), fits)

    def _submit(self) -> None:
        """Hand jobs to free workers: predictions first, then fits in the order of the requests."""
        if self._time.stopped:
            for bag in list(self._bags):
                bag.cut_here()
                self._advance(bag)
        for bag in list(self._bags):
            self._submit_predictions(bag)
        for bag in list(self._bags):
            while bag.waiting and self._workers.free and not self._must_wait(bag):
                self._submit_fit(bag)
            self._advance(bag)
            self._submit_predictions(bag)

    def _must_wait(self, bag: Bag, *, predicts: bool = False) -> bool:
        """Whether the bag's next job would not fit into memory beside those that run now."""
        return self._runtime.memory.must_wait(bag.request.candidate, self._workers, predicts=predicts)

    def _submit_fit(self, bag: Bag) -> None:
        # Encoding takes time: it is asked for before whether there is enough, and afterwards what is left.
        encoding = self._runtime.encoding_seconds(bag.request.candidate.recipe)
        if self._time.fit_allowance(bag, self._bags, encoding) is None:
            bag.cut_here()
            return
        matrix = self._matrix(bag)
        if matrix is None:
            return
        allowance = self._time.fit_allowance(bag, self._bags)
        if allowance is None:
            bag.cut_here()
            return
        fold = bag.waiting.popleft()
        self._start(self._fit_job(bag, fold, matrix, allowance), _Work(bag, fold, allowance))

    def _matrix(self, bag: Bag) -> EncodedMatrix | None:
        """Return the candidate's matrix; None if it cannot be made, which fails the candidate."""
        try:
            return self._runtime.matrix(bag.request.candidate.recipe)
        except Exception as error:  # noqa: BLE001 - a recipe may fail in any way; it costs this candidate only
            self._fail(bag, reason_of(error))
            return None

    def _fit_job(self, bag: Bag, fold: int, matrix: EncodedMatrix, allowance: Allowance) -> FitJob:
        store, candidate, setup = self._runtime.store, bag.request.candidate, bag.setups[fold]
        return FitJob(
            candidate,
            fold,
            matrix.path,
            self._runtime.data,
            replace(self._runtime.fit_context(matrix, setup.seed, bag.limits), bar=setup.bar),
            scratch=store.new_scratch(),
            folder=store.fits / setup.key,
            seconds=allowance.seconds,
            durable=store.durable,
        )

    def _submit_predictions(self, bag: Bag) -> None:
        while bag.to_predict and self._workers.free and not self._must_wait(bag, predicts=True):
            # A candidate whose fits were all in the store has no matrix in this run yet.
            encoding = self._runtime.encoding_seconds(bag.request.candidate.recipe)
            if self._time.prediction_allowance(encoding) is None:
                self._predict_no_more(bag)
                return
            matrix = self._matrix(bag)
            if matrix is None:
                return
            allowance = self._time.prediction_allowance()
            if allowance is None:
                self._predict_no_more(bag)
                return
            fold = bag.to_predict.popleft()
            self._start(self._predict_job(bag, fold, matrix), _Work(bag, fold, allowance))

    def _predict_no_more(self, bag: Bag) -> None:
        bag.to_predict.clear()
        self._advance(bag)

    def _predict_job(self, bag: Bag, fold: int, matrix: EncodedMatrix) -> PredictJob:
        return PredictJob(
            bag.request.candidate,
            fold,
            matrix.path,
            self._runtime.data,
            bag.fits[fold].folder,
            bag.rounds[fold],
            self._problem.shape.n_outputs,
            durable=self._runtime.store.durable,
        )

    def _start(self, job: FitJob | PredictJob, work: _Work) -> None:
        bag, fits = work.bag, isinstance(job, FitJob)
        bag.running.add(work.fold)

        def should_stop() -> bool:
            over = self._time.stopped if fits else self._time.last_predictions_over
            return bag.dropped(work.fold) or over

        ticket = self._workers.submit(job, hard_limit=work.allowance.hard, should_stop=should_stop)
        self._work[ticket] = work
        part = f"fold {work.fold}" if fits else f"predicting fold {work.fold}"
        self._runtime.tracker.started(ticket, bag.request.candidate.name, part)

    def _absorb(self, finished: Finished) -> None:
        """Take in what a job came to."""
        work = self._work.pop(finished.ticket)
        bag, fold, result = work.bag, work.fold, finished.result
        bag.running.discard(fold)
        self._runtime.ended(bag.request.candidate, finished)
        match result:
            case FitReport():
                self._keep(bag, fold, result)
            case PredictReport(seconds=seconds):
                self._keep_predictions(bag, fold, seconds)
            case _ if bag.dropped(fold):
                pass
            case Lost(killed=True) if work.allowance.by_budget or self._time.stopped:
                bag.cut_here()
            case Lost(reason=reason, seconds=seconds):
                self._lose(bag, Failure(bag.request.candidate, fold, reason, seconds), fold)
            case JobFailure(reason=reason, seconds=seconds, detail=detail):
                self._lose(bag, Failure(bag.request.candidate, fold, reason, seconds), fold, detail)
        self._advance(bag)

    def _keep(self, bag: Bag, fold: int, report: FitReport) -> None:
        fit = FoldFit(
            bag.setups[fold].key_of(given_up=report.given_up),
            fold,
            report.folder,
            report.curve,
            report.seconds,
            report.memory_mb,
            report.complete,
            report.given_up,
        )
        bag.keep(fit)
        expect_to_load(bag.request.candidate.family)
        self._runtime.keep(fit, bag.request.candidate, report.digest)

    def _keep_predictions(self, bag: Bag, fold: int, seconds: float) -> None:
        bag.prediction_seconds += seconds
        candidate, fit_seconds = bag.request.candidate, bag.fits[fold].seconds
        self._time.measured(candidate.family, fit_seconds=fit_seconds, prediction_seconds=seconds)
        if not bag.take_predictions(fold, self._problem) and not bag.dropped(fold):
            reason = "its held-out predictions cannot be read back from the run folder"
            self._lose(bag, Failure(candidate, fold, reason, seconds), fold)

    def _lose(self, bag: Bag, failure: Failure, fold: int, detail: str = "") -> None:
        """Go on with the folds before one that failed: they are as good as ever."""
        self._record(failure, detail)
        bag.lose(failure, fold)

    def _advance(self, bag: Bag) -> None:
        """Take a bag one step further if all it waited for is there."""
        if bag not in self._bags:
            return
        if not bag.rounds and bag.fitted:
            bag.choose_rounds(self._problem, self._weights)
        if bag.fitted and not bag.to_predict:
            self._bags.remove(bag)
            result = bag.result(self._problem, self._weights)
            if isinstance(result, Failure) and not bag.lost:
                self._record(result)
            self._settle(bag.number, result)
            if isinstance(result, CrossFit):
                self._settle_lost(bag)

    def _fail(self, bag: Bag, reason: str) -> None:
        """Give a candidate up as a whole."""
        if bag in self._bags:
            bag.failed = True
            bag.cut_here()
            bag.to_predict.clear()
            self._bags.remove(bag)
            failure = Failure(bag.request.candidate, None, reason, bag.seconds)
            self._record(failure)
            self._settle(bag.number, failure)
            self._settle_lost(bag)

    def _settle_lost(self, bag: Bag) -> None:
        """Report the first lost fold; which of the later ones were still tried is a matter of chance."""
        if bag.lost:
            self._settle(bag.number, bag.lost[min(bag.lost)])

    def _record(self, failure: Failure, detail: str = "") -> None:
        self._runtime.failed(failure, detail)

    def _settle(self, number: int, result: CrossFit | Failure) -> None:
        self._settled[number] = (*self._settled.get(number, ()), result)
        request, asked = self._asked[number]
        outcome = RequestOutcome.of(result, request, self._problem)
        self._runtime.store.put_result(asked, outcome)
        self._runtime.tracker.settled(result)
        made = self._runtime.store.made
        kept = isinstance(result, CrossFit) and not any(made(fit) for fit in result.folds)
        words = _in_words(result, outcome.score, self._problem)
        self._runtime.emit("fit", f"{words} (kept)" if kept else words)


def _held_out_weights(problem: Problem) -> list[float]:
    if problem.weight is None:
        return [float(len(fold.held_out)) for fold in problem.folds.folds]
    return [float(problem.weight[fold.held_out].sum()) for fold in problem.folds.folds]


def _in_words(result: CrossFit | Failure, score: float | None, problem: Problem) -> str:
    name = result.candidate.name
    if isinstance(result, Failure):
        where = "" if result.fold is None else f" on fold {result.fold}"
        return f"{name} failed{where}: {result.reason}"
    folds = f"{result.folds_per_repeat} fold{'s' * (result.folds_per_repeat > 1)}"
    if result.n_repeats > 1:
        folds = f"{result.n_repeats} repeats of {folds}"
    left = f"; left early, {result.pruned}" if result.pruned else ""
    return f"{name}: {problem.task.metric} {score:.4g} on {folds}, {result.seconds:.1f} s{left}"
