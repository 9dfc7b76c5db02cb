"""Muon over all members at once: momentum, orthogonalised matrix by matrix.

Keller Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"
(https://kellerjordan.github.io/posts/muon/). The products of the orthogonalisation are no part of a run's counted
training FLOPs, which are those of the model's forward and backward pass under every optimizer.
"""

from __future__ import annotations

from collections import defaultdict

import torch

from harness.settings import OptimizerSettings
from harness.training.adamw import AdamW
from harness.training.rates import Rates

#: The quintic a X + b (X X^T) X + c (X X^T)^2 X, and how often it is applied.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5


class Muon:
    """Muon for the hidden matrices, AdamW for all other parameters.

    With m the momentum and G the gradient of an r x c matrix (a convolution's kernel as one of r outputs):

        V <- m V + (1 - m) G
        W <- W - lr sqrt(max(1, r / c)) O,   O = `orthogonalised` of V, or of m V + (1 - m) G with Nesterov's momentum

    This scale is that of the reference code and of torch.optim.Muon ("original"): the step's largest singular value is
    about lr times the root of outputs over inputs, so that one learning rate serves all widths. Weight decay is
    decoupled.

    Args:
        params_MP: (M, P) parameters, changed in place.
        rates: learning rate, decay and epsilon of each entry, and where the hidden matrices lie.
        settings: momentum and nesterov; beta1 and beta2 of AdamW.
    """

    def __init__(self, params_MP: torch.Tensor, rates: Rates, settings: OptimizerSettings) -> None:
        self.params, self.rates, self.settings = params_MP, rates, settings
        self.velocity = torch.zeros_like(params_MP)
        by_shape, others_P = defaultdict(list), torch.ones(params_MP.shape[1], dtype=torch.bool)
        for start, rows, columns in rates.matrices:
            end = start + rows * columns
            by_shape[rows, columns].append(torch.arange(start, end))
            others_P[start:end] = False
        #: Shape of a matrix -> the entries of all matrices of this shape, one after the other.
        self.entries = {shape: torch.cat(parts).to(params_MP.device) for shape, parts in by_shape.items()}
        self.others_P = others_P.to(params_MP.device)
        self.adamw = AdamW(params_MP, rates, settings)

    def factors(self, step: int, lr_multiplier: float) -> tuple[float, ...]:
        """Those of AdamW; the first is the schedule's factor on both learning rates."""
        return self.adamw.factors(step, lr_multiplier)

    def update(self, grad_MP: torch.Tensor, factors_F: torch.Tensor) -> None:
        """Take a step; `factors_F` are those of it, float32 on the device."""
        momentum = self.settings.momentum
        self.velocity.lerp_(grad_MP, 1 - momentum)
        ahead = grad_MP.lerp(self.velocity, momentum) if self.settings.nesterov else self.velocity
        # AdamW sees a gradient of zero for the matrices, which moves them by weight decay alone.
        self.adamw.update(grad_MP * self.others_P, factors_F)
        for (rows, columns), entries in self.entries.items():
            matrices = ahead[:, entries].view(len(ahead), -1, rows, columns)
            update = orthogonalised(matrices).flatten(1) * max(1.0, rows / columns) ** 0.5
            self.params[:, entries] -= factors_F[0] * self.rates.lr_MP[:, entries] * update

    @property
    def averages(self) -> dict[str, torch.Tensor]:
        """What it remembers of earlier gradients, by name; AdamW's too."""
        return {"velocity": self.velocity} | self.adamw.averages


def orthogonalised(matrices: torch.Tensor) -> torch.Tensor:
    """Matrices (..., r, c) with their singular values brought near 1 (0.7 to 1.2), by a Newton-Schulz iteration."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / x.flatten(-2).norm(dim=-1)[..., None, None].clamp(min=1e-7)
    for _ in range(STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.mT if tall else x
