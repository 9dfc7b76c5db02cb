"""What a folder of Hugging Face holds, in our terms: the size, the settings of our family, where each parameter is."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.families.base import Shape


@dataclass(frozen=True)
class Part:
    """A tensor of the folder, which is a parameter of ours or some of its rows.

    Attributes:
        shape: as it is stored, which is (in, out) for `transposed`.
    """

    name: str
    shape: tuple[int, ...]
    transposed: bool = False


@dataclass(frozen=True)
class Architecture:
    """One model of Hugging Face, as its config.json states it.

    Attributes:
        called: "a GPT-2".
        hidden: width of the feed-forward layer.
        settings: those that our family needs, by name: the values that make it this model, the usual one first.
        parameters: our parameter -> the tensors whose rows it has, one after the other.
        prefix: what may stand before the names of tensors.
        unused: names of tensors that are there in some folders, and that the model does not need.
    """

    called: str
    shape: Shape
    vocabulary: int
    hidden: int
    settings: Mapping[str, tuple[Any, ...]]
    parameters: Mapping[str, tuple[Part, ...]]
    prefix: str
    unused: re.Pattern[str] = field(repr=False)

    @property
    def parts(self) -> Iterator[Part]:
        """All tensors that the model needs."""
        return (part for parts in self.parameters.values() for part in parts)

    def stored(self, names: Collection[str], name: str) -> str:
        """A tensor's name among those of a folder: with the prefix, if it is there."""
        return f"{self.prefix}{name}" if f"{self.prefix}{name}" in names else name

    def is_unused(self, name: str) -> bool:
        return self.unused.fullmatch(name.removeprefix(self.prefix)) is not None
