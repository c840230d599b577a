"""The points of a grid over a space, shuffled, without ever listing all of them."""

import math
from collections.abc import Iterator, Mapping, Sequence

from tabular_automl.core.candidate import Params, Value
from tabular_automl.core.seeds import derive_rng
from tabular_automl.learners import Space

# Points of a range: its ends and its middle.
POINTS = 3
# Of a grid with more points so many are drawn; no run gets that far.
MOST_POINTS = 10_000


def grid(space: Space, seed: int, family: str) -> Iterator[Params]:
    """Yield each point once: `POINTS` values of a range, all options of a choice, in an order by the seed.

    Optuna's own grid sampler is not used: it lists the product of all parameters before it begins (3^13 for
    a family of 13), knows no conditions, and with ask-and-tell ends the last trial with an error.
    """
    points = {parameter.name: parameter.points(POINTS) for parameter in space.parameters}
    n_points = min(math.prod(map(len, points.values())), 2**62)
    rng = derive_rng(seed, "grid", family)
    seen: set[Params] = set()
    for number in rng.choice(n_points, size=min(n_points, MOST_POINTS), replace=False):
        point = _point(int(number), points, space)
        # Points that differ in what is not active are one.
        if point not in seen:
            seen.add(point)
            yield point


def _point(number: int, points: Mapping[str, Sequence[Value]], space: Space) -> Params:
    values = {}
    for name, of_parameter in points.items():
        number, place = divmod(number, len(of_parameter))
        values[name] = of_parameter[place]
    return space.filled(lambda parameter: values[parameter.name])
