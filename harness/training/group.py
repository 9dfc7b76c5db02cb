"""The processes that train one job together, each on its share of every batch: `launcher.gpus_per_run` of them.

All draw the same batches and take the same steps. Gradients of their shares are summed, as those of micro-batches are,
and what the clock or one evaluation decides is decided by the first of them, whose word the others follow.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

#: How long the others may keep one waiting, as it writes a checkpoint. One that dies is noticed at once, by the sweep.
_PATIENCE = timedelta(minutes=30)


@dataclass(frozen=True)
class Group:
    """As one of its processes sees it.

    Attributes:
        rank: of this process, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def here(cls) -> Group:
        """That of this process; alone where it has joined none."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return ALONE
        return cls(distributed.get_rank(), distributed.get_world_size())

    def add(self, *tensors: torch.Tensor) -> None:
        """Put into each tensor, in place, the sum of what all processes have there."""
        if self.size > 1:
            for tensor in tensors:
                distributed.all_reduce(tensor)

    def agree(self, *numbers: int) -> list[int]:
        """The numbers of the first process, for all."""
        if self.size == 1:
            return list(numbers)
        # On the host, so that no device waits for it.
        said = torch.tensor(numbers, dtype=torch.int64)
        distributed.broadcast(said, src=0)
        return [int(number) for number in said.tolist()]

    def gather(self, rows: torch.Tensor) -> torch.Tensor:
        """The rows (R, ...) of all processes, which have as many each, one after the other: (size R, ...)."""
        if self.size == 1:
            return rows
        gathered = [torch.empty_like(rows) for _ in range(self.size)]
        distributed.all_gather(gathered, rows.contiguous())
        return torch.cat(gathered)


#: A process that trains its jobs by itself.
ALONE = Group()


def join(rank: int, size: int, meeting: str, device: str) -> None:
    """Become one of a group on this machine; waits for the others.

    The environment has the variables that torchrun would set, for a family's own code.

    Args:
        meeting: the path of a file that none but they use; no port is taken for it.
        device: the kind of device that they train on: NCCL connects GPUs, of which each process sees its own alone, and
            gloo processors.

    Raises:
        RuntimeError: they cannot be connected.
    """
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size)}
    if device == "cuda":
        # torch takes the local rank for the number of a GPU.
        os.environ["LOCAL_RANK"] = "0"
        torch.cuda.set_device(0)
    else:
        os.environ["LOCAL_RANK"] = str(rank)
    if sys.platform == "linux":  # all are on this machine, whatever its name resolves to
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
    store = distributed.FileStore(meeting, size)
    distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)
