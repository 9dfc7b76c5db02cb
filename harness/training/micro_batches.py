"""The batch of a step in micro-batches, whose losses and gradients are summed: the same step in less memory.

Of a group of processes that train a job together each takes its share of them, and all have the sums.

A batch's weights are normalised over the whole of it, and dropout draws the masks that the whole would have: what
differs from a step that is not split is the order of floating-point additions.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from harness.errors import IndivisibleError
from harness.ladder import Job
from harness.training.gradients import Gradient, gradient_of
from harness.training.members import Keys, Stack

#: Share of the largest output by which those of an example may differ beside another; in bfloat16 rounding takes 1 %.
_ALIKE = 0.05


def gradient_in_parts(
    job: Job,
    stack: Stack,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    keys: Keys,
    compile: bool = False,
) -> Gradient:
    """`gradient_of` for batches of this shape, in the job's micro-batches, those of all processes of a group together.

    Raises:
        IndivisibleError: the loss of a batch is not the sum of the losses of its parts.
    """
    group = stack.group
    n_parts = job.micro_batches * group.size
    if n_parts == 1:
        return gradient_of(stack, inputs, targets, weights, keys, compile)
    if (reason := _why_whole(job, stack, inputs)) is not None:
        raise IndivisibleError(f"the batch cannot be split: {reason}")
    own = slice(job.micro_batches * group.rank, job.micro_batches * (group.rank + 1))

    def split(*wholes: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
        return list(zip(*(whole.tensor_split(n_parts, dim=1) for whole in wholes), strict=True))

    parts = split(inputs, targets, weights)
    sizes = [part[0].shape[1] for part in parts]
    # Made once, for a device is not to wait for the host within a step.
    of_parts = [stack.dropout_parts(sum(sizes[:i]), size) for i, size in enumerate(sizes)][own]
    traced: dict[int, Gradient] = {}  # by the size of a micro-batch, of which there are two at most
    for size, of_part, part in zip(sizes[own], of_parts, parts[own], strict=True):
        if size not in traced:
            traced[size] = gradient_of(stack, part[0], part[1], part[2], keys | of_part, compile)

    def gradient(
        inputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, keys: Keys
    ) -> tuple[torch.Tensor, torch.Tensor]:
        losses_M, grad_MP = torch.zeros(()), torch.zeros(())
        for of_part, (x, y, w) in zip(of_parts, split(inputs, targets, weights)[own], strict=True):
            losses, grad = traced[x.shape[1]](x, y, w, keys | of_part)
            losses_M, grad_MP = losses_M + losses, grad.add_(grad_MP)
        # Shards of a gradient are sums over the group already.
        group.add(losses_M, *([] if stack.shards else [grad_MP]))
        return losses_M, grad_MP

    return gradient


def _why_whole(job: Job, stack: Stack, inputs: torch.Tensor) -> str | None:
    """Why a batch cannot be split, in a line; None where it can.

    A model is tried on two examples, together and each alone. Parameters at 0, as of a readout that is not trained
    yet, are moved from there, for they would hide what is before them.
    """
    if job.settings.loss.kind == "contrastive":
        return "loss=contrastive compares all views of a batch"
    params_MP = stack.params_MP
    noise = torch.randn(params_MP.shape, generator=torch.Generator().manual_seed(0)).to(params_MP.device)
    tried = replace(stack, params_MP=torch.where(params_MP == 0, 0.02 * noise, params_MP))
    other = int((inputs[0] != inputs[0, :1]).flatten(1).sum(dim=1).argmax())
    pair = inputs[:, [0, other]]
    try:
        alone = torch.cat([tried.logits(tried.by_name(), one) for one in pair.split(1, dim=1)], dim=1)
    except ValueError as error:  # as of torch's batch normalisation
        return str(error).splitlines()[0]
    together = tried.logits(tried.by_name(), pair)
    if (together - alone).abs().max() > _ALIKE * together.abs().max():
        return "the model's outputs for an example depend on the others in its batch, as under batch normalisation"
    return None
