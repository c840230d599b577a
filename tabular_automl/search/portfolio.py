"""An ordered portfolio of candidates to start from."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from tabular_automl.core.candidate import Candidate, Origin, freeze_params
from tabular_automl.core.did_you_mean import did_you_mean
from tabular_automl.core.errors import InputError, UnsupportedProblemError
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem, ProblemShape
from tabular_automl.core.search import Search
from tabular_automl.learners import FAMILIES, Choice, learner_for
from tabular_automl.search.family_space import FamilySpace
from tabular_automl.search.portfolio_rows import PORTFOLIO_ROWS, PortfolioRow
from tabular_automl.search.try_hooks import try_hooks

PRIOR = "prior"
AS_SHIPPED = Search()

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
    (`PORTFOLIO_ROWS`), those last whose trees are too large or too small for so many rows. Both are drawn
    into the spaces of ``options.search``; a family has no more of them than it says, and no variants if it
    leaves the portfolio out.

    Raises
    ------
    InputError
        If a family is unknown, fails when it is asked what it is, none of the allowed families can solve this
        task, or what is said of a family's space or of a candidate's hyperparameters does not suit it.
    """
    search, shape = options.search, problem.shape
    allowed = allowed_families(options)
    own = _users(options, shape)
    families = [family for family in _named(options) if _solves(family, shape)]
    for family in search.spaces:  # those that are not fitted, too: who names them next meets no other error
        if _solves(family, shape):
            FamilySpace.of(family, shape, search)
    defaults = [default_candidate(family, shape, search) for family in _in_order(families, shape)]
    wanted = [*own, *defaults, *_variants(families, shape, search)]
    if not wanted and problem.table.columns:
        raise InputError(f"None of the families {', '.join(allowed)} can solve a {shape.task} task.")
    distinct: dict[str, Candidate] = {}
    for candidate in (default_candidate(PRIOR, shape), *wanted):
        distinct.setdefault(candidate.key, candidate)
    return tuple(_within_bounds(distinct.values(), search))


def allowed_families(options: Options) -> tuple[str, ...]:
    """Return the families that may be fitted, those of the user's own candidates among them.

    Nothing is imported for it.

    Raises
    ------
    InputError
        If nothing is left, or a candidate is of a family that is forbidden.
    """
    forbidden = options.search.without
    for number, (family, _) in enumerate(options.candidates, start=1):
        if family in forbidden:
            raise InputError(
                f"Candidate {number} is of family {family!r}, which search.without forbids. Leave out one of "
                "the two."
            )
    families = tuple(dict.fromkeys([*_named(options), *(family for family, _ in options.candidates)]))
    if not families:
        raise InputError(
            f"search.without forbids {', '.join(forbidden)}, so that no family is left to fit. Allow one."
        )
    return families


def check_families(options: Options) -> None:
    """Refuse families that don't exist; it needs no data, so it comes before anything else.

    Raises
    ------
    InputError
        If a family, or that of a candidate, is unknown, forbidden or cannot be imported.
    """
    for family in allowed_families(options):
        learner_for(family)


def _users(options: Options, shape: ProblemShape) -> list[Candidate]:
    """Build the caller's own candidates; what can't be fitted is an error, not silently another."""
    wanted = []
    for number, (family, changes) in enumerate(options.candidates, start=1):
        try:
            try_hooks(family, shape)
        except UnsupportedProblemError as error:
            raise InputError(f"Candidate {number} ({family}) cannot be fitted: {error}") from error
        space = FamilySpace.of(family, shape, options.search)
        known = {parameter.name for parameter in space.shipped.parameters} | set(space.defaults)
        for name in changes:
            if name not in known:
                hint = did_you_mean(name, known)
                raise InputError(
                    f"Candidate {number} ({family}) has no hyperparameter {name!r}.{hint} "
                    f"It has: {', '.join(sorted(known))}."
                )
        try:
            suited = space.shipped.suited(changes)
        except InputError as error:
            raise InputError(f"Candidate {number} ({family}): {error}") from error
        params = freeze_params({**dict(space.drawn({})), **suited})
        try_hooks(family, shape, params)
        wanted.append(space.candidate(params, Origin.USER, label=f"user {number}"))
    return wanted


def _solves(family: str, shape: ProblemShape) -> bool:
    try:
        try_hooks(family, shape)
    except UnsupportedProblemError:
        return False
    return True


def default_candidate(family: str, shape: ProblemShape, search: Search = AS_SHIPPED) -> Candidate:
    """Return a family's default candidate for a table of this shape, drawn into the user's space."""
    space = FamilySpace.of(family, shape, search)
    return space.candidate(space.drawn({}), Origin.DEFAULT, label="default")


def _named(options: Options) -> tuple[str, ...]:
    """Return the named families, or all, without those that are forbidden."""
    known = tuple(family for family in FAMILIES if family != PRIOR)
    families = known if options.families is None else tuple(options.families)
    for family in (*families, *options.search.named_families):
        if family not in known and ":" not in family:
            hint = did_you_mean(family, known)
            raise InputError(
                f"There is no learner family {family!r}.{hint} Known families: {', '.join(known)}."
            )
    return tuple(family for family in families if family not in options.search.without)


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


def _variants(families: Sequence[str], shape: ProblemShape, search: Search) -> list[Candidate]:
    """Return the portfolio's rows as changes of the defaults, within what a family may have on this shape."""
    spaces = {family: FamilySpace.of(family, shape, search) for family in families}
    rows = [row for row in PORTFOLIO_ROWS if row.family in spaces] if search.portfolio else []
    variants = []
    for row in sorted(rows, key=lambda row: (not _suits(row, shape), row.place)):
        space = spaces[row.family]
        _check_row(row, space)
        variants.append(space.candidate(space.drawn(row.changes), Origin.PORTFOLIO, label=row.label))
    return variants


def _check_row(row: PortfolioRow, space: FamilySpace) -> None:
    for parameter in space.shipped.parameters:
        value = row.changes.get(parameter.name)
        if value is not None and isinstance(parameter, Choice) and not parameter.contains(value):
            raise ValueError(
                f"{value!r} is not a value of hyperparameter {parameter.name!r}; correct the row."
            )


def _within_bounds(candidates: Collection[Candidate], search: Search) -> Iterator[Candidate]:
    """Leave out the last of a family that has more than it may; the user's own count, and stay."""
    sizes = Counter(candidate.family for candidate in candidates if candidate.origin is Origin.USER)
    for candidate in candidates:
        if candidate.origin is not Origin.USER:
            sizes[candidate.family] += 1
            if sizes[candidate.family] > search.bound(candidate.family):
                continue
        yield candidate


def _suits(row: PortfolioRow, shape: ProblemShape) -> bool:
    if shape.n_rows <= ROWS_FOR_LARGE_TREES:
        return row.leaves <= LARGE_TREE
    return shape.n_rows <= ROWS_FOR_SMALL_TREES or not 0 < row.leaves < SMALL_TREE
