"""How initial values and learning rates move with width: standard, or maximal update (muP).

Source of the rules: Yang et al. 2021, "Tensor Programs V", Table 3. A parameter is of kind

    input   only its fan-out grows with width (embeddings, first layers, biases, gains)
    hidden  fan-in and fan-out both grow
    output  only its fan-in grows (readouts)

and with m = width / base_width the factors are

                 initial std (beside 1/sqrt(fan_in))   learning rate, Adam   learning rate, SGD
    input        1                                     1                     m
    hidden       1                                     1/m                   1
    output       1/sqrt(m)                             1/m                   1/m

so that standard and muP are the same model at m = 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import torch
from torch import nn

from harness.errors import UserError
from harness.families.base import Group
from harness.settings import ParametrizationSettings

Kind = Literal["input", "hidden", "output"]


@dataclass(frozen=True)
class Role:
    """What a parameter is.

    Attributes:
        group: what it counts as.
        kind: how its fans move with width.
        std: standard deviation of the initial values under the standard parametrization.
        mean: mean of the initial values (1 for gains).
        decays: whether weight decay applies.
    """

    group: Group
    kind: Kind
    std: float
    mean: float = 0.0
    decays: bool = True


class Model(Protocol):
    """A module that says what each of its parameters is."""

    def roles(self) -> dict[str, Role]: ...


def roles_of(model: nn.Module) -> dict[str, Role]:
    """Role of each parameter, by name.

    Raises:
        UserError: the model has no `roles`, or they are not those of its parameters.
    """
    kind = type(model).__name__
    if not hasattr(model, "roles"):
        raise UserError(f"{kind} has no method roles(), which must name the Role of each of its parameters")
    roles = cast(Model, model).roles()
    names = {name for name, _ in model.named_parameters()}
    faults = {"without a role": sorted(names - set(roles)), "not a parameter": sorted(set(roles) - names)}
    found = "; ".join(f"{fault}: {', '.join(named)}" for fault, named in faults.items() if named)
    if found:
        raise UserError(f"{kind}.roles() must give the Role of each parameter of the model; {found}")
    return roles


def count_by_group(model: nn.Module) -> dict[Group, int]:
    """Parameters by group, from `numel`: what `Family.count` is checked against."""
    roles, counts = roles_of(model), dict[Group, int]()
    for name, parameter in model.named_parameters():
        group = roles[name].group
        counts[group] = counts.get(group, 0) + parameter.numel()
    return counts


def width_factor(width: int, settings: ParametrizationSettings) -> float:
    """m: how many base widths wide, 1 under the standard parametrization."""
    return width / settings.base_width if settings.kind == "mup" else 1.0


@torch.no_grad()
def initialise(model: nn.Module, width: int, settings: ParametrizationSettings, generator: torch.Generator) -> None:
    """Draw every parameter in place: normal, by its role and width."""
    roles, m = roles_of(model), width_factor(width, settings)
    for name, parameter in model.named_parameters():
        role = roles[name]
        std = role.std / math.sqrt(m) if role.kind == "output" else role.std
        values = torch.randn(parameter.shape, generator=generator) if std else torch.zeros(parameter.shape)
        parameter.copy_(role.mean + std * values)


def lr_factor(role: Role, width: int, settings: ParametrizationSettings, optimizer: str) -> float:
    """Factor on the base learning rate for a parameter of this role; optimizer is "adamw" or "sgd"."""
    m = width_factor(width, settings)
    if optimizer == "sgd":
        return {"input": m, "hidden": 1.0, "output": 1 / m}[role.kind]
    return 1.0 if role.kind == "input" else 1 / m
