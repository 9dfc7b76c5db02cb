"""Kept checkpoints of a results folder: one safetensors file a run and step, read here without torch.

``checkpoints/RUN_ID/step-STEP.safetensors`` holds the tensors, and in its header, as JSON, what they are. Neither can
hold code.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import DataError, warn_of_runs
from harness.records.folders import find_folder
from harness.records.pieces import move_aside
from harness.records.seal import is_sealed
from harness.records.store import load_runs
from harness.records.working_copy import pull_missing
from harness.wording import counted

#: Folder, inside a results folder, of kept checkpoints.
KEPT = "checkpoints"
#: Where the header has its JSON.
HEADER = "harness"

_RUN = re.compile(r"[0-9a-f]{16}")
_FILE = re.compile(r"step-([0-9]{1,18})\.safetensors")


def step_file(step: int) -> str:
    """The name of the file of a step, in the folder of its run."""
    return f"step-{step}.safetensors"


def kept_steps(folder: Path) -> dict[int, Path]:
    """The files of a run's folder by their steps, in order; links, of the folder or in it, are not followed."""
    if folder.is_symlink() or not folder.is_dir():
        return {}
    names = [entry.name for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)]
    return dict(sorted((int(match[1]), folder / match[0]) for name in names if (match := _FILE.fullmatch(name))))


def kept_files(results: Path) -> Iterator[tuple[str, int, Path]]:
    """(run_id, step, file) of every kept checkpoint, as folders and files are named."""
    folder = results / KEPT
    if folder.is_symlink() or not folder.is_dir():
        return
    for run_id in sorted(filter(_RUN.fullmatch, os.listdir(folder))):
        for step, path in kept_steps(folder / run_id).items():
            yield run_id, step, path


@dataclass(frozen=True)
class Contents:
    """What a kept checkpoint says of itself.

    Attributes:
        about: what its header holds (see the manual, "Checkpoints that stay").
        shapes: tensor -> its shape.
        digest: SHA-256 of the file, in hexadecimal digits.
    """

    about: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    digest: str


def read_contents(path: Path) -> Contents:
    """Read the header of a kept checkpoint; its tensors are not read.

    Raises:
        DataError: it cannot be read, is not complete, or is not of the harness.
    """
    from safetensors import SafetensorError, safe_open  # needed for checkpoints alone

    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {})[HEADER])
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no dict
    except (OSError, SafetensorError) as error:
        raise DataError(f"cannot be read: {str(error).splitlines()[0]}", source=path) from error
    except (KeyError, ValueError, RecursionError) as error:
        raise DataError("its header is not that of a checkpoint of the harness", source=path) from error
    if not isinstance(about, dict):
        raise DataError("its header is not that of a checkpoint of the harness", source=path)
    return Contents(about, shapes, str(about.pop("seal", "")).rpartition("=")[2])


def check_whole(path: Path) -> None:
    """Raise DataError where a byte of a kept checkpoint is not as it was written."""
    if not is_sealed(path.read_bytes()):
        raise DataError("corrupt, not as it was written", source=path)


def checkpoints(results: Path | str) -> pd.DataFrame:
    """The checkpoints that a results folder has kept (``training.keep``), a row each; torch is not needed.

    Args:
        results: the folder, as `load` takes it.

    Returns:
        ``run_id``, ``step``, ``path`` and ``bytes``, ``tokens`` and training ``flops`` up to the step, and the columns
        of the run: ``study``, ``family``, ``width``, ``params_total``, ``seed``, ``lr``, ``status``, ... Sorted by
        study, size and run, then by step; empty where none is kept. Files that cannot be used and those of runs that
        are not recorded are left out, and a `RunsWarning` counts them.

    Raises:
        DataError: no such folder, or no run in it.

    Examples:
        >>> kept = harness.checkpoints("results/quickstart")  # doctest: +SKIP
        >>> last = kept.groupby("run_id").tail(1)  # doctest: +SKIP
        >>> model = harness.load_model(last["path"].iloc[0])  # doctest: +SKIP
    """
    folder = find_folder(results)
    pull_missing(folder / KEPT)
    runs = load_runs(folder).drop(columns=["tokens", "flops"])
    rows, left_out = [], 0
    for run_id, step, path in kept_files(folder):
        try:
            about = read_contents(path).about
            row = {"run_id": run_id, "step": step, "path": str(path), "bytes": path.stat().st_size}
            rows.append(row | {"tokens": int(about["tokens"]), "flops": float(about["flops"])})
        except (DataError, KeyError, TypeError, ValueError, OverflowError):
            left_out += 1
    columns = ["run_id", "step", "path", "bytes", "tokens", "flops"]
    frame = pd.DataFrame(rows, columns=columns).merge(runs, on="run_id", how="inner")
    if n_out := left_out + len(rows) - len(frame):
        warn_of_runs(f"{counted(n_out, 'checkpoint')} left out: `harness verify {folder}` says why")
    return frame.sort_values(["study", "rung", "duration", "lr", "seed", "run_id", "step"], ignore_index=True)


def set_kept_aside(results: Path, path: Path) -> Path:
    """Move a kept checkpoint to where no reader looks for it; returns its new path.

    Raises:
        UnwritableError: the folder cannot be written.
    """
    return move_aside(results, path, f"{path.parent.name}.{path.name}")
