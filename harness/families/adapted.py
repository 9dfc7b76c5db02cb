"""What fine-tuning makes of a model: the parameters that training changes, and low-rank adapters beside the others.

LoRA (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", eq. 3): a linear layer gives
W x + (alpha / rank) B A x, where W stays, A (rank, in) is drawn at random and B (out, rank) begins at 0. `merged` adds
the product to W, after which the model is that of its family again.

Under muP an adapter's A is a parameter of kind "hidden" and its B one of kind "input", so that Adam trains B faster
than A by the width, as Hayou et al. 2024 ("LoRA+") derive.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from harness.errors import SettingError
from harness.families.base import Family, Shape
from harness.families.check import cheap_device, flops_by_torch
from harness.families.parametrization import Role, is_adapter, roles_of
from harness.finetuning import FinetuneSettings, is_named
from harness.settings import ParametrizationSettings
from harness.tasks.base import Signature

#: What the names of an adapter's two matrices end in.
A, B = "lora_a", "lora_b"


class LoraLinear(nn.Linear):
    """A linear layer with a low-rank adapter beside it; its own parameters keep their names."""

    lora_a: nn.Parameter
    lora_b: nn.Parameter
    scale: float

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + self.scale * F.linear(F.linear(x, self.lora_a), self.lora_b)


#: What `trained_counts` has found.
_counted: dict[str, tuple[int, float]] = {}


def adapt(model: nn.Module, settings: FinetuneSettings, fresh: Collection[str]) -> tuple[str, ...]:
    """Put adapters into a model where they are asked for; the names of the parameters that training changes.

    Args:
        model: as its family builds it; changed in place.
        fresh: parameters that are drawn anew (`fresh_parameters`), which are trained whatever else is.

    Raises:
        SettingError: nothing is left to train, a pattern names nothing, a rank above the width of a layer.
    """
    roles = roles_of(model)
    for setting in ("frozen", "reset"):
        for pattern in getattr(settings, setting):
            if not any(is_named(name, [pattern]) for name in roles):
                raise SettingError(f"finetune.{setting}", pattern, f"a part of one of the names {_some(roles)}")
    chosen = {
        "full": set(roles),
        "head": {name for name, role in roles.items() if role.group == "head"},
        "lora": _add_adapters(model, settings, roles) if settings.kind == "lora" else set(),
    }[settings.kind]
    if settings.kind == "head" and not chosen:
        raise SettingError("finetune.kind", "head", "full or lora, for this model has no readout of its own")
    if both := sorted(name for name in fresh if is_named(name, settings.frozen)):
        allowed = f"names of what keeps the parent's values: {_some(both)} is drawn anew, and so trained"
        raise SettingError("finetune.frozen", settings.frozen, allowed)
    trained = {name for name in chosen if not is_named(name, settings.frozen)} | set(fresh)
    if not trained:
        raise SettingError("finetune.frozen", settings.frozen, "names that leave something to train")
    return tuple(name for name, _ in model.named_parameters() if name in trained)


def fresh_parameters(
    model: nn.Module, settings: FinetuneSettings, parent_outputs: int | None, own: Signature
) -> frozenset[str]:
    """The parameters that are drawn anew: those named by `finetune.reset`, and a readout of other outputs.

    Args:
        parent_outputs: outputs of the model that this one starts from; None where it starts from nothing.
        own: its own inputs and outputs.
    """
    if parent_outputs is None:
        return frozenset()
    other_outputs = parent_outputs != own.n_outputs
    return frozenset(
        name
        for name, role in roles_of(model).items()
        if is_named(name, settings.reset) or (other_outputs and role.group == "head")
    )


def merged(tensors: Mapping[str, torch.Tensor], settings: FinetuneSettings) -> dict[str, torch.Tensor]:
    """Parameters without adapters, whose products are added to the matrices beside them; (..., out, in) each."""
    found = {name: tensor for name, tensor in tensors.items() if not is_adapter(name)}
    for name, down in tensors.items():
        if name.endswith(f".{A}"):
            layer = name.removesuffix(A)
            found[f"{layer}weight"] = found[f"{layer}weight"] + settings.alpha / settings.rank * (
                tensors[f"{layer}{B}"] @ down
            )
    return found


def trained_counts(
    family: Family,
    shape: Shape,
    signature: Signature,
    parametrization: ParametrizationSettings,
    settings: FinetuneSettings,
    parent_outputs: int | None,
) -> tuple[int, float]:
    """Parameters that training changes, and training FLOPs of an example, as torch counts them on this model.

    The backward pass goes down to the first layer with something to train, and has a product for the weights of none
    that stays. Of a family whose products torch cannot count, the FLOPs are those of training it in full.

    Raises:
        SettingError: as `adapt`.
    """
    key = repr((type(family), family, shape, signature, parametrization, settings, parent_outputs))
    if key not in _counted:
        with torch.random.fork_rng(devices=[]), cheap_device(family, shape, signature):
            model = family.build(shape, signature, parametrization)
            trained = set(adapt(model, settings, fresh_parameters(model, settings, parent_outputs, signature)))
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(name in trained)
            n_trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
            by_torch = family.counted_by_torch
            flops = flops_by_torch(model, signature)[1] if by_torch else family.training_flops(shape, signature)
        _counted[key] = n_trained, flops
    return _counted[key]


def _add_adapters(model: nn.Module, settings: FinetuneSettings, roles: Mapping[str, Role]) -> set[str]:
    """The names of the adapters' matrices."""
    layers = {f"{name}.weight": module for name, module in model.named_modules() if type(module) is nn.Linear}
    if settings.targets is None:
        targets = [name for name in layers if roles[name].kind == "hidden"]
        lacking = "this model has no hidden linear layer"
    else:
        targets = [name for name in layers if is_named(name, settings.targets)]
        lacking = f"linear layers of this model, which are {_some(layers)}"
        for pattern in settings.targets:
            if not any(is_named(name, [pattern]) for name in layers):
                raise SettingError("finetune.targets", pattern, lacking)
    if not targets:
        raise SettingError("finetune.kind", "lora", f"full or head, for {lacking}")
    added = set()
    for name in targets:
        layer = layers[name]
        smaller = min(layer.weight.shape)
        if settings.rank > smaller:
            where = f"the smaller side of {name}, {tuple(layer.weight.shape)}"
            raise SettingError("finetune.rank", settings.rank, f"at most {smaller}, {where}")
        n_out, n_in = layer.weight.shape
        adapted = cast(LoraLinear, layer)
        layer.__class__ = LoraLinear
        adapted.lora_a = nn.Parameter(torch.empty(settings.rank, n_in))
        adapted.lora_b = nn.Parameter(torch.zeros(n_out, settings.rank))
        adapted.scale = settings.alpha / settings.rank
        added |= {name.removesuffix("weight") + part for part in (A, B)}
    return added


def _some(names: Collection[str], most: int = 6) -> str:
    shown = list(names)[:most]
    return ", ".join(shown) + (", ..." if len(names) > most else "")
