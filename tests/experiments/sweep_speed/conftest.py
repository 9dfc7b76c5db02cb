"""Tests of experiments/sweep_speed import its modules as its script does."""

from __future__ import annotations

import sys
from pathlib import Path

SWEEP_SPEED = Path(__file__).parents[3] / "experiments" / "sweep_speed"
sys.path.append(str(SWEEP_SPEED))
