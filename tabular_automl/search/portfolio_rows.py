"""What others learned from many datasets to try, in which order: facts, as changes of our own defaults.

Learning rates are left out: those of the source (0.005 to 0.1) suit hours, ours suit minutes. A value beyond
what a family knows on so many rows is drawn to the nearer end of its range.
"""

from dataclasses import dataclass
from types import MappingProxyType

from tabular_automl.core.candidate import Value


@dataclass(frozen=True)
class PortfolioRow:
    """A row of a learned portfolio.

    Attributes
    ----------
    place
        Its place in the source's order over all families.
    family, label
        Learner family, and the name the source gives it.
    changes
        What differs from our defaults.
    leaves
        Leaves of its trees, by which it suits few or many rows.
    """

    place: int
    family: str
    label: str
    changes: MappingProxyType[str, Value]
    leaves: int


_COLUMNS = {
    "lightgbm": (
        "num_leaves", "feature_fraction", "bagging_fraction", "min_data_in_leaf", "extra_trees", "lambda_l1",
        "lambda_l2", "cat_l2", "cat_smooth", "max_cat_to_onehot", "min_data_per_group",
    ),
    "catboost": ("depth", "grow_policy", "l2_leaf_reg", "max_ctr_complexity", "one_hot_max_size"),
    "xgboost": ("max_depth", "colsample_bylevel", "min_child_weight", "max_cat_to_onehot"),
    "extra_trees": ("max_features", "min_samples_leaf"),
    "random_forest": ("max_features", "min_samples_leaf"),
}  # fmt: skip

# LightGBM: AutoGluon's learned zero-shot portfolio of 2025. The other families: that of 2023, learned on 200
# datasets (Salinas and Erickson, "TabRepo", AutoML 2024).
_ROWS: tuple[tuple[int, str, str, tuple[Value, ...]], ...] = (
    (1, "catboost", "r177", (6, "SymmetricTree", 2.15, 4, 10)),
    (3, "lightgbm", "r177", (39, 0.462, 0.877, 3, True, 0.238, 0.355, 0.342, 15.4, 16, 9)),
    (5, "catboost", "r9", (8, "Depthwise", 2.8, 2, 3)),
    (5, "lightgbm", "r163", (84, 0.528, 0.978, 3, False, 0.0269, 0.838, 0.155, 0.00931, 42, 75)),
    (8, "xgboost", "r33", (10, 0.603, 0.692, 100)),
    (8, "lightgbm", "r72", (180, 0.404, 0.95, 12, True, 0.766, 1.6, 0.216, 0.0638, 11, 3)),
    (9, "extra_trees", "r42", (0.75, 1)),
    (10, "catboost", "r137", (4, "SymmetricTree", 4.56, 3, 3)),
    (12, "catboost", "r13", (8, "SymmetricTree", 3.33, 5, 10)),
    (13, "lightgbm", "r120", (5, 0.733, 0.854, 12, True, 0.241, 0.298, 0.011, 5.09, 67, 93)),
    (13, "random_forest", "r195", (0.75, 1)),
    (16, "lightgbm", "r6", (8, 0.94, 0.815, 24, False, 0.437, 0.3, 0.00584, 0.0289, 28, 3)),
    (16, "xgboost", "r89", (5, 0.629, 0.663, 100)),
    (20, "catboost", "r50", (4, "Depthwise", 2.7, 1, 2)),
    (21, "lightgbm", "r184", (2, 0.588, 0.841, 17, False, 0.0789, 0.771, 0.928, 0.0898, 16, 11)),
    (22, "xgboost", "r194", (7, 0.804, 0.909, 8)),
    (23, "extra_trees", "r172", (1.0, 4)),
    (23, "lightgbm", "r46", (14, 0.859, 0.999, 1, False, 0.0414, 0.226, 0.00769, 89.5, 11, 26)),
    (24, "lightgbm", "r68", (111, 0.955, 0.72, 3, False, 0.107, 0.597, 0.937, 11.1, 8, 8)),
    (24, "catboost", "r69", (5, "SymmetricTree", 1.05, 5, 2)),
    (29, "lightgbm", "r47", (55, 0.616, 0.883, 1, True, 0.175, 0.876, 0.14, 3.35, 84, 21)),
    (29, "catboost", "r70", (6, "Depthwise", 1.36, 3, 2)),
    (31, "lightgbm", "r63", (24, 0.49, 0.78, 1, False, 0.642, 0.581, 0.00714, 0.134, 38, 83)),
    (32, "random_forest", "r39", (0.75, 2)),
    (33, "catboost", "r167", (7, "SymmetricTree", 4.52, 3, 2)),
    (36, "lightgbm", "r39", (23, 0.782, 0.704, 13, True, 0.37, 0.0341, 0.0135, 56.5, 13, 4)),
    (36, "xgboost", "r98", (9, 0.857, 0.517, 8)),
    (39, "catboost", "r86", (8, "SymmetricTree", 1.64, 3, 2)),
    (43, "lightgbm", "r18", (5, 0.503, 0.704, 5, True, 0.103, 1.26, 0.114, 41.9, 29, 74)),
    (43, "extra_trees", "r49", ("sqrt", 1)),
    (45, "lightgbm", "r50", (106, 0.929, 0.967, 4, True, 0.0449, 1.73, 1.77, 0.00977, 11, 2)),
    (45, "random_forest", "r127", (1.0, 5)),
    (48, "lightgbm", "r104", (19, 0.661, 0.933, 18, False, 0.557, 1.27, 0.00676, 29.2, 42, 6)),
    (57, "xgboost", "r49", (7, 0.556, 0.745, 100)),
    (62, "extra_trees", "r178", (0.75, 4)),
    (64, "xgboost", "r31", (4, 0.924, 0.751, 100)),
)  # fmt: skip


def _row(place: int, family: str, label: str, values: tuple[Value, ...]) -> PortfolioRow:
    changes = dict(zip(_COLUMNS[family], values, strict=True))
    depth = changes.get("depth") or changes.get("max_depth")
    leaves = changes.get("num_leaves") or (2 ** int(depth) if depth else 0)
    return PortfolioRow(place, family, label, MappingProxyType(changes), int(leaves))


PORTFOLIO_ROWS: tuple[PortfolioRow, ...] = tuple(_row(*row) for row in _ROWS)
