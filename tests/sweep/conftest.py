"""The study that tests of the sweep share."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import TINY

from harness.config import compose
from harness.settings import Settings


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two rungs at two durations, three seeds at two learning rates; in an empty folder."""
    monkeypatch.chdir(tmp_path)
    (study,) = compose(*TINY, "ladder.steps=[5,10]", "seeds=3", "optimizer.lr=[0.1,0.2]")
    return study
