"""Laws as pure forms; `LAWS` holds every one by its name. `base` says what a law is and how to write one."""

from harness.analysis.fitting.laws.base import NO_LAW, Law
from harness.analysis.fitting.laws.bounded import ExponentialOfLoss, Logistic, SigmoidOfLoss
from harness.analysis.fitting.laws.breaks import M4, BrokenPower
from harness.analysis.fitting.laws.powers import (
    Gadre,
    Hoffmann,
    Kaplan,
    Power,
    PowerWithFloor,
    SizeOfShape,
    WidthDepth,
)
from harness.analysis.fitting.laws.repetition import Muennighoff

LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Power(),
        PowerWithFloor(),
        Hoffmann(),
        WidthDepth(),
        SizeOfShape(),
        Gadre(),
        Kaplan(),
        Muennighoff(),
        BrokenPower(0),
        BrokenPower(1),
        BrokenPower(2),
        M4(),
        Logistic(),
        ExponentialOfLoss(),
        SigmoidOfLoss(),
    )
}

__all__ = ["LAWS", "NO_LAW", "Law"]
