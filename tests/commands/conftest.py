"""Verbs on tables are tested for what they say and write."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="module")
def quick(few_draws: None) -> None:
    pass
