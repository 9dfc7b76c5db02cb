"""Laws as pure forms; `LAWS` holds every one by its name. `base` says what a law is and how to write one."""

from harness.analysis.fitting.laws.base import NO_LAW, Law
from harness.analysis.fitting.laws.bounded import ExponentialOfLoss, Logistic, SigmoidOfLoss
from harness.analysis.fitting.laws.breaks import M4, BrokenPower
from harness.analysis.fitting.laws.mixtures import Mixture
from harness.analysis.fitting.laws.powers import (
    Gadre,
    Hoffmann,
    Kaplan,
    Power,
    PowerWithFloor,
    SizeOfShape,
    WidthDepth,
)
from harness.analysis.fitting.laws.products import Transferred, Zhang, ZhangJoint
from harness.analysis.fitting.laws.repetition import Muennighoff
from harness.analysis.fitting.laws.transfer import Hernandez, HernandezFloor

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
        Hernandez(),
        HernandezFloor(),
        Transferred(),
        Zhang(),
        ZhangJoint(),
        Mixture(2),
        Mixture(3),
    )
}

__all__ = ["LAWS", "NO_LAW", "Law"]
