"""A sweep on Slurm under preemptions and killed tasks, against the same sweep on this machine, left alone.

    python experiments/slurm_faults/run.py [--preemptions 100] [--outranked 0] [--kills 20]  (2 cores, about 15 minutes)

Needs Slurm's commands and a partition, such as `tests/support/one_node_slurm.py` makes; says so where there
are none.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import harness
from harness.records.store import finished_run_ids
from harness.sweeping.launchers.standing import Standing, standings
from harness.sweeping.presence import read_sweeper

STUDY = ["family=mlp", "task=parity", "task.n_subtasks=4", "ladder.widths=[4,8,16,32,64]", "ladder.steps=20000"]
STUDY += ["seeds=10", "launcher.members_together=1", "launcher.step=replayed", "training.checkpoint_s=2"]
#: So short that every run gets a task.
SLURM = ["launcher=slurm", "launcher.minutes=0.3", "launcher.at_once=2"]
RESULTS, ALONE = Path("results/slurm_faults"), Path("results/slurm_faults_alone")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preemptions", type=int, default=100)
    parser.add_argument(
        "--outranked", type=int, default=0, help="preemptions by a job of --partition, which must do that"
    )
    parser.add_argument("--partition", default="high")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if shutil.which("sbatch") is None:
        print("slurm_faults: no Slurm on this machine (sbatch); nothing was run")
        return 0
    for folder in (RESULTS, ALONE):
        shutil.rmtree(folder, ignore_errors=True)
    sweep("name=slurm_faults_alone", *STUDY)
    draw, started = random.Random(args.seed), time.monotonic()
    to_do = ["preempted"] * args.preemptions + ["killed"] * args.kills + ["outranked"] * args.outranked
    draw.shuffle(to_do)
    done, n_submitted = Counter[str](), 0
    while len(finished_run_ids(RESULTS)) < 50 if RESULTS.exists() else True:
        found = standings(RESULTS) if RESULTS.exists() else []
        if not found or any(each.lost for each in found):
            sweep("name=slurm_faults", *STUDY, *SLURM)
            n_submitted += 1
            continue
        if to_do and (fault := strike(to_do[-1], found, draw, args.partition)):
            done[fault] += 1
            to_do.pop()
        time.sleep(draw.expovariate(1.0))
    took = time.monotonic() - started
    print(f"{dict(done)} in {took:.0f} s; {n_submitted} submissions")
    return compared()


def sweep(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "harness", "sweep", *words], check=True)


def strike(kind: str, found: list[Standing], draw: random.Random, partition: str) -> str | None:
    """Preempt or kill a task that trains; what was done, None where none trains."""
    targets = [
        (each.submission, index)
        for each in found
        for index, state in enumerate(each.state)
        if state == "running" and each.submission.starts(index)
    ]
    if not targets:
        return None
    submission, index = draw.choice(targets)
    if kind == "outranked":
        other = ["--partition", partition, "--cpus-per-task=1", "--output=/dev/null", "--wrap=sleep 1"]
        subprocess.run(["sbatch", "--wait", *other], check=True, stdout=subprocess.DEVNULL)
        return kind
    if kind == "preempted":
        name = f"{submission.array_id}_{index}" if len(submission.tasks) > 1 else str(submission.array_id)
        # It tries again while the task is queued anew, which the signal has brought about.
        subprocess.Popen(["timeout", "5", "scancel", "--signal=USR1", name], stderr=subprocess.DEVNULL)
        return kind
    sweeper = read_sweeper(submission.results, submission.starts(index)[-1].sweeper)
    with contextlib.suppress(ProcessLookupError):
        if sweeper is not None:
            os.kill(sweeper.pid, signal.SIGKILL)
            return kind
    return None


def compared() -> int:
    """Print whether both sweeps have the same runs and values; 0 if so."""
    keys = ["run_id", "step", "split", "subtask", "metric"]
    here, there = (harness.load(folder).set_index(keys)["value"].sort_index() for folder in (ALONE, RESULTS))
    runs = {
        name: frame.index.get_level_values("run_id").nunique() for name, frame in (("alone", here), ("Slurm", there))
    }
    same = here.index.equals(there.index) and bool((here.to_numpy() == there.to_numpy()).all())
    print(
        f"runs: {runs}; measurements: {len(here)} and {len(there)}, {'equal' if same else 'NOT EQUAL'} value for value"
    )
    logs = [path.read_text() for path in RESULTS.glob(".sweep/submissions/*/log/*.out")]
    trained = sum(int(found) for text in logs for found in re.findall(r"trained (\d+) runs here", text))
    print(f"{trained} runs trained to their end by tasks, of {runs['Slurm']} that finished")
    return 0 if same and trained <= runs["Slurm"] else 1


if __name__ == "__main__":
    sys.exit(main())
