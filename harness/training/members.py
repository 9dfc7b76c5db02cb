"""Members of one rung side by side: one tensor of parameters, one traced step for all of them.

Each model stays the plain module that its family wrote. `vmap` runs it over members; the forward and backward pass is
traced once into plain tensor operations and replayed, which spares vmap's dispatch at every step (measured in
experiments/members).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, vjp, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from harness.families.check import check_counts
from harness.families.parametrization import initialise, lr_factor, roles_of
from harness.ladder import Job

# A missing batching rule only costs speed, and one loop over members is what training them alone would be.
warnings.filterwarnings("ignore", message="There is a performance drop because we have not yet implemented")

LossAndGrad = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


@dataclass
class Stack:
    """M members of one model.

    Attributes:
        skeleton: the module without storage, run on parameters given from outside.
        params_MP: (M, P) all parameters of each member.
        lr_MP: (M, P) base learning rate of each entry, the parametrization's factors included.
        decays_P: (P,) 1 where weight decay applies.
        bfloat16: whether matrix products run in bfloat16 under autocast.
    """

    skeleton: nn.Module
    params_MP: torch.Tensor
    lr_MP: torch.Tensor
    decays_P: torch.Tensor
    bfloat16: bool

    @classmethod
    def of(cls, job: Job, device: torch.device) -> Stack:
        """Build and initialise the members of a job; each member's values depend on its own seed alone."""
        settings, shape = job.settings, job.rung.shape
        model = settings.family.build(shape, settings.task.signature, settings.parametrization)
        check_counts(model, settings.family, shape, settings.task.signature)
        roles = roles_of(model)
        rows = []
        for member in job.members:
            generator = torch.Generator().manual_seed(member.seed)
            initialise(model, shape.width, settings.parametrization, generator)
            rows.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
        sizes = [p.numel() for p in model.parameters()]
        factors = [
            lr_factor(roles[name], shape.width, settings.parametrization, settings.optimizer.kind)
            for name, _ in model.named_parameters()
        ]
        decays = [float(roles[name].decays) for name, _ in model.named_parameters()]
        lr_M1 = torch.tensor([[member.lr] for member in job.members])
        return cls(
            skeleton=model.to("meta"),
            params_MP=torch.stack(rows).to(device),
            lr_MP=(lr_M1 * _spread(factors, sizes)).to(device),
            decays_P=_spread(decays, sizes).to(device),
            bfloat16=settings.training.precision == "bfloat16",
        )

    def by_name(self) -> dict[str, torch.Tensor]:
        """Views of `params_MP` as each parameter's (M, *shape)."""
        views, start = {}, 0
        for name, parameter in self.skeleton.named_parameters():
            stop = start + parameter.numel()
            views[name] = self.params_MP[:, start:stop].unflatten(1, parameter.shape)
            start = stop
        return views

    def logits(self, params: dict[str, torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
        """(M, B, ...) inputs, one batch a member -> (M, B, S, n_outputs) float32 logits."""

        def one(member_params: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
            with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bfloat16):
                return functional_call(self.skeleton, member_params, (x,))

        return vmap(one)(params, inputs).float()

    def losses(
        self, params: dict[str, torch.Tensor], inputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        """(M,) weighted sum of cross-entropy, in nats; targets and weights are (M, B, S)."""
        logits = self.logits(params, inputs)
        nll = F.cross_entropy(logits.flatten(0, 2), targets.flatten(), reduction="none").view(targets.shape)
        return (nll * weights).flatten(1).sum(dim=1)

    def trace(self, inputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> LossAndGrad:
        """A function of batches of this shape: (M,) losses and (M, P) their gradient at the current parameters."""

        def loss_and_grad(
            params: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor, w: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            losses, pull, *_ = vjp(lambda p: self.losses(p, x, y, w), params)
            (grads,) = pull(torch.ones_like(losses))
            return losses, torch.cat([grad.flatten(1) for grad in grads.values()], dim=1)

        params = self.by_name()
        graph = make_fx(loss_and_grad)(params, inputs, targets, weights)
        return lambda x, y, w: graph(params, x, y, w)


def _spread(values: Sequence[float], sizes: Sequence[int]) -> torch.Tensor:
    return torch.tensor(values).repeat_interleave(torch.tensor(sizes))
