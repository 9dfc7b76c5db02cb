"""Augmentation of training batches: random numbers drawn on the host from a seed, applied on the device.

`STEPS` names the steps for `data.augment`; one of the user's own is a `base.Augmentation` written as ``module.Class``.
`composed.augmenter` is what tasks call.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.data.augment.base import Augmentation
from harness.data.augment.images import Affine, Crop, Cutout, Flip
from harness.data.augment.numbers import Mixup, Noise
from harness.data.augment.sequences import Shift, SpecAugment, TokenDropout

#: Every step by the name under which `data.augment` lists it.
STEPS: dict[str, type[Augmentation]] = {
    "crop": Crop,
    "flip": Flip,
    "affine": Affine,
    "cutout": Cutout,
    "noise": Noise,
    "mixup": Mixup,
    "specaugment": SpecAugment,
    "shift": Shift,
    "token_dropout": TokenDropout,
}


def refuse_disorder(setting: str, steps: Sequence[Augmentation]) -> None:
    """Any order makes sense."""
