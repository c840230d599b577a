"""What a display says, in plain words; text from data is made safe to be shown."""

import math

from tabular_automl.core.progress import Best, Event, Status

# So many of the running fits are named; the others are counted.
MOST_NAMED = 4
_STAGES = {
    "ingest": "scoring simple baselines",
    "baselines": "fitting candidates",
    "fit": "fitting candidates",
    "weigh": "weighing the ensemble",
    "done": "done",
}


def event_line(event: Event) -> str:
    """Return an event as one line.

    >>> event_line(Event("fit", "linear/default: rmse 4.2", 3.14))
    '[   3.1 s] linear/default: rmse 4.2'
    """
    return f"[{event.elapsed:6.1f} s] {printable(event.message)}"


def heading(status: Status) -> str:
    """Return what the run is at; an event names the stage it ended in.

    >>> heading(Status("baselines", 0.2))
    'fitting candidates'
    """
    if status.cancelled and status.stage != "done":
        return "stopping as asked, with the best so far"
    return _STAGES.get(status.stage, status.stage)


def may_be_stopped(status: Status) -> bool:
    """Return whether a person may still ask for the best so far."""
    return not status.cancelled and status.stage != "done"


def facts(status: Status) -> tuple[tuple[str, str], ...]:
    """Return what a person wants to know, as pairs of a label and a text.

    The gain over the best baseline is told as the share of the way to a perfect score, which means the same
    for scores and for losses.

    >>> facts(Status("fit", 18.4, limit=60, done=3, failed=1))[:2]
    (('time', '0:41 left of 1:00'), ('candidates', '3 done, 1 failed'))
    """
    best = status.best
    told = (
        ("time", _time(status)),
        ("candidates", _candidates(status)),
        ("best so far", "none" if best is None else _score(best)),
        ("gain", "" if best is None else _gain(best)),
        ("running", _running(status)),
        ("expected", status.expected),
    )
    return tuple((label, text) for label, text in told if text)


def closing_line(status: Status) -> str:
    """Return what to remember of a run that is over.

    Once it is known what to expect on new rows, the better figure on the rows that chose the best is not told
    beside it.

    >>> best = Best("ensemble of 3", "rmse", 2.5, gain=0.4, baseline="zero rule")
    >>> closing_line(Status("done", 58.91, done=12, best=best, expected="rmse 2.6 (95% interval 2.4 to 2.9)"))
    'Done in 58.9 s: 12 candidates; expected on new rows: rmse 2.6 (95% interval 2.4 to 2.9).'
    """
    begin = "Done in" if status.stage == "done" else "Ended early, after"
    candidates = f"{status.done} candidate{'s' * (status.done != 1)}{_not_done(status)}"
    parts = [f"{begin} {status.elapsed:.1f} s: {candidates}"]
    if status.expected:
        parts.append(f"expected on new rows: {status.expected}")
    elif status.best is not None:
        told = ", ".join(part for part in (_score(status.best), _gain(status.best)) if part)
        parts.append(f"best so far {told}")
    return f"{'; '.join(parts)}."


def printable(text: str) -> str:
    r"""Return a text in one line, in which nothing commands a terminal.

    >>> printable("a\x1b[2Jb\nc")
    'a\\x1b[2Jb\\nc'
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text
    )


def _time(status: Status) -> str:
    if status.limit is None or status.seconds_left is None:
        return f"{_clock(status.elapsed)} so far"
    return f"{_clock(status.seconds_left)} left of {_clock(status.limit)}"


def _candidates(status: Status) -> str:
    done = f"{status.done} done{_not_done(status)}"
    left = status.candidates_left
    return done if left is None else f"{done}, {left} of {status.max_candidates} left"


def _not_done(status: Status) -> str:
    counts = ((status.failed, "failed"), (status.pruned, "pruned"))
    return "".join(f", {number} {word}" for number, word in counts if number)


def _score(best: Best) -> str:
    """Return a score as what it is: of several, the best one on these rows looks better than it is."""
    return f"{best.metric} {best.score:.4g} on the rows that chose it ({printable(best.name)})"


def _gain(best: Best) -> str:
    if best.gain is None:
        return ""
    how = "closer to" if best.gain >= 0 else "further from"
    return f"{abs(best.gain):.0%} {how} perfect than {printable(best.baseline)}"


def _running(status: Status) -> str:
    if not status.running:
        nothing_yet = not (status.done or status.failed or status.pruned)
        return "no fit yet: workers start, data is prepared" if nothing_yet else "no fit"
    named = [
        f"{printable(one.name)} {one.part} ({math.floor(one.seconds)} s)"
        for one in status.running[:MOST_NAMED]
    ]
    number = len(status.running)
    more = f" and {number - len(named)} more" if number > len(named) else ""
    return f"{number} fit{'s' * (number > 1)}: {', '.join(named)}{more}"


def _clock(seconds: float) -> str:
    minutes, left = divmod(math.floor(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
