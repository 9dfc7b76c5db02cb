"""Offline runs of Weights & Biases, which ``wandb sync`` uploads when its owner says so; needs the package wandb.

``wandb/offline-run-TIME-RUN_ID`` for each run: its id is the run's id, its group the study, its project the experiment,
its config the settings, and its history the metrics by step (``eval/loss``, of a subtask ``eval/accuracy/NAME``) with
the tokens and FLOPs spent by then. ``wandb/exported.json`` remembers what was written, so that exporting again adds the
new runs alone, and writes those that have changed anew.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.records.exporters.recorded import Exported, Recorded, RecordedRun, without_numbers_in_words
from harness.records.files import write_whole

#: Beside the offline runs: run id -> hash of what was written of it.
LEDGER = "exported.json"


def write(recorded: Recorded, into: Path) -> Exported:
    """Write an offline run for each run that measured anything.

    Raises:
        UserError: the package wandb is not installed; the folder cannot be written, or its record of earlier exports
            cannot be read.
    """
    wandb = _wandb()
    place = into / "wandb"
    written = _read_ledger(place / LEDGER)
    counts = {"new": 0, "there": 0, "replaced": 0}
    for run in recorded.each():
        digest = _digest(run)
        earlier = sorted(place.glob(f"offline-run-*-{run.run_id}"))
        if earlier and written.get(run.run_id) == digest:
            counts["there"] += 1
            continue
        for folder in earlier:  # of another state of the run, or cut short
            shutil.rmtree(folder)
        _write_run(wandb, run, into)
        written[run.run_id] = digest
        write_whole(place / LEDGER, json.dumps(written, indent=0).encode())
        counts["replaced" if earlier else "new"] += 1
    notes = (f"upload them: wandb sync {place}/offline-run-*", *without_numbers_in_words(recorded))
    return Exported(into, counts["new"], counts["there"], counts["replaced"], notes)


def _wandb() -> Any:
    try:
        import wandb
    except ImportError as error:
        needed = "pip install -e '.[wandb]'"
        raise UserError(f"wandb: offline runs are written with the package wandb: {needed}") from error
    return wandb


def _write_run(wandb: Any, run: RecordedRun, into: Path) -> None:
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{into} cannot be written: {error.strerror or error}") from error
    log = wandb.init(
        mode="offline",  # whatever the environment says: nothing leaves this machine
        dir=str(into),
        id=run.run_id,
        name=run.name,
        group=str(run.row["study"]),
        project=str(run.row["experiment"]),
        job_type=str(run.row["task"]),
        config=run.settings,
        settings=wandb.Settings(
            silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True, x_disable_meta=True
        ),
    )
    for step, values in run.series.items():
        log.log(values, step=step)
    log.finish(exit_code=0 if run.row["status"] == "finished" else 1)


def _digest(run: RecordedRun) -> str:
    content = json.dumps([run.name, run.row["status"], run.settings, run.series], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def _read_ledger(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text())
        return {str(name): str(digest) for name, digest in content.items()}
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        problem = f"{path}: cannot be read as what earlier exports left there; remove it, or choose another folder"
        raise UserError(f"{problem} by --into") from error
