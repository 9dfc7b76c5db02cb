"""An x that falls: one over it grows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness import find_jumps
from harness.analysis.axis import Axis
from harness.datasets import make_jumps


def test_names_say_which_x_falls() -> None:
    assert [Axis.of(name).falls for name in ("params", "loss", "val_bpb", "tokens", "lossless_units")] == [
        *(False, True, True, False, False)
    ]


def test_places_come_back_in_the_unit_of_x() -> None:
    """A ladder in 1 / loss is the ladder in loss, read the other way."""
    frame = make_jumps(n_curves=1, random_state=0).frame
    falling = frame.assign(loss=1 / frame["params"]).drop(columns="params")
    (known,) = find_jumps(frame, x="params").to_dict("records")
    (found,) = find_jumps(falling, x="loss").to_dict("records")
    assert found["verdict"] == known["verdict"] and found["step_octaves"] == pytest.approx(known["step_octaves"])
    assert found["p_value"] == pytest.approx(known["p_value"])
    for name in ("threshold", "onset", "half_rise"):
        for own, theirs in ((name, name), (f"{name}_low", f"{name}_high"), (f"{name}_high", f"{name}_low")):
            assert found[own] == pytest.approx(1 / known[theirs])


def test_open_ends_change_places() -> None:
    row = {"threshold": 4.0, "threshold_low": 0.0, "threshold_high": np.inf, "verdict": "smooth"}
    axis = Axis("loss", falls=True)
    assert axis.turned(row) == {"threshold": 0.25, "threshold_low": 0.0, "threshold_high": np.inf, "verdict": "smooth"}
    half = axis.turned({"onset": 4.0, "onset_low": 2.0, "onset_high": np.inf})
    assert half == {"onset": 0.25, "onset_low": 0.0, "onset_high": 0.5}
    assert axis.turned(axis.turned(half)) == half
    nothing = axis.turned_rows(pd.DataFrame([dict.fromkeys(("threshold", "threshold_low", "threshold_high"), np.nan)]))
    assert nothing.isna().all(axis=None)
    assert Axis("params", falls=False).turned(row) == row
