"""Tests of experiments/chaos import its modules as its script does."""

from __future__ import annotations

import sys
from pathlib import Path

CHAOS = Path(__file__).parents[3] / "experiments" / "chaos"
sys.path.append(str(CHAOS))
