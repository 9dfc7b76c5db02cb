"""Checkpoints of a job in training, damaged: each is read as it was written or passed over, and no code in it runs."""

from __future__ import annotations

import json
import pickle
import random
import struct
from functools import cache
from pathlib import Path
from typing import Any

import odd
import torch
from sandbox import Case, Ran

from harness.config import compose
from harness.ladder import Job
from harness.sweeping.checkpoints import JobCheckpoints
from harness.sweeping.plan import cells
from harness.training.state import State

_NAME = "written.safetensors"


@cache
def _job() -> Job:
    study = ("family=mlp", "task=parity", "ladder.widths=[4]", "ladder.steps=5", "seeds=2", "results=.", "name=x")
    return next(iter(cells(compose(*study)[0])))


@cache
def _good() -> bytes:
    """A checkpoint as it is written."""
    checkpoint = JobCheckpoints(_job())
    state = State(3, {"w": torch.arange(6.0).reshape(2, 3), "seen": torch.tensor([1, 2])}, {"loss": [1.0, None]})
    checkpoint.write(state)
    content = checkpoint.path.read_bytes()
    checkpoint.remove()
    return content


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def _header_near(rng: random.Random, content: bytes) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    match rng.randrange(3):
        case 0:
            header = odd.json_near(rng, header)
        case 1:
            header["__metadata__"]["harness"] = odd.as_json(
                odd.json_near(rng, json.loads(header["__metadata__"]["harness"]))
            ).decode()
        case 2:
            header["__metadata__"]["harness"] = rng.choice(("", "[]", "null", "1", "{}", "[" * 5000, '"a"', "NaN"))
    new = odd.as_json(header)
    stated = rng.choice((len(new),) * 6 + (0, 2**63, 2**64 - 1, len(new) + 8))
    return struct.pack("<Q", stated) + new + content[8 + length :]


def make(rng: random.Random) -> Case:
    """A file in place of a checkpoint, and the reading of it."""
    kind = rng.random()
    with_code = kind < 0.05
    seed = rng.randrange(2**32)

    def read() -> Any:
        mine = random.Random(seed)
        good = _good()
        content = pickle.dumps(_Evil()) if with_code else (_header_near if kind < 0.6 else odd.bytes_near)(mine, good)
        checkpoint = JobCheckpoints(_job())
        checkpoint.path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.path.write_bytes(content)
        step, state = checkpoint.step, checkpoint.read()
        return content == good, step, state, Path("ran").exists()

    return Case((f"checkpoint {seed} {kind}",), check=_is_right, call=read)


def _is_right(ran: Ran) -> str:
    if ran.code:
        return ""
    whole, step, state, code_ran = ran.value
    if code_ran:
        return "code of the file was run"
    if whole and state is None:
        return "a good checkpoint is passed over"
    if (step is None) != (state is None):
        return f"step {step}, and a state that is {'none' if state is None else 'one'}"
    return ""
