"""The optimizer's settings for every entry of the members' parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from harness.families.parametrization import factors, roles_of
from harness.ladder import Job


@dataclass(frozen=True)
class Rates:
    """The optimizer's settings entry by entry, the factors of the parametrization included.

    Attributes:
        lr_MP: (M, P) base learning rate, or (M, 1) where those of a member's entries are alike.
        decay_MP: (M, P) share by which a step at the base learning rate shrinks an entry; None without weight decay.
        eps_P: (P,), or (1,) where all are alike: AdamW's epsilon.
        matrices: (start, rows, columns) of each hidden matrix among the P entries, which Muon orthogonalises.
    """

    lr_MP: torch.Tensor
    decay_MP: torch.Tensor | None
    eps_P: torch.Tensor
    matrices: tuple[tuple[int, int, int], ...] = ()

    @classmethod
    def of(cls, job: Job, model: nn.Module, trained: Sequence[str], device: torch.device) -> Rates:
        """Those of a job's members, whose model this is, for the parameters that are trained."""
        settings, roles = job.settings, roles_of(model)
        optimizer = settings.optimizer
        parameters = {name: model.get_parameter(name) for name in trained}
        sizes = [parameter.numel() for parameter in parameters.values()]
        of_each = [
            factors(roles[name], job.rung.shape, settings.parametrization, optimizer.kind) for name in parameters
        ]
        lr_M1 = torch.tensor([[member.lr] for member in job.members])
        lr_MP = lr_M1.expand(-1, sum(sizes))
        matrices = hidden_matrices(model, trained) if optimizer.kind == "muon" else ()
        if optimizer.kind == "muon":
            of_muon = torch.zeros(sum(sizes), dtype=torch.bool)
            for start, rows, columns in matrices:
                of_muon[start : start + rows * columns] = True
            lr_MP = torch.where(of_muon, lr_MP, optimizer.adamw_lr)
        alike = len({each.eps for each in of_each}) == 1
        one_rate = optimizer.kind != "muon" and len({each.lr for each in of_each}) == 1
        eps_P = _spread([each.eps for each in of_each], sizes) * optimizer.eps
        decay_MP = lr_MP * _spread([each.decay for each in of_each], sizes) * optimizer.weight_decay
        lr_MP = lr_MP * _spread([each.lr for each in of_each], sizes)
        return cls(
            lr_MP=(lr_MP[:, :1] if one_rate else lr_MP).to(device),
            decay_MP=decay_MP.to(device) if optimizer.weight_decay else None,
            eps_P=(eps_P[:1] if alike else eps_P).to(device),
            matrices=matrices,
        )


def hidden_matrices(model: nn.Module, trained: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """(start, rows, columns), among trained parameters, of those whose fan-in and fan-out both grow with width."""
    roles, found, start = roles_of(model), [], 0
    for name in trained:
        parameter = model.get_parameter(name)
        if roles[name].kind == "hidden" and parameter.ndim >= 2:
            found.append((start, len(parameter), parameter[0].numel()))
        start += parameter.numel()
    return tuple(found)


def _spread(values: Sequence[float], sizes: Sequence[int]) -> torch.Tensor:
    """(P,) each parameter's value, repeated for all its entries."""
    return torch.from_numpy(np.repeat(np.asarray(values, dtype=np.float32), sizes))
