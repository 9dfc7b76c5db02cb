"""A model whose parameters, gradients and averages lie in shards on the processes of a group (FSDP2).

Each process holds its rows of every parameter. torch's `fully_shard` puts a layer together for as long as it computes,
and hands each process its rows of the gradient, summed over the group. The optimizers are those of all other runs: they
update the entries that a process holds, which is a stack of fewer parameters.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from harness.errors import SettingError
from harness.ladder import Job
from harness.settings import Settings
from harness.training.group import Group
from harness.training.members import Keys, Stack, Start, leaving_out
from harness.training.optimizers import N_AVERAGES

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

#: Under launcher.shard=auto, the share of a card's memory that whole parameters, gradients and averages may take.
WHOLE_SHARE = 0.5


def refuse_unshardable(settings: Settings) -> None:
    """Raise SettingError for `launcher.shard=always` where a run cannot be sharded."""
    if settings.launcher.shard == "always" and (reason := _why_whole(settings)) is not None:
        raise SettingError("launcher.shard", "always", f"auto or never: {reason}")


def stack_of(job: Job, device: torch.device, start: Start | None = None) -> Stack:
    """The members of a job as the group of this process trains them: whole in each process, or in shards."""
    group = Group.here()
    n_parts = job.micro_batches * group.size
    if not group.agree(_is_sharded(job, device, group))[0]:
        return replace(Stack.of(job, device, start), group=group, micro_batches=n_parts)
    whole = replace(Stack.of(job, torch.device("cpu"), start), group=group, micro_batches=n_parts)
    shards = Shards(job, whole, device, group)
    rates = whole.rates
    return replace(
        whole,
        shards=shards,
        params_MP=shards.own(whole.params_MP).contiguous(),
        decays_P=shards.own(whole.decays_P),
        rates=replace(
            rates,
            lr_MP=shards.own(rates.lr_MP),
            decay_MP=None if rates.decay_MP is None else shards.own(rates.decay_MP),
            eps_P=shards.own(rates.eps_P),
        ),
    )


def _is_sharded(job: Job, device: torch.device, group: Group) -> bool:
    settings = job.settings
    if group.size == 1 or settings.launcher.shard == "never" or _why_whole(settings) is not None:
        return False
    if settings.launcher.shard == "always":
        return True
    if device.type != "cuda":
        return False
    # Parameters, gradient and two temporaries beside the averages, in float32.
    needed = 4 * (4 + N_AVERAGES[settings.optimizer.kind]) * job.rung.params.total
    return needed > WHOLE_SHARE * torch.cuda.get_device_properties(device).total_memory


def _why_whole(settings: Settings) -> str | None:
    """Why every process of a group has to hold a run whole; None where it has not."""
    if settings.launcher.gpus_per_run == 1:
        return "there is nothing to shard over with launcher.gpus_per_run=1"
    if settings.optimizer.kind == "muon":
        return "optimizer.kind=muon orthogonalises whole matrices"
    if settings.finetune.is_partial:
        return f"finetune.kind={settings.finetune.kind} trains part of the model"
    return None


class Shards:
    """The model of a job's one member, sharded; its parameters are given from outside, as a `Stack` holds them.

    Args:
        whole: the stack with all parameters, on the host.
    """

    def __init__(self, job: Job, whole: Stack, device: torch.device, group: Group) -> None:
        settings = job.settings
        self.group, self.device, self.names = group, device, whole.trained
        self.model = settings.family.build(job.rung.shape, settings.signature, settings.parametrization)
        for name, values in whole.by_name().items():
            self.model.get_parameter(name).data.copy_(values[0])
        self.shapes = [self.model.get_parameter(name).shape for name in self.names]
        self.rows = [_rows(shape[0], group) for shape in self.shapes]
        self.sizes = [len(rows) * shape[1:].numel() for rows, shape in zip(self.rows, self.shapes, strict=True)]
        _shard(self.model, device.type, group.size)

    def own(self, values: torch.Tensor) -> torch.Tensor:
        """Of (..., P) values of all entries those that this process holds, on its device; one for all stays one."""
        if values.shape[-1] == 1:
            return values.to(self.device)
        parts = values.split([shape.numel() for shape in self.shapes], dim=-1)
        held = [
            part[..., rows.start * shape[1:].numel() : rows.stop * shape[1:].numel()]
            for part, rows, shape in zip(parts, self.rows, self.shapes, strict=True)
        ]
        return torch.cat(held, dim=-1).to(self.device)

    def whole(self, values_1Q: torch.Tensor) -> torch.Tensor:
        """(1, P) of all entries, on the host, from what each process holds: all of the group take part."""
        found = []
        for part, rows, shape in zip(values_1Q[0].split(self.sizes), self.rows, self.shapes, strict=True):
            padded = part.new_zeros(-(-shape[0] // self.group.size), *shape[1:])
            padded[: len(rows)] = part.view(len(rows), *shape[1:])
            found.append(self.group.gather(padded)[: shape[0]].flatten().cpu())
        return torch.cat(found)[None]

    def logits(self, stack: Stack, inputs: torch.Tensor, dropout_keys: Keys | None, unscored: int) -> torch.Tensor:
        """As `Stack.logits`, at the stack's own parameters."""
        with torch.no_grad():
            for tensor, values in zip(self._parameters(), stack.params_MP[0].split(self.sizes), strict=True):
                local = tensor.to_local()
                local.copy_(values.view(local.shape))
        self._drop_by(dropout_keys)
        reduced = torch.autocast(self.device.type, torch.bfloat16) if stack.bfloat16 else nullcontext()
        with leaving_out(self.model, unscored), reduced:
            outputs: torch.Tensor = self.model(inputs[0])
        return outputs.float()[None]

    def loss_and_grad(
        self, stack: Stack, inputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, dropout_keys: Keys
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(1,) losses of the examples given, and (1, Q) the gradient of all processes' by the entries held here."""
        with torch.enable_grad():
            losses_M = stack.losses({}, inputs, targets, weights, dropout_keys)
            # A mean is taken over the group, of which the batch's weights know nothing.
            (losses_M.sum() * self.group.size).backward()
        grads = []
        for tensor, size in zip(self._parameters(), self.sizes, strict=True):
            grad = tensor.grad
            local = stack.params_MP.new_zeros(size) if grad is None else grad.to_local().flatten()  # type: ignore[attr-defined]
            grads.append(local)
            tensor.grad = None
        return losses_M.detach(), torch.cat(grads)[None]

    def _parameters(self) -> Iterator[DTensor]:
        for name in self.names:
            yield self.model.get_parameter(name)  # which `fully_shard` has made one

    def _drop_by(self, keys: Mapping[str, torch.Tensor] | None) -> None:
        for name, values in (keys or {}).items():
            layer, _, buffer = name.rpartition(".")
            setattr(self.model.get_submodule(layer), buffer, values[0])
        self.model.train(keys is not None)


def _rows(n_rows: int, group: Group) -> range:
    """The rows of a parameter that a process holds, as `torch.chunk` deals them out."""
    size = -(-n_rows // group.size)
    return range(min(n_rows, group.rank * size), min(n_rows, (group.rank + 1) * size))


def _shard(model: nn.Module, device: str, size: int) -> None:
    """Shard every layer of the model's own lists of layers by itself, for only they are sure to be called whole."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard  # by runs that need it alone, for it takes long to load

    # What is done in place is done to a copy, in float32.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")
    mesh = init_device_mesh(device, (size,))
    lists = [child for child in model.children() if isinstance(child, nn.ModuleList | nn.Sequential)]
    layers = [layer for each in lists for layer in each if any(True for _ in layer.parameters())]
    for module in (*layers, model):
        # The outermost too, which else would keep what an evaluation put together, and train on that.
        fully_shard(module, mesh=mesh, reshard_after_forward=True)
