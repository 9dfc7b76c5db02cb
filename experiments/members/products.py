"""Time products of float32 matrices on one core of this machine: as torch multiplies, and by oneDNN.

python experiments/members/products.py      (one core, half a minute)

Forward y = x w^T, and in the backward pass the gradients of x and of w, for n_positions x n_inputs inputs and n_outputs
outputs; the time of oneDNN holds what it copies.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from harness.training.products import FROM, one_dnn

SIZES = [
    (64, 16, 16),
    (64, 64, 64),
    (512, 16, 64),
    (512, 16, 256),
    (256, 50, 256),
    (2048, 32, 128),
    (2048, 64, 256),
    (2048, 256, 1024),
]


def microseconds(function: Callable[[], object], rounds: int = 5, seconds: float = 0.1) -> float:
    """The least of the mean times of a call."""
    function()
    start = time.thread_time()
    function()
    calls = max(3, int(seconds / max(time.thread_time() - start, 1e-6)))
    means = []
    for _ in range(rounds):
        start = time.thread_time()
        for _ in range(calls):
            function()
        means.append((time.thread_time() - start) / calls)
    return 1e6 * min(means)


def main() -> None:
    torch.set_num_threads(1)
    if not one_dnn():
        raise SystemExit("this torch has no product of oneDNN for this processor: all products are torch.mm's")
    linear = torch.ops.mkldnn._linear_pointwise.default
    table = Table(
        "positions", "inputs", "outputs", "y", "", "of x", "", "of w", "", "goes to", title="torch.mm, oneDNN, us"
    )
    for positions, n_in, n_out in SIZES:
        x, w, g = torch.randn(positions, n_in), torch.randn(n_out, n_in), torch.randn(positions, n_out)
        pairs: list[tuple[Callable[[], object], Callable[[], object]]] = [
            (lambda x=x, w=w: torch.mm(x, w.t()), lambda x=x, w=w: linear(x, w, None, "none", [], "")),
            (lambda g=g, w=w: torch.mm(g, w), lambda g=g, w=w: linear(g, w.t(), None, "none", [], "")),
            (lambda g=g, x=x: torch.mm(x.t(), g), lambda g=g, x=x: linear(x.t(), g.t(), None, "none", [], "")),
        ]
        times = [f"{microseconds(way):.0f}" for pair in pairs for way in pair]
        goes = "oneDNN" if positions * n_in * n_out >= FROM else "torch.mm"
        table.add_row(*map(str, (positions, n_in, n_out)), *times, goes)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
