"""Where a run trains."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch

from harness.errors import SettingError
from harness.settings import Settings


def resolve(device: str) -> torch.device:
    """The device for `training.device`: "auto" takes CUDA, then MPS, then CPU.

    Raises:
        SettingError: a device that this machine does not have.
    """
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available.insert(0, "cuda")
    if device == "auto":
        return torch.device(available[0])
    if device not in available:
        raise SettingError("training.device", device, f"what this machine has: {', '.join(available)}, or auto")
    return torch.device(device)


def device_of(studies: Sequence[Settings]) -> torch.device:
    """Where studies train, which is the same for all of them.

    Raises:
        SettingError: a device that this machine does not have, or a precision that the device does not.
    """
    device = resolve(studies[0].training.device)
    for study in studies:
        refuse_precision(device, study.training.precision)
    return device


def cards_for(device: torch.device) -> int:
    """How many GPUs this process sees for what trains on such a device; it starts none of them."""
    return torch.cuda.device_count() if device.type == "cuda" else 0


def cards_of(worker: int, each: int, cards: int) -> list[int]:
    """The GPUs of the worker of that number, from 0, `each` for every one; workers beyond them share GPUs.

    Args:
        cards: how many there are; with fewer than two nobody need be told, and the list is empty.
    """
    return [] if cards < 2 else [(worker * each + i) % cards for i in range(each)]


def see_only(card: int) -> None:
    """Let this process, which has used no GPU yet, see the one of that number alone.

    Then all that asks for the GPU means that one, in every thread, and nothing is left of a context on another.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[card] if visible else str(card)


def refuse_precision(device: torch.device, precision: str) -> None:
    """Raise SettingError for a `training.precision` that a device has no arithmetic for; a CPU has all of them."""
    if precision != "bfloat16" or device.type == "cpu":
        return
    try:
        has = torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else _multiplies(device)
    except TypeError:  # an older torch, which does not count emulation
        has = torch.cuda.is_bf16_supported()
    if not has:
        raise SettingError("training.precision", precision, f"float32 on {describe(device)}, which has no bfloat16")


def _multiplies(device: torch.device) -> bool:
    """Whether a device takes a product in bfloat16."""
    try:
        one = torch.ones(1, 1, dtype=torch.bfloat16, device=device)
        return bool((one @ one).item() == 1)
    except (RuntimeError, TypeError):
        return False


def describe(device: torch.device) -> str:
    """The device as the runs table names it, e.g. "cpu" or "cuda:NVIDIA H100"."""
    return f"cuda:{torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


def synchronise(device: torch.device) -> None:
    """Wait until the work given to the device is done, so that a clock read next is true."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
