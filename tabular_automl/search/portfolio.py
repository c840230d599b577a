"""An ordered portfolio of candidates to start from."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from tabular_automl.core.candidate import Candidate, Origin, Value, freeze_params
from tabular_automl.core.errors import InputError, UnsupportedProblemError
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem, ProblemShape
from tabular_automl.learners import FAMILIES, Choice, Parameter, learner_for
from tabular_automl.search.portfolio_rows import PORTFOLIO_ROWS, PortfolioRow

PRIOR = "prior"

# Who goes first: LightGBM everywhere, being quick and rarely far behind; then what is strong on so many rows.
FEW_ROWS, MANY_ROWS = 1_000, 10_000
_ON_FEW_ROWS = ("lightgbm", "linear", "catboost", "extra_trees", "xgboost", "random_forest")
_IN_BETWEEN = ("lightgbm", "catboost", "xgboost", "extra_trees", "linear", "random_forest")
# Averages of many random cuts follow smooth targets better than steps of classes.
_IN_BETWEEN_REGRESSION = ("lightgbm", "catboost", "extra_trees", "xgboost", "linear", "random_forest")
_ON_MANY_ROWS = ("lightgbm", "catboost", "xgboost", "linear", "extra_trees", "random_forest")
# Trees of more leaves on so few rows, or of fewer on so many, come after all others.
LARGE_TREE, ROWS_FOR_LARGE_TREES = 64, 2_000
SMALL_TREE, ROWS_FOR_SMALL_TREES = 16, 20_000


def static_portfolio(problem: Problem, options: Options) -> tuple[Candidate, ...]:
    """Return what to try, in order: the prior, the user's own, each family's default, then variants.

    Defaults come in an order by task and size, variants in that of the learned portfolios of others
    (`PORTFOLIO_ROWS`), those last whose trees are too large or too small for so many rows.

    Raises
    ------
    InputError
        If a family is unknown or none of the named families can solve this task.
    """
    families = _allowed_families(options)
    shape = problem.shape
    wanted = [
        *_users(options, shape),
        *(default_candidate(f, shape) for f in _in_order(families, shape) if _solves(f, shape)),
        *_variants(families, shape),
    ]
    solving = [c for c in wanted if _solves(c.family, shape)]
    if not solving and problem.table.columns:
        raise InputError(f"None of the families {', '.join(families)} can solve a {shape.task} task.")
    distinct: dict[str, Candidate] = {}
    for candidate in (default_candidate(PRIOR, shape), *solving):
        distinct.setdefault(candidate.key, candidate)
    return tuple(distinct.values())


def check_families(options: Options) -> None:
    """Refuse families that don't exist; it needs no data, so it comes before anything else.

    Raises
    ------
    InputError
        If a family, or that of a candidate, is unknown or cannot be imported.
    """
    for family in _allowed_families(options):
        learner_for(family)
    for family, _ in options.candidates:
        learner_for(family)


def _users(options: Options, shape: ProblemShape) -> list[Candidate]:
    """Build the caller's own candidates; what can't be fitted is an error, not silently another."""
    wanted = []
    for number, (family, changes) in enumerate(options.candidates, start=1):
        learner = learner_for(family)
        try:
            learner.require(shape)
        except UnsupportedProblemError as error:
            raise InputError(f"Candidate {number} ({family}) cannot be fitted: {error}") from error
        known = {parameter.name for parameter in learner.space(shape).parameters} | set(
            dict(learner.defaults(shape))
        )
        for name in changes:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise InputError(
                    f"Candidate {number} ({family}) has no hyperparameter {name!r}.{hint} "
                    f"It has: {', '.join(sorted(known))}."
                )
        wanted.append(_candidate(family, shape, changes, Origin.USER, label=f"user {number}"))
    return wanted


def _solves(family: str, shape: ProblemShape) -> bool:
    try:
        learner_for(family).require(shape)
    except UnsupportedProblemError:
        return False
    return True


def default_candidate(family: str, shape: ProblemShape) -> Candidate:
    """Return a family's default candidate for a table of this shape."""
    return _candidate(family, shape, {}, Origin.DEFAULT, label="default")


def _candidate(
    family: str, shape: ProblemShape, changes: Mapping[str, Value], origin: Origin, *, label: str
) -> Candidate:
    learner = learner_for(family)
    params = freeze_params({**dict(learner.defaults(shape)), **changes})
    return Candidate(family, params, learner.recipe(params), origin, label=label)


def _allowed_families(options: Options) -> tuple[str, ...]:
    known = tuple(family for family in FAMILIES if family != PRIOR)
    if options.families is None:
        return known
    for family in options.families:
        if family not in known and ":" not in family:
            raise InputError(f"There is no learner family {family!r}. Known families: {', '.join(known)}.")
    return tuple(options.families)


def _in_order(families: Sequence[str], shape: ProblemShape) -> list[str]:
    """Return the families in the order in which they are tried; those of the caller's own come first."""
    if shape.n_rows <= FEW_ROWS:
        order = _ON_FEW_ROWS
    elif shape.n_rows <= MANY_ROWS:
        order = _IN_BETWEEN if shape.task.is_classification else _IN_BETWEEN_REGRESSION
    else:
        order = _ON_MANY_ROWS
    places = {family: place for place, family in enumerate(order)}
    return sorted(families, key=lambda family: places.get(family, -1))


def _variants(families: Sequence[str], shape: ProblemShape) -> list[Candidate]:
    """Return the portfolio's rows as changes of the defaults, within what a family knows on this shape."""
    rows = [row for row in PORTFOLIO_ROWS if row.family in families]
    variants = []
    for row in sorted(rows, key=lambda row: (not _suits(row, shape), row.place)):
        known = learner_for(row.family).space(shape).parameters
        changes = {p.name: _nearest(p, row.changes[p.name]) for p in known if p.name in row.changes}
        variants.append(_candidate(row.family, shape, changes, Origin.PORTFOLIO, label=row.label))
    return variants


def _nearest(parameter: Parameter, value: Value) -> Value:
    """Return the value, or the end of the parameter's range that is next to it.

    Raises
    ------
    ValueError
        If the value is none of the options of a choice.
    """
    if parameter.contains(value):
        return value
    if isinstance(parameter, Choice) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a value of hyperparameter {parameter.name!r}; correct the row.")
    return min(max(value, parameter.low), parameter.high)


def _suits(row: PortfolioRow, shape: ProblemShape) -> bool:
    if shape.n_rows <= ROWS_FOR_LARGE_TREES:
        return row.leaves <= LARGE_TREE
    return shape.n_rows <= ROWS_FOR_SMALL_TREES or not 0 < row.leaves < SMALL_TREE
