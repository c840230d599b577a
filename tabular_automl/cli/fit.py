"""``tabular-automl fit``: from a file to a saved model."""

import argparse

from tabular_automl.artifact import check_destination
from tabular_automl.automl import Model, fit
from tabular_automl.cli.search_arguments import read_search
from tabular_automl.cli.show import show, warn
from tabular_automl.core.schema import Finding
from tabular_automl.crossfit import first_ctrl_c


def fit_command(options: argparse.Namespace) -> None:
    """Fit, save, print what came out."""
    # Before hours are spent: can the model be saved there?
    target = check_destination(options.out, overwrite=options.overwrite, run_dir=options.run_dir)
    model = fit(
        options.train,
        options.target,
        task=options.task,
        metric=options.metric,
        time_limit=options.time_limit,
        max_candidates=options.max_candidates,
        n_jobs=options.n_jobs,
        seed=options.seed,
        weight=options.weight,
        groups=options.groups,
        time_column=options.time_column,
        splitter=options.folds,
        candidates=options.candidate,
        families=options.families,
        search=read_search(options),
        run_dir=options.run_dir,
        progress=not options.quiet,
        strict=options.strict,
        missing_target=options.missing_target,
    )
    # Saved first, so that nothing that goes wrong while printing costs the model; nor does one Ctrl-C.
    with first_ctrl_c(_go_on):
        model.save(target, overwrite=options.overwrite)
    if not options.quiet:
        # Said before the fit as well; by now those lines may have scrolled away.
        _print_warnings(model.run.findings)
    _print_result(model)
    show(f"\nSaved to {options.out}. Next: tabular-automl score {options.out} NEW_ROWS --out predictions.csv")


def _go_on() -> None:
    warn("tabular-automl: The model is being saved; Ctrl-C again to stop.")


def _print_warnings(findings: tuple[Finding, ...]) -> None:
    for finding in findings:
        if finding.must_be_heard:
            warn(f"tabular-automl: {finding.announcement}")


def _print_result(model: Model) -> None:
    board = model.leaderboard()
    # A dash where there is none; pandas would say <NA>, or NaN.
    show(board.astype(object).where(board.notna(), "-").to_string(index=False))
    show(f"\nExpected score on new rows: {model.score_}")
    if model.run.settings["interrupted"]:
        show("Stopped by Ctrl-C: this is the best until then.")
