"""What the columns are, why we think so, and what was found wrong with them."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property


class Kind(StrEnum):
    """The kind of a column: it decides how the column reaches the learners."""

    NUMERIC = "numeric"
    BINARY = "binary"
    CATEGORICAL = "categorical"
    DATETIME = "datetime"
    TEXT = "text"
    IDENTIFIER = "identifier"
    CONSTANT = "constant"
    LEFT_OUT = "left_out"

    @property
    def is_feature(self) -> bool:
        """Whether columns of this kind are handed to learners."""
        return self not in {Kind.IDENTIFIER, Kind.CONSTANT, Kind.LEFT_OUT}


@dataclass(frozen=True)
class ColumnSchema:
    """One column as it was seen at training time.

    Attributes
    ----------
    name
        The user's own name (any hashable; its text is used in messages).
    id
        Internal name, ``c0``, ``c1``, …, by position; the only name learners see.
    kind
        What the column is taken for.
    dtype
        The pandas dtype as seen, as text.
    missing_share
        Share of missing rows, 0 to 1.
    n_unique
        Number of distinct values that are not missing.
    reason
        Why this kind was inferred, in one sentence.
    parse
        How cells become canonical values: ``number``, ``number:comma`` (decimal comma), ``datetime``,
        ``datetime:FORMAT``, ``timedelta``, ``bool`` or ``string``.
    categories
        The levels seen in training, in code order, for columns that become codes; else None.
    zoned
        Whether the points in time carried a time zone; None where only some did, and in all other columns.
    """

    name: str | int | float | tuple[object, ...]
    id: str
    kind: Kind
    dtype: str
    missing_share: float
    n_unique: int
    reason: str
    parse: str
    categories: tuple[str, ...] | None = None
    zoned: bool | None = None

    @cached_property
    def code_of(self) -> dict[str, int]:
        """The code of each level."""
        return {text: code for code, text in enumerate(self.categories or ())}


@dataclass(frozen=True)
class Schema:
    """The columns of a training table in their order.

    Attributes
    ----------
    columns
        All columns but those of ``roles``.
    roles
        Names of the target, weight and groups columns: new rows may have them, and needn't.
    """

    columns: tuple[ColumnSchema, ...]
    roles: tuple[str | int | float | tuple[object, ...], ...] = ()

    def __iter__(self) -> Iterator[ColumnSchema]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def features(self) -> tuple[ColumnSchema, ...]:
        """The columns that reach the learners."""
        return tuple(column for column in self.columns if column.kind.is_feature)


class Severity(StrEnum):
    """How much a finding matters: errors stop the run, warnings and notices are reported."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


# A notice, yet a person must hear of it: an integer target that could be classes or numbers.
AMBIGUOUS_TASK = "ambiguous_task"


@dataclass(frozen=True)
class Finding:
    """Something a person should know about the data: what, where, the value, and the way out.

    Attributes
    ----------
    check
        Short stable name of the check, such as ``constant_column``.
    column
        The column's name as text, or None when the finding concerns the whole table.
    message
        One or two sentences that name the offending value.
    way_out
        What the person can do about it.
    """

    check: str
    severity: Severity
    message: str
    way_out: str
    column: str | None = None

    @property
    def must_be_heard(self) -> bool:
        """Whether it is said while the fit runs, and not in the report alone."""
        return self.severity is not Severity.NOTICE or self.check == AMBIGUOUS_TASK

    @property
    def announcement(self) -> str:
        """The finding as one line that says how serious it is."""
        return f"{self.severity}: {self}"

    def __str__(self) -> str:
        return f"{self.message} {self.way_out}".strip()


@dataclass(frozen=True)
class Deviation:
    """One way in which new rows differ from the training schema, counted.

    Attributes
    ----------
    column
        The column's name as text.
    what
        Short stable name: ``unseen_category``, ``unparseable``, ``infinite``, ``new_missing``,
        ``changed_dtype``, ``changed_zone``, ``extra_column``.
    n_rows
        How many rows are concerned (0 where rows don't apply).
    examples
        Up to three offending values, as text.
    """

    column: str
    what: str
    n_rows: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class SchemaReport:
    """How well a batch of new rows fits the training schema."""

    n_rows: int
    deviations: tuple[Deviation, ...] = ()

    def __add__(self, other: "SchemaReport") -> "SchemaReport":
        """Add the counts of two batches; the first batch's examples are kept."""
        merged = {(d.column, d.what): d for d in self.deviations}
        for new in other.deviations:
            old = merged.get((new.column, new.what))
            count = new.n_rows + (old.n_rows if old else 0)
            examples = old.examples if old and old.examples else new.examples
            merged[new.column, new.what] = Deviation(new.column, new.what, count, examples)
        return SchemaReport(self.n_rows + other.n_rows, tuple(merged.values()))
