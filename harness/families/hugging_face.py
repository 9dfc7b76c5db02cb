"""Weights in the layout of Hugging Face, read into our families where shapes allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.families.base import Family, Shape

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Described:
    """What a folder of weights holds.

    Attributes:
        shape: of the model.
        n_outputs: size of its vocabulary.
        digest: SHA-256 of its files, in hexadecimal digits.
    """

    shape: Shape
    n_outputs: int
    digest: str


def describe(folder: Path, family: Family) -> Described:
    """The model that a folder holds.

    Raises:
        UserError: it cannot be read, or the family with these settings is not that model.
    """
    raise UserError(f"{folder}: {family.name} cannot be read from it")


def read_weights(folder: Path, family: Family, shape: Shape) -> Mapping[str, torch.Tensor]:
    """The parameters by the names of our model.

    Raises:
        UserError: as `describe`.
    """
    raise UserError(f"{folder}: {family.name} of width {shape.width} cannot be read from it")
