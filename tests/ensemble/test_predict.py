from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tabular_automl.core.candidate import Candidate, Recipe
from tabular_automl.core.ensemble import FittedEnsemble, FittedMember, Member, ServedModel
from tabular_automl.core.fitting import FeatureSpec, FloatArray
from tabular_automl.core.schema import Kind
from tabular_automl.core.state import State
from tabular_automl.core.table import Column, Table
from tabular_automl.ensemble.predict import predict_ensemble


@dataclass
class CountingEncoder:
    """Returns the table's columns, and counts how often."""

    calls: list[int] = field(default_factory=list)

    @property
    def features(self) -> FeatureSpec:
        return FeatureSpec(("c0", "c1"))

    def transform(self, table: Table) -> FloatArray:
        self.calls.append(table.n_rows)
        return np.column_stack([column.values for column in table.columns]).astype(np.float64)

    def state(self) -> State:
        return State()


@dataclass(frozen=True)
class LogisticModel:
    """Probabilities that depend on the round."""

    slope: float
    n_outputs: int = 1

    @property
    def rounds(self) -> int:
        return 10

    def predict(self, X: FloatArray, rounds: int | None = None) -> FloatArray:
        linear = self.slope * X @ np.arange(1, 2 * self.n_outputs + 1).reshape(2, -1) * (rounds or 10)
        if self.n_outputs == 1:
            return np.asarray((1 + np.tanh(linear / 2)) / 2)
        shares = np.exp(linear - linear.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def save(self, folder: Path, rounds: int | None = None) -> None:
        raise NotImplementedError


def member(encoder: CountingEncoder, weight: float, slopes: list[float], n_outputs: int = 1) -> FittedMember:
    share = 1 / len(slopes)
    return served(
        encoder, weight, [ServedModel(LogisticModel(slope, n_outputs), 3, share) for slope in slopes]
    )


def served(encoder: CountingEncoder, weight: float, models: list[ServedModel]) -> FittedMember:
    candidate = Candidate("fake", (("models", str(models)),), Recipe("ordinal"))
    return FittedMember(Member(candidate, weight), encoder, tuple(models))


@pytest.fixture
def table(rng: np.random.Generator) -> Table:
    columns = tuple(Column(name, Kind.NUMERIC, rng.normal(size=50)) for name in ("c0", "c1"))
    return Table(columns, 50)


def test_bags_are_averaged_uniformly_and_members_by_weight(table: Table) -> None:
    encoder = CountingEncoder()
    fitted = FittedEnsemble((member(encoder, 0.75, [0.1, 0.3]), member(encoder, 0.25, [0.2])))
    X = encoder.transform(table)
    bag = (LogisticModel(0.1).predict(X, 3) + LogisticModel(0.3).predict(X, 3)) / 2
    expected = 0.75 * bag + 0.25 * LogisticModel(0.2).predict(X, 3)
    assert predict_ensemble(fitted, table) == pytest.approx(expected)


def test_models_of_a_member_count_by_their_shares_each_at_its_own_round(table: Table) -> None:
    encoder = CountingEncoder()
    of_fold, refitted = LogisticModel(0.1), LogisticModel(0.2)
    models = [ServedModel(of_fold, 3, 0.25), ServedModel(refitted, 7, 0.75, is_refit=True)]
    X = encoder.transform(table)
    expected = 0.25 * of_fold.predict(X, 3) + 0.75 * refitted.predict(X, 7)
    assert predict_ensemble(FittedEnsemble((served(encoder, 1.0, models),)), table) == pytest.approx(expected)


def test_each_recipe_encodes_the_table_once(table: Table) -> None:
    encoder = CountingEncoder()
    predict_ensemble(FittedEnsemble(tuple(member(encoder, 0.25, [slope]) for slope in range(4))), table)
    assert encoder.calls == [50]


@pytest.mark.parametrize("n_outputs", [1, 4])
def test_one_row_gets_what_it_gets_in_a_batch(table: Table, n_outputs: int) -> None:
    encoder = CountingEncoder()
    members = (member(encoder, 0.3, [0.1, 0.2], n_outputs), member(encoder, 0.7, [0.5], n_outputs))
    batch = predict_ensemble(FittedEnsemble(members), table)
    alone = [predict_ensemble(FittedEnsemble(members), table.take(np.array([row]))) for row in range(50)]
    assert np.concatenate(alone) == pytest.approx(batch, rel=1e-9)


def test_probabilities_stay_probabilities_though_weights_round(table: Table) -> None:
    encoder = CountingEncoder()
    thirds = FittedEnsemble(tuple(member(encoder, 1 / 3 + 1e-16, [1e3]) for _ in range(3)))
    predictions = predict_ensemble(thirds, table)
    assert predictions.min() >= 0
    assert predictions.max() == 1.0
    shares = [1 / 3 + 1e-16, 1 / 3, 1 / 3 + 1e-16]
    assert sum(shares) > 1
    copies = served(encoder, 1.0, [ServedModel(LogisticModel(1e3), 3, share) for share in shares])
    assert predict_ensemble(FittedEnsemble((copies,)), table).max() == 1.0
    classes = FittedEnsemble(tuple(member(encoder, 1 / 7, [slope], 3) for slope in range(7)))
    assert predict_ensemble(classes, table).sum(axis=1) == pytest.approx(1, abs=1e-15)
