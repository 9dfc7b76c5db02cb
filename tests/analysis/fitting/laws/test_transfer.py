"""Laws of runs from scratch and pretrained together: formulas, planted truth, and tables that cannot tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from covering import check_coverage

from harness import ScalingLaw
from harness.analysis.fitting.inputs import NotIdentifiableError
from harness.analysis.fitting.laws import LAWS
from harness.datasets import TransferTruth, make_transfer
from harness.errors import DataError

X = ["N", "D", "pretrained"]
OF_TRANSFER = {"k": 1.9e4, "alpha": 0.18, "beta": 0.38}
KAPLAN = {"Nc": 6.4e13, "Dc": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.095}


def kaplan(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    frame = make_transfer(5, 6, 1, sizes=(1e6, 1e9)).frame[X]
    effective = frame["D"] + frame["pretrained"] * 1.9e4 * frame["D"] ** 0.18 * frame["N"] ** 0.38
    ratio = KAPLAN["alpha_N"] / KAPLAN["alpha_D"]
    loss = ((KAPLAN["Nc"] / frame["N"]) ** ratio + KAPLAN["Dc"] / effective) ** KAPLAN["alpha_D"]
    return frame, (loss * np.exp(0.003 * rng.standard_normal(len(frame)))).to_numpy()


def hoffmann(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    frame = make_transfer(random_state=rng).frame
    return frame[X], frame["loss"].to_numpy()


def test_intervals_hold_what_was_planted() -> None:
    check_coverage("hernandez", kaplan, KAPLAN | OF_TRANSFER)
    check_coverage("hernandez_floor", hoffmann, {"E": 1.8, "a": 0.35, "b": 0.37} | OF_TRANSFER)


def test_values_are_those_of_the_law_from_scratch_at_the_effective_data() -> None:
    frame = make_transfer(3, 3, 1, noise=0).frame
    law = ScalingLaw("hernandez_floor", interval="delta").fit(frame[X], frame["loss"])
    new = pd.DataFrame({"N": [3e8], "D": [2e7], "pretrained": [1]})
    effective = TransferTruth().effective(3e8, 2e7)
    assert effective == pytest.approx(2e7 + 1.9e4 * 2e7**0.18 * 3e8**0.38)
    assert law.predict(new)[0] == pytest.approx(TransferTruth().scratch.loss(3e8, effective), rel=1e-6)


@pytest.mark.parametrize("law", ["hernandez", "hernandez_floor"])
def test_a_table_that_cannot_tell(law: str) -> None:
    frame = make_transfer(random_state=1).frame
    alone = frame.query("pretrained == 1")
    with pytest.raises(NotIdentifiableError, match="pretrained is 1 in all 84 runs"):
        ScalingLaw(law).fit(alone[X], alone["loss"])
    scratch = frame.query("pretrained == 0")
    with pytest.raises(NotIdentifiableError, match="pretrained is 0 in all 84 runs"):
        ScalingLaw(law).fit(scratch[X], scratch["loss"])
    # Pretrained runs of one size do not tell how D_T grows with size.
    one_size = frame.query("pretrained == 0 or N == N.min()")
    found = ScalingLaw(law).fit(one_size[X], one_size["loss"])
    assert found.status_ == "not identifiable" and "k" in found.message_ and "of N and D" in found.message_


def test_worthless_and_harmful_pretraining() -> None:
    worthless = make_transfer(truth=TransferTruth(k=1e-9), random_state=0).frame
    found = ScalingLaw("hernandez_floor").fit(worthless[X], worthless["loss"])
    assert found.status_ in ("not identifiable", "at a bound") and found.intervals_["k"][0] < 1e-9
    harmful = make_transfer(truth=TransferTruth(k=1e-9, kept=0.5), random_state=0).frame
    found = ScalingLaw("hernandez_floor").fit(harmful[X], harmful["loss"])
    assert found.status_ == "at a bound" and "no better than runs from scratch, or worse" in found.message_


def test_pretrained_is_a_label() -> None:
    frame = make_transfer(random_state=0).frame.astype({"pretrained": float})
    frame.loc[3, "pretrained"] = 0.5
    with pytest.raises(DataError, match=r"row 3: pretrained = 0\.5: allowed are 0, from scratch, and 1"):
        ScalingLaw("hernandez").fit(frame[X], frame["loss"])
    assert LAWS["hernandez"].measured == ("N", "D")
    assert "D_T climbs like a wall along N" in LAWS["hernandez"].bound_message(6, "high")
    assert "does not depend on D" in LAWS["hernandez"].bound_message(1, "high")
