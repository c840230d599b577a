"""An ordered portfolio of candidates to start from."""

from collections.abc import Mapping
from difflib import get_close_matches

from tabular_automl.core.candidate import Candidate, Origin, Value, freeze_params
from tabular_automl.core.errors import InputError, UnsupportedProblemError
from tabular_automl.core.options import Options
from tabular_automl.core.problem import Problem, ProblemShape
from tabular_automl.learners import FAMILIES, learner_for

# LightGBM's part of AutoGluon's learned zero-shot portfolio of 2025 (facts, not code), in its order and under
# its names. Its learning rates (0.005 to 0.1) are replaced by our default: they suit hours, not minutes.
_LIGHTGBM_COLUMNS = (
    "num_leaves",
    "feature_fraction",
    "bagging_fraction",
    "min_data_in_leaf",
    "extra_trees",
    "lambda_l1",
    "lambda_l2",
    "cat_l2",
    "cat_smooth",
    "max_cat_to_onehot",
    "min_data_per_group",
)
_LIGHTGBM_ROWS: tuple[tuple[str, tuple[Value, ...]], ...] = (
    ("r177", (39, 0.462, 0.877, 3, True, 0.238, 0.355, 0.342, 15.4, 16, 9)),
    ("r163", (84, 0.528, 0.978, 3, False, 0.0269, 0.838, 0.155, 0.00931, 42, 75)),
    ("r72", (180, 0.404, 0.95, 12, True, 0.766, 1.6, 0.216, 0.0638, 11, 3)),
    ("r120", (5, 0.733, 0.854, 12, True, 0.241, 0.298, 0.011, 5.09, 67, 93)),
    ("r6", (8, 0.94, 0.815, 24, False, 0.437, 0.3, 0.00584, 0.0289, 28, 3)),
    ("r184", (2, 0.588, 0.841, 17, False, 0.0789, 0.771, 0.928, 0.0898, 16, 11)),
    ("r46", (14, 0.859, 0.999, 1, False, 0.0414, 0.226, 0.00769, 89.5, 11, 26)),
    ("r68", (111, 0.955, 0.72, 3, False, 0.107, 0.597, 0.937, 11.1, 8, 8)),
    ("r47", (55, 0.616, 0.883, 1, True, 0.175, 0.876, 0.14, 3.35, 84, 21)),
    ("r63", (24, 0.49, 0.78, 1, False, 0.642, 0.581, 0.00714, 0.134, 38, 83)),
    ("r39", (23, 0.782, 0.704, 13, True, 0.37, 0.0341, 0.0135, 56.5, 13, 4)),
    ("r18", (5, 0.503, 0.704, 5, True, 0.103, 1.26, 0.114, 41.9, 29, 74)),
    ("r50", (106, 0.929, 0.967, 4, True, 0.0449, 1.73, 1.77, 0.00977, 11, 2)),
    ("r104", (19, 0.661, 0.933, 18, False, 0.557, 1.27, 0.00676, 29.2, 42, 6)),
)

PRIOR = "prior"


def static_portfolio(problem: Problem, options: Options) -> tuple[Candidate, ...]:
    """Return what to try, in order: the prior, the user's own, each family's default, then variants.

    Raises
    ------
    InputError
        If a family is unknown or none of the named families can solve this task.
    """
    families = _allowed_families(options)
    shape = problem.shape
    wanted = [
        *_users(options, shape),
        *(default_candidate(family, shape) for family in families if _solves(family, shape)),
    ]
    if "lightgbm" in families:
        wanted += _lightgbm_variants(shape)
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


def _lightgbm_variants(shape: ProblemShape) -> list[Candidate]:
    """Return the rows above as changes of the defaults; category settings only where there are categories."""
    known = {parameter.name for parameter in learner_for("lightgbm").space(shape).parameters}
    variants = []
    for label, row in _LIGHTGBM_ROWS:
        changes = dict(zip(_LIGHTGBM_COLUMNS, row, strict=True))
        changes = {name: value for name, value in changes.items() if name in known}
        variants.append(_candidate("lightgbm", shape, changes, Origin.PORTFOLIO, label=label))
    return variants
