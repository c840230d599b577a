"""The entry point: parse, run one command, turn errors into one line and an exit code."""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress

from tabular_automl.cli.parser import build_parser
from tabular_automl.cli.show import warn
from tabular_automl.core.errors import (
    ArtifactError,
    InputError,
    ReaderGoneError,
    TabularAutoMLError,
    UnprintedError,
)
from tabular_automl.core.standard_descriptors import fill_standard_descriptors

OK = 0
FAILED = 1
BAD_INPUT = 2
DAMAGED_MODEL = 3
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``tabular-automl`` and return its exit code.

    0: done, with a warning where the file is written but not what there is to say of it; 1: failed on good
    input (nothing could be fitted, a full disk, a run folder in use, an error of this program); 2: bad usage
    or bad input; 3: a damaged model; 130: interrupted (Ctrl-C). Errors go to stderr as one message.
    """
    fill_standard_descriptors()
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help(sys.stderr)
        return BAD_INPUT
    try:
        _command(options.command)(options)
    except KeyboardInterrupt:
        return _fail("Interrupted.", INTERRUPTED, options)
    except ReaderGoneError:  # as `| head` does
        _leave_stdout()
    except UnprintedError as error:
        _leave_stdout()
        if options.out is None:
            return _fail(f"{error} Write to a file instead: --out FILE.", FAILED, options)
        warn(f"tabular-automl: warning: {error} All the same, '{options.out}' is written.")
    except TabularAutoMLError as error:
        return _fail(str(error), _exit_code(error), options)
    except Exception as error:  # noqa: BLE001 (the command line's edge)
        hint = " Run again with --traceback for the details." if not options.traceback else ""
        return _fail(f"{type(error).__name__}: {error}{hint}", FAILED, options)
    return OK


def _command(name: str) -> Callable[[argparse.Namespace], None]:
    """Return a command; each loads what it needs when it is run, so that ``--help`` is quick."""
    if name == "fit":
        from tabular_automl.cli.fit import fit_command

        return fit_command
    if name == "score":
        from tabular_automl.cli.score import score_command

        return score_command
    if name == "history":
        from tabular_automl.cli.history import history_command

        return history_command
    from tabular_automl.cli.report import report_command

    return report_command


def _exit_code(error: TabularAutoMLError) -> int:
    if isinstance(error, ArtifactError):
        return DAMAGED_MODEL
    return BAD_INPUT if isinstance(error, InputError) else FAILED


def _leave_stdout() -> None:
    """Keep Python from complaining at exit of what could not be printed."""
    with suppress(AttributeError, OSError, ValueError):  # it may be gone altogether
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int, options: argparse.Namespace) -> int:
    if options.traceback:
        warn(traceback.format_exc().rstrip())
    warn(f"tabular-automl: error: {message}")
    return code
