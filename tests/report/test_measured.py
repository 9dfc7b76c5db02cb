from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.report.measured import means


def test_means_have_students_interval_from_three_runs_on() -> None:
    rows = pd.DataFrame({"N": [1, 1, 1, 2, 2, 3], "value": [1.0, 2.0, 3.0, 4.0, 6.0, 7.0]})
    found = means(rows, ["N"])
    assert found["value"].tolist() == [2, 5, 7]
    half = 4.302653 / np.sqrt(3)  # Student's t, 2 degrees of freedom
    assert found["low"].iloc[0] == pytest.approx(2 - half) and found["high"].iloc[0] == pytest.approx(2 + half)
    assert found[["low", "high"]].iloc[1:].isna().all(axis=None)
    assert found["least"].tolist() == [1, 4, 7] and found["most"].tolist() == [3, 6, 7]
    assert means(rows, ["N"], 0.5)["high"].iloc[0] == pytest.approx(2 + 0.816497 / np.sqrt(3))
