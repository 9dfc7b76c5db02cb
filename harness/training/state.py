"""What the remaining steps of a job follow from, and who keeps it: where it goes is not known here.

That is the parameters, the optimizer's averages, the losses and measurements so far, and the number of steps taken.
Batches, augmentation and dropout follow from the members' seeds and the step: their streams are drawn anew up to that
step, without training, so that tasks keep no state that could be lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from harness.ladder import Job


@dataclass
class State:
    """A job in training.

    Attributes:
        step: steps taken.
        tensors: by name.
        facts: what is not a tensor, as JSON has it; floats are exact.
    """

    step: int
    tensors: dict[str, torch.Tensor]
    facts: dict[str, Any] = field(default_factory=dict)


class Checkpoints(Protocol):
    """Keeps the state of one job."""

    @property
    def due(self) -> bool:
        """Whether the state is wanted now."""

    def write(self, state: State) -> None:
        """Keep a state, in place of the one before."""

    def read(self) -> State | None:
        """The state that was kept last, for a job of the same members and settings; None where there is none."""


class NoCheckpoints:
    """Keeps nothing."""

    due = False

    def write(self, state: State) -> None:
        """Not asked for."""

    def read(self) -> None:
        """None."""


class Keeper(Protocol):
    """Keeps states of single members beyond the end of their job."""

    def wants(self, ended: bool) -> bool:
        """Whether the state of a member at an evaluation is wanted; `ended` at its last."""

    def keep(self, index: int, state: State) -> None:
        """Keep the state of one of the job's members: its parameters, and averages of the optimizer, by name."""


class KeepsNothing:
    """Keeps no state."""

    def wants(self, ended: bool) -> bool:
        """False."""
        return False

    def keep(self, index: int, state: State) -> None:
        """Not asked for."""


class Trunk(Protocol):
    """Hands the state in which a job leaves the path that it shares with longer ones to these.

    Attributes:
        longer: the longer jobs, each with who keeps its states.
    """

    longer: Sequence[tuple[Job, Keeper]]

    def write(self, state: State) -> None:
        """Keep the state for them."""

    def read(self) -> State | None:
        """The furthest state that a shorter job left to this one; None where there is none."""


class NoTrunk:
    """Shares nothing."""

    longer: Sequence[tuple[Job, Keeper]] = ()

    def write(self, state: State) -> None:
        """Not asked for."""

    def read(self) -> None:
        """None."""


def restore(into: Mapping[str, torch.Tensor], tensors: Mapping[str, torch.Tensor]) -> None:
    """Copy the values of tensors into those of the same names, where they lie."""
    for name, tensor in into.items():
        tensor.copy_(tensors[name])
