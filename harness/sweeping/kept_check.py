"""Kept checkpoints against the runs that they are of: what `harness verify` asks of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import DataError
from harness.ladder import identity_hash
from harness.records.kept import KEPT, check_whole, kept_files, read_contents
from harness.records.run_settings import parse_config
from harness.sweeping.recorded import Row
from harness.wording import counted


@dataclass
class KeptFindings:
    """What `examine_kept` found.

    Attributes:
        bad: file -> why it cannot be used.
        notes: what does no harm, a line each.
    """

    bad: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def examine_kept(results: Path, runs: Sequence[Row]) -> KeptFindings:
    """Read the kept checkpoints of a results folder and compare them with its runs.

    Each is as it was written, of the run and step that its path names, under settings that hash to the run's id, and
    has as many parameters as the run is recorded with. Noted are files of runs that are not recorded, and finished runs
    that were trained with `training.keep` and have no file at their end.
    """
    found, by_id = KeptFindings(), {run["run_id"]: run for run in runs}
    unrecorded, last = 0, dict[str, int]()
    for run_id, step, path in kept_files(results):
        if (problem := _problem(path, run_id, step, by_id.get(run_id))) is not None:
            found.bad[path] = problem
            continue
        unrecorded += run_id not in by_id
        last[run_id] = step
    if unrecorded:
        found.notes.append(f"{results / KEPT}: {counted(unrecorded, 'checkpoint')} of runs that are not recorded")
    lacking = [run_id for run_id, run in by_id.items() if _lacks_its_last(run, last.get(run_id))]
    if lacking:
        of_these = "finished run whose last checkpoint was to stay has none"
        if len(lacking) > 1:
            of_these = "finished runs whose last checkpoints were to stay have none"
        found.notes.append(f"{results / KEPT}: {len(lacking)} {of_these}; `harness redo redo.which=unkept` names them")
    return found


def _problem(path: Path, run_id: str, step: int, run: Row | None) -> str | None:
    try:
        contents = read_contents(path)
        check_whole(path)
    except DataError as error:
        return error.problem
    about = contents.about
    if (about.get("run_id"), about.get("step")) != (run_id, step):
        return f"foreign, holds step {about.get('step')} of run {about.get('run_id')}"
    if not isinstance(settings := about.get("settings"), dict) or identity_hash(settings) != run_id:
        return "run_id is not the hash of the settings in its header"
    n_params = sum(math.prod(shape) for name, shape in contents.shapes.items() if name.startswith("model."))
    if run is not None and n_params != run["params_total"]:
        return f"holds {n_params:,} parameters, and its run is recorded with {run['params_total']:,}"
    return None


def _lacks_its_last(run: Row, last: int | None) -> bool:
    """Whether a finished run was trained with `training.keep`, and has no file at the step at which it ended."""
    training = parse_config(run["config"]).get("training")
    if run["status"] != "finished" or not isinstance(training, dict) or training.get("keep", "none") == "none":
        return False
    # One whose patience ran out ended at a step that its row does not state.
    return last is None or (training.get("patience") is None and last != run["steps"])
