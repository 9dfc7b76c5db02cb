"""How initial values and the optimizer's settings move with width and depth.

**Width.** `parametrization.kind=standard` leaves both alone; `mup` is the maximal update parametrization. A parameter
is of kind

    input   only its fan-out grows with width (embeddings, first layers, biases, gains)
    hidden  fan-in and fan-out both grow
    output  only its fan-in grows (readouts)

and with m_N = width / base_width the factors are (Yang et al. 2021, "Tensor Programs V", Table 3)

                 initial std (beside 1/sqrt(fan_in))   learning rate, Adam   learning rate, SGD   learning rate, Muon
    input        1                                     1                     m_N                  1 (by AdamW)
    hidden       1                                     1/m_N                 1                    1
    output       1/sqrt(m_N)                           1/m_N                 1/m_N                1/m_N (by AdamW)

so that standard and muP are the same model at m_N = 1. Adam stands for AdamW too, SGD for plain gradient descent. A
step of Muon on a hidden matrix has a spectral norm of the order of the root of fan-out over fan-in at every width,
which is what muP asks for (Yang, Simon & Bernstein 2023, "A Spectral Condition for Feature Learning", condition 1).

**Depth.** `parametrization.depth` scales every residual branch, x + m_L^-alpha f(x) with m_L = depth / base_depth, so
that the sum of the branches, and its change in a step, keep their size however many there are:

    none      alpha = 0
    sqrt      alpha = 1/2   depth-muP (Yang et al. 2023, "Tensor Programs VI")
    complete  alpha = 1     CompleteP (Dey et al. 2025, "Don't be lazy: CompleteP enables compute-efficient deep
                            transformers")

With `sqrt` or `complete`, the parameters of the branches have these factors besides (Dey et al. 2025, Table 1; the
biases and gains inside the branches are among them):

    learning rate, Adam and Muon   m_L^(alpha - 1)
    learning rate, SGD             m_L^(2 alpha - 1)
    Adam's epsilon                 m_N^-1 m_L^-alpha     (the size of their gradients)

The rate of SGD follows from the same condition: a branch's gradient carries m_L^-alpha and so does its effect, and
m_L branches that move together must move the sum by a fixed amount. Muon's step, as Adam's, does not depend on the size
of the gradient. Without a depth rule Adam's epsilon stays as it is set, at every width.

**Weight decay.** A step shrinks a parameter by the share (learning rate x schedule x weight_decay x a factor). Were
that factor the one on the learning rate (`parametrization.decay=coupled`), hidden weights would decay as 1/m_N:
regularisation would fade as models grow, which a coordinate check of a few steps cannot see. By default it is 1
(`independent`), the row "Hidden WD" of Dey et al. 2025, Table 1, for AdamW under `complete`. Kosson et al. 2025
("Weight Decay may matter more than muP for Learning Rate Transfer in Practice") find that it is this that carries
transfer late in training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, Protocol, cast

import torch
from torch import nn

from harness.errors import UserError
from harness.families.base import Group, Shape
from harness.settings import ParametrizationSettings

Kind = Literal["input", "hidden", "output"]

#: The exponent by which a depth rule scales residual branches down.
ALPHA = {"none": 0.0, "sqrt": 0.5, "complete": 1.0}


@dataclass(frozen=True)
class Role:
    """What a parameter is.

    Attributes:
        group: the group that it is counted in.
        kind: how its fan-in and fan-out move with width.
        std: standard deviation of the initial values under the standard parametrization.
        mean: mean of the initial values (1 for gains).
        decays: whether weight decay applies.
        residual: whether it lies in a residual branch, of which the model has as many as it is deep.
    """

    group: Group
    kind: Kind
    std: float
    mean: float = 0.0
    decays: bool = True
    residual: bool = False


@dataclass(frozen=True)
class Factors:
    """What the optimizer's settings are multiplied by for one parameter.

    Attributes:
        lr: on the learning rate.
        decay: on learning rate x weight_decay; 0 where weight decay does not apply.
        eps: on AdamW's epsilon.
    """

    lr: float
    decay: float
    eps: float


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
    named = dict(model.named_parameters())
    roles = {name: role for name, role in cast(Model, model).roles().items() if not is_adapter(name)}
    roles |= {name: _of_adapter(name, parameter, roles) for name, parameter in named.items() if is_adapter(name)}
    names = set(named)
    faults = {"without a role": sorted(names - set(roles)), "not a parameter": sorted(set(roles) - names)}
    found = "; ".join(f"{fault}: {', '.join(wrong)}" for fault, wrong in faults.items() if wrong)
    if found:
        raise UserError(f"{kind}.roles() must give the Role of each parameter of the model; {found}")
    return roles


def is_adapter(name: str) -> bool:
    """Whether a parameter is one of a low-rank adapter's matrices (`harness.families.adapted`)."""
    return name.endswith((".lora_a", ".lora_b"))


def _of_adapter(name: str, parameter: nn.Parameter, roles: dict[str, Role]) -> Role:
    """A of an adapter takes a layer's width to a fixed rank and starts as the layer would; B, back, starts at 0."""
    base = roles[f"{name.rpartition('.')[0]}.weight"]
    if name.endswith(".lora_a"):
        return replace(base, kind="hidden", std=1 / math.sqrt(parameter.shape[1]), mean=0.0)
    return replace(base, kind="input", std=0.0, mean=0.0)


def count_by_group(model: nn.Module) -> dict[Group, int]:
    """Parameters by group, from `numel`: what `Family.count` is checked against."""
    roles, counts = roles_of(model), dict[Group, int]()
    for name, parameter in model.named_parameters():
        group = roles[name].group
        counts[group] = counts.get(group, 0) + parameter.numel()
    return counts


def width_factor(width: int, settings: ParametrizationSettings) -> float:
    """m_N, the width in base widths; 1 under the standard parametrization."""
    return width / settings.base_width if settings.kind == "mup" else 1.0


def depth_factor(depth: int, settings: ParametrizationSettings) -> float:
    """m_L, the depth in base depths; 1 without a depth rule."""
    return depth / settings.base_depth if settings.depth != "none" else 1.0


def branch_scale(depth: int, settings: ParametrizationSettings) -> float:
    """m_L^-alpha, by which a model multiplies each of its residual branches."""
    return depth_factor(depth, settings) ** -ALPHA[settings.depth]


def factors(role: Role, shape: Shape, settings: ParametrizationSettings, optimizer: str) -> Factors:
    """Factors on the optimizer's settings for a parameter of this role; `optimizer` is `OptimizerSettings.kind`."""
    m_N, m_L, alpha = width_factor(shape.width, settings), depth_factor(shape.depth, settings), ALPHA[settings.depth]
    by_gradient = optimizer in ("gd", "sgd")  # whose step is as large as the gradient
    if by_gradient:
        lr = {"input": m_N, "hidden": 1.0, "output": 1 / m_N}[role.kind]
    elif role.kind == "input" or (role.kind == "hidden" and optimizer == "muon"):
        lr = 1.0
    else:
        lr = 1 / m_N
    eps = 1.0
    if role.residual and settings.depth != "none":
        lr *= m_L ** (2 * alpha - 1 if by_gradient else alpha - 1)
        eps = m_L**-alpha / m_N
    decay = lr if settings.decay == "coupled" else 1.0
    return Factors(lr, decay if role.decays else 0.0, eps)


@torch.no_grad()
def initialise(model: nn.Module, width: int, settings: ParametrizationSettings, generator: torch.Generator) -> None:
    """Draw every parameter in place: normal, by its role and width."""
    roles, m_N = roles_of(model), width_factor(width, settings)
    for name, parameter in model.named_parameters():
        role = roles[name]
        std = role.std / math.sqrt(m_N) if role.kind == "output" else role.std
        values = torch.randn(parameter.shape, generator=generator) if std else torch.zeros(parameter.shape)
        parameter.copy_(role.mean + std * values)
