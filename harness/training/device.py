"""Where a run trains."""

from __future__ import annotations

import torch

from harness.errors import SettingError


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


def describe(device: torch.device) -> str:
    """The device as the runs table names it, e.g. "cpu" or "cuda:NVIDIA H100"."""
    return f"cuda:{torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


def synchronise(device: torch.device) -> None:
    """Wait until the work given to the device is done, so that a clock read next is true."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
