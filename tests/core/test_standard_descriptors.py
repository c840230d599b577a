import os

import pytest

from tabular_automl.core.standard_descriptors import fill_standard_descriptors


def test_where_all_are_open_nothing_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """As nothing may be: in a sandbox without a null device, or where too many files are open already."""
    monkeypatch.setattr(os, "devnull", "/no/such/device")
    fill_standard_descriptors()
