"""These tests import the modules of experiments/real_curves."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3] / "experiments" / "real_curves"))
