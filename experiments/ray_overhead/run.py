"""What a job costs on Ray beyond its training, against the same jobs on processes of this machine.

    python experiments/ray_overhead/run.py [--jobs 40] [--rounds 3]      (2 cores, about 2 minutes)

Needs the package ray; says so where there is none.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

import harness
from harness.config import compose
from harness.ladder import Job
from harness.sweeping.display import Lines
from harness.sweeping.failures import Ended
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
    if importlib.util.find_spec("ray") is None:
        print("ray_overhead: no package ray in this environment; nothing was run")
        return 0
    found: dict[str, list[tuple[float, float]]] = {"local": [], "ray": []}
    measured("ray", 2)  # starts Ray, and the operating system has read what it loads
    measured("local", 2)
    for _ in range(args.rounds):
        for engine, its in found.items():
            its.append(measured(engine, args.jobs))
    print(f"{args.jobs} jobs of 20 steps on one worker, median of {args.rounds} rounds")
    for engine, its in found.items():
        first_s, beyond_s = (statistics.median(column) for column in zip(*its, strict=True))
        then = f"a further one in {1e3 * beyond_s:.1f} ms + its training"
        print(f"{engine:5}  first job recorded after {first_s:.2f} s, {then}")
    return 0


class Notes(Lines):
    """When each job has ended, and nothing printed."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__(Console(quiet=True), jobs, lambda job: 1.0)
        self.ended_at: list[float] = []

    def ended(self, job: Job, runs: list[Ended]) -> None:
        self.ended_at.append(time.monotonic())
        super().ended(job, runs)


def measured(engine: str, n_jobs: int) -> tuple[float, float]:
    """Seconds until the first job is recorded, and seconds of a further one beyond its training; one worker."""
    with tempfile.TemporaryDirectory() as folder:
        (study,) = compose(*STUDY, f"seeds={n_jobs}", f"results={folder}/results", f"launcher={engine}")
        jobs = [job for cell in cells(study) for job in pending(cell, {}, "cpu")]
        began, notes = time.monotonic(), Notes(jobs)
        with joined(Path(study.results)) as share:
            shares = Shares([share])
            run_jobs(jobs, crew_of(jobs, 1, shares), None, notes, shares)
        first = jobs[0].members[0].run_id
        trained_s = (
            harness.load(study.results).drop_duplicates("run_id").set_index("run_id")["wall_s"].drop(first).sum()
        )
    span_s = notes.ended_at[-1] - notes.ended_at[0]
    return notes.ended_at[0] - began, (span_s - trained_s) / (n_jobs - 1)


if __name__ == "__main__":
    raise SystemExit(main())
