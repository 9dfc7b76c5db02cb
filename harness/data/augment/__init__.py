"""Augmentation of training batches: random numbers drawn on the host from a seed, applied on the device.

`STEPS` names the steps for `data.augment`; one of the user's own is a `base.Augmentation` written as ``module.Class``.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.data.augment.base import Augmentation, Augmenter

#: Every step by the name under which `data.augment` lists it.
STEPS: dict[str, type[Augmentation]] = {}


def refuse_disorder(setting: str, steps: Sequence[Augmenter]) -> None:
    """Any order makes sense."""
