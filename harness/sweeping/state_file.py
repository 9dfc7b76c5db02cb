"""States in files without code, each whole and sealed or not used at all.

A file is safetensors: the tensors, and in its header what is not a tensor, as JSON. Neither can hold code. The next one
replaces it in one step, after it is on disk, so that a good one is there at any time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.records.files import check_is_file, write_whole
from harness.records.seal import BLANK, is_sealed, seal
from harness.records.working_copy import pull_large, push
from harness.sweeping.kept import make_folders
from harness.sweeping.progress import remove
from harness.training.state import State

#: Version of what a file holds; others are left alone and trained anew.
FORMAT = "2"

_HEADER = "harness"


@dataclass(frozen=True)
class StateFile:
    """The file of one state.

    Attributes:
        about: what a file must say of itself to be used, as JSON has it.
        is_usable: whether what else it says of itself can be gone on from, given its step and facts.
    """

    results: Path
    path: Path
    about: Mapping[str, Any]
    is_usable: Callable[[int, dict[str, Any]], bool]

    def write(self, state: State) -> None:
        """Replace the file.

        Raises:
            UnwritableError: it cannot be written.
        """
        from safetensors.torch import save  # needed by long runs alone

        facts = {"about": self.about, "step": state.step, "facts": state.facts, "seal": BLANK}
        on_host = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
        make_folders(self.results, self.path.parent)
        write_whole(self.path, seal(save(on_host, metadata={_HEADER: json.dumps(facts)})))

    def push(self) -> None:
        """Put the file into the store, where its results are on one; raises UserError where that cannot be done."""
        push(self.path)

    def fetch(self) -> None:
        """Take what the store has in place of the file, where that is further; raises as `push`."""
        fetched = self.path.with_name(f"{self.path.name}.fetched")
        if pull_large(self.path, fetched):
            if _step(fetched) > _step(self.path):
                os.replace(fetched, self.path)
            else:
                fetched.unlink(missing_ok=True)

    def read(self) -> State | None:
        """What was written by the same code; None where there is none, or none that can be used."""
        with self._opened() as (file, known):
            if known is not None:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
                return State(known["step"], tensors, known["facts"])
        return None

    @property
    def step(self) -> int | None:
        """The step of what `read` gives; without reading the tensors."""
        with self._opened() as (_, known):
            return None if known is None else int(known["step"])

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, dict[str, Any] | None]]:
        """The file and what its header says; None for one that is absent, damaged or of another job."""
        from safetensors import SafetensorError, safe_open

        with ExitStack() as stack:
            try:
                check_is_file(self.path)
                sealed = is_sealed(self.path.read_bytes())
                file = stack.enter_context(safe_open(self.path, framework="pt"))
                known = json.loads((file.metadata() or {})[_HEADER])
                usable = sealed and known["about"] == self.about
                usable &= isinstance(known["step"], int) and isinstance(known["facts"], dict)
                usable = usable and self.is_usable(known["step"], known["facts"])
            except (OSError, SafetensorError, KeyError, ValueError, TypeError, RecursionError):
                usable = False
            yield (file, known) if usable else (None, None)

    def remove(self) -> None:
        """Remove the file, if there is one."""
        remove(self.path)


def _step(path: Path) -> int:
    """The step that a file says it is of; -1 for none."""
    found = (stated(path) or {}).get("step")
    return found if isinstance(found, int) else -1


def stated(path: Path) -> dict[str, Any] | None:
    """The header of a file, whoever it is of and whether or not it is whole; None where it has none."""
    from safetensors import SafetensorError, safe_open

    try:
        check_is_file(path)
        with safe_open(path, framework="pt") as file:
            known = json.loads(file.metadata()[_HEADER])
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RecursionError):
        return None
    return known if isinstance(known, dict) else None
