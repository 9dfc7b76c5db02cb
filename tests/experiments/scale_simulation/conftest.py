"""Tests of experiments/scale_simulation import its modules as its script does."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3] / "experiments" / "scale_simulation"))
