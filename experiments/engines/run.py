"""The same sweep on one core, two processes, a Slurm array and Ray, left alone and under faults: are its tables equal?

    python experiments/engines/run.py [--engines one_core,two_processes,slurm,ray]      (2 cores, about 6 minutes)

Slurm and Ray are left out, and that is said, where they are not installed; `tests/support/one_node_slurm.py` starts a
Slurm of one node.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import harness
from harness.records.store import finished_run_ids
from harness.sweeping.checkpoints import interrupted
from harness.sweeping.claims import in_training
from harness.sweeping.launchers.submission import submissions
from harness.sweeping.presence import sweepers

STUDY = ["family=mlp", "task=parity", "task.n_subtasks=4", "ladder.widths=[8,16,32]", "ladder.steps=4000", "seeds=4"]
STUDY += ["launcher.members_together=1", "launcher.step=replayed", "training.checkpoint_s=0.3"]
N_RUNS = 12

ENGINES = {
    "one_core": ["launcher=serial"],
    "two_processes": ["launcher.workers=2"],
    "slurm": ["launcher=slurm", "launcher.minutes=0.5", "launcher.at_once=2"],
    "ray": ["launcher=ray", "launcher.workers=2"],
}

#: What happens once: Ctrl-C (of an array: `harness cancel`), SIGKILL of a process that trains, or of the process that
#: holds the claims, with all that it started (of an array: of a task).
FAULTS = ("none", "stopped", "process killed", "sweep killed")

#: How often the command is typed again.
MOST_COMMANDS = 6


@dataclass(frozen=True)
class Outcome:
    """What a sweep under a fault has come to.

    Attributes:
        struck: whether the fault found something in training.
        commands: how often it was typed.
        trained: runs that were trained to their end, as tasks and sweeps say; above `N_RUNS` some were twice.
    """

    struck: bool
    commands: int
    trained: int
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engines", default=",".join(ENGINES))
    engines = [name for name in parser.parse_args().engines.split(",") if _is_here(name)]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would sweeps
    shutil.rmtree("results/engines", ignore_errors=True)
    rows = []
    for engine in engines:
        for fault in FAULTS:
            results = Path("results/engines") / f"{engine}_{fault.replace(' ', '_')}"
            outcome = under(fault, engine, results)
            rows.append({"engine": engine, "fault": fault, **compared(outcome, results, engines[0])})
            print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1), flush=True)
    frame = pd.DataFrame(rows)
    print(frame.to_string(index=False))
    return 0 if frame["equal"].all() and not frame["lost"].any() and not frame["doubled"].any() else 1


def _is_here(engine: str) -> bool:
    there = {"slurm": shutil.which("sbatch"), "ray": importlib.util.find_spec("ray")}.get(engine, True)
    if not there:
        print(f"{engine} is not installed here: left out")
    return bool(there)


def under(fault: str, engine: str, results: Path) -> Outcome:
    """Sweep to the end; the fault strikes the first time that a run in training has a checkpoint."""
    words = ["sweep", f"name={results.name}", f"results={results}", *STUDY, *ENGINES[engine]]
    words += ["--wait"] * (engine == "slurm")
    started, struck, said, commands = time.monotonic(), fault == "none", "", 0
    while len(_finished(results)) < N_RUNS and commands < MOST_COMMANDS:
        commands += 1
        with subprocess.Popen(
            [sys.executable, "-m", "harness", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as sweep:
            while sweep.poll() is None and not struck:
                struck = bool(interrupted(results)) and strike(fault, engine, results, sweep.pid)
                time.sleep(0.1)
            said += sweep.communicate()[0]
    counted = re.findall(r"^Trained (\d+)", said, flags=re.MULTILINE)
    for log in results.glob(".sweep/submissions/*/log/*.out"):
        counted += re.findall(r"trained (\d+) runs here", log.read_text())
    return Outcome(struck, commands, sum(map(int, counted)), time.monotonic() - started)


def _finished(results: Path) -> set[str]:
    return set(finished_run_ids(results)) if results.exists() else set()


def strike(fault: str, engine: str, results: Path, sweep: int) -> bool:
    """Let a fault happen; whether there was anything that it could happen to."""
    if fault == "stopped" and engine == "slurm":
        subprocess.run([sys.executable, "-m", "harness", "cancel", str(results)], check=True, stdout=subprocess.DEVNULL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(sweep, signal.SIGINT)  # it would submit again what is lost
    elif fault == "stopped":
        os.kill(sweep, signal.SIGINT)
    elif fault == "process killed":
        pids = [job.pid for job in in_training(results)]
        if not pids:
            return False
        os.kill(pids[0], signal.SIGKILL)
    elif engine == "slurm":
        tasks = {
            start.sweeper for each in submissions(results) for i in range(len(each.tasks)) for start in each.starts(i)
        }
        pids = [process.pid for process in sweepers(results) if process.id in tasks]
        if not pids:
            return False
        os.kill(pids[0], signal.SIGKILL)
    else:
        os.killpg(sweep, signal.SIGKILL)
    return True


def compared(outcome: Outcome, results: Path, reference: str) -> dict[str, object]:
    """A row of the table: against the reference engine left alone."""
    here, there = (_values(folder) for folder in (Path("results/engines") / f"{reference}_none", results))
    return {
        "struck": outcome.struck,
        "commands": outcome.commands,
        "lost": N_RUNS - len(_finished(results)),
        "doubled": max(0, outcome.trained - N_RUNS),
        "equal": here.index.equals(there.index) and bool((here.to_numpy() == there.to_numpy()).all()),
        "seconds": round(outcome.seconds),
    }


def _values(results: Path) -> pd.Series:
    keys = ["run_id", "step", "split", "subtask", "metric"]
    return harness.load(results, steps="all").set_index(keys)["value"].sort_index()


if __name__ == "__main__":
    sys.exit(main())
