"""What a job costs beyond its training: on processes of this machine, on Ray, and in a task of a Slurm array.

    python experiments/start_overhead/run.py [--jobs 40] [--rounds 3]      (2 cores, about 3 minutes)

Ray and Slurm are left out, and that is said, where they are not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

import harness
from harness.config import compose
from harness.ladder import Job
from harness.records.writer import PIECES
from harness.settings import Settings
from harness.sweeping.display import Lines
from harness.sweeping.failures import Ended
from harness.sweeping.launchers.standing import standings
from harness.sweeping.launchers.submission import submissions
from harness.sweeping.launchers.submitting import submit_missing
from harness.sweeping.plan import cells, pending
from harness.sweeping.pool import run_jobs
from harness.sweeping.share import Shares, joined
from harness.sweeping.workplace import crew_of

STUDY = [
    "family=mlp",
    "task=parity",
    "task.n_subtasks=4",
    "ladder.widths=[8]",
    "ladder.steps=20",
    "training.device=cpu",
]
STUDY += ["launcher.members_together=1", "launcher.step=replayed", "training.evaluations=2"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    there = {"local": True, "ray": importlib.util.find_spec("ray"), "slurm": shutil.which("sbatch")}
    print("".join(f"{engine} is not installed here: left out\n" for engine, has in there.items() if not has), end="")
    found: dict[str, list[tuple[float, float]]] = {engine: [] for engine, has in there.items() if has}
    for engine in found:
        measured(engine, 2)  # starts Ray, and the operating system has read what they load
    for _ in range(args.rounds):
        for engine, its in found.items():
            its.append(measured(engine, args.jobs))
    print(f"{args.jobs} jobs of 20 steps on one worker, median of {args.rounds} rounds")
    for engine, its in found.items():
        first_s, beyond_s = (statistics.median(column) for column in zip(*its, strict=True))
        then = f"a further one in {1e3 * beyond_s:.1f} ms + its training"
        print(f"{engine:5}  first job recorded after {first_s:.2f} s + its training, {then}")
    return 0


class Notes(Lines):
    """When each job has ended, and nothing printed."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__(Console(quiet=True), jobs, lambda job: 1.0)
        self.ended_at: list[float] = []

    def ended(self, job: Job, runs: list[Ended]) -> None:
        self.ended_at.append(time.time())
        super().ended(job, runs)


def measured(engine: str, n_jobs: int) -> tuple[float, float]:
    """Seconds until the first job is recorded, and seconds of a further one, beyond their training; one worker.

    The first one's begin when a worker is asked for, or Slurm gives the task its node.
    """
    with tempfile.TemporaryDirectory() as folder:
        of_engine = [f"launcher={engine}", *(["launcher.at_once=1"] if engine == "slurm" else [])]
        (study,) = compose(*STUDY, *of_engine, f"seeds={n_jobs}", f"results={folder}/results")
        began_at, ended_at = (of_task if engine == "slurm" else of_crew)(study)
        runs = harness.load(study.results).drop_duplicates("run_id").sort_values("finished_at")
    first_s, *others_s = runs["wall_s"]
    first, *_, last = sorted(ended_at)
    return first - began_at - first_s, (last - first - sum(others_s)) / (n_jobs - 1)


def of_crew(study: Settings) -> tuple[float, list[float]]:
    """When a crew was asked for, and when each job had ended."""
    jobs = [job for cell in cells(study) for job in pending(cell, {}, "cpu")]
    began, notes = time.time(), Notes(jobs)
    with joined(Path(study.results)) as share:
        shares = Shares([share])
        run_jobs(jobs, crew_of(jobs, 1, shares), None, notes, shares)
    return began, notes.ended_at


def of_task(study: Settings) -> tuple[float, list[float]]:
    """When Slurm gave the one task its node, and when each run was recorded."""
    submit_missing([study], Console(quiet=True), datetime.now(UTC))
    (made,) = submissions(Path(study.results))
    while not _has_node(str(made.array_id)):
        time.sleep(0.02)
    began, pieces = time.time(), Path(study.results) / PIECES
    while standings(Path(study.results)):
        time.sleep(1)
    return began, [piece.stat().st_mtime for piece in pieces.glob("*.parquet")]


def _has_node(array_id: str) -> bool:
    asked = ["squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={array_id}"]
    return "PENDING" not in subprocess.run(asked, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    raise SystemExit(main())
