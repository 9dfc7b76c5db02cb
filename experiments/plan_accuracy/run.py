"""Predict what sweeps take, then sweep: predicted over taken, for time, memory and FLOPs.

python experiments/plan_accuracy/run.py [--only isoflop]      (two cores, about 8 minutes; Linux)
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

import harness
from harness.config import compose
from harness.families.check import flops_by_torch
from harness.sweeping.plan import cells
from harness.sweeping.trunks import with_branches

#: What is swept, by name; the second is a part of experiment=isoflop, the third a ladder of wide byte transformers.
SWEEPS = {
    "quickstart": ["experiment=quickstart"],
    "isoflop": ["experiment=isoflop", "seeds=1", "ladder.flops=[3e10,9e10]"],
    "transformers": [
        *("family=transformer", "task=text", "ladder.widths=[32,64,128,256]", "ladder.depths=[4]", "ladder.heads=4"),
        *("ladder.batch_size=32", "seeds=4", "ladder.flops=[3e11]", "training.evaluations=2", "name=transformers"),
    ],
}
SAMPLED_S = 0.25
_HARNESS = [sys.executable, "-m", "harness"]


@dataclass
class Watched:
    """What the workers of a sweep were seen to use.

    Attributes:
        cpu_s: processor seconds of each process, by its number, when it was last seen.
        peak_bytes: the largest resident memory of one worker.
        shared_bytes: the largest sum of the workers' memory, in which what several share is counted once.
    """

    cpu_s: dict[int, float] = field(default_factory=dict)
    peak_bytes: float = 0.0
    shared_bytes: float = 0.0

    def look(self, root: int) -> None:
        """Look at the workers of a command: the children of the server that it has started."""
        parents = {int(path.name): _parent(path) for path in Path("/proc").glob("[0-9]*")}
        servers = {pid for pid, parent in parents.items() if parent == root}
        together = 0.0
        for pid in (pid for pid, parent in parents.items() if parent in servers):
            try:
                fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
                status = _numbers(Path("/proc") / str(pid) / "status")
                proportional = _numbers(Path("/proc") / str(pid) / "smaps_rollup").get("Pss", 0.0)
            except OSError:  # it has just ended
                continue
            self.cpu_s[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            self.peak_bytes = max(self.peak_bytes, status.get("VmHWM", 0.0))
            together += proportional
        self.shared_bytes = max(self.shared_bytes, together)


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _numbers(path: Path) -> dict[str, float]:
    """The fields of a file of /proc that are in kB, in bytes."""
    pairs = (line.split(":", 1) for line in path.read_text().splitlines() if line.endswith("kB") and ":" in line)
    return {name: 1024.0 * int(value.split()[0]) for name, value in pairs}


def compare(overrides: list[str], console: Console) -> dict[str, tuple[float, float]]:
    """(predicted, taken) of each quantity; trials are made anew, and nothing stays."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HARNESS_CACHE"] = f"{folder}/cache"
        own = [*overrides, f"results={folder}/results"]
        flops, started = counted_flops(overrides), time.monotonic()
        subprocess.run([*_HARNESS, "plan", *own], check=True, stdout=subprocess.DEVNULL)
        console.print(f"plan took {time.monotonic() - started:.1f} s")
        frame = harness.plan(*own)
        console.print(frame[["study", "width", "together", "predicted_s", "predicted_evaluation_s"]].to_string())
        started, watched = time.monotonic(), Watched()
        with subprocess.Popen([*_HARNESS, "sweep", *own], stdout=subprocess.DEVNULL) as sweep:
            while sweep.poll() is None:
                watched.look(sweep.pid)
                time.sleep(SAMPLED_S)
        wall_s = time.monotonic() - started
        if sweep.returncode:
            raise SystemExit(f"the sweep ended with exit code {sweep.returncode}")
    return {
        "wall, s": (frame.attrs["wall_s"], wall_s),
        "work, s of processor": (frame["predicted_s"].sum(), sum(watched.cpu_s.values())),
        "a worker's memory, MB": (frame["predicted_bytes"].max() / 1e6, watched.peak_bytes / 1e6),
        "all memory, MB": (frame.attrs["bytes"] / 1e6, watched.shared_bytes / 1e6),
        "FLOPs": (frame.attrs["flops"], flops),
    }


def counted_flops(overrides: list[str]) -> float:
    """Training FLOPs of all runs, as torch's counter has them for an example of each size."""
    total = 0.0
    for study in compose(*overrides):
        for job in with_branches(cells(study)):
            model = study.family.build(job.rung.shape, study.signature, study.parametrization)
            _, of_example = flops_by_torch(model, study.signature)
            total += of_example * job.own_steps * job.settings.ladder.batch_size * len(job.members)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("quickstart", "isoflop", "transformers"), help="one of the sweeps")
    args = parser.parse_args()
    console = Console(width=100)
    table = Table(title="predicted over taken")
    for name in ("sweep", "quantity", "predicted", "taken", "ratio"):
        table.add_column(name, justify="left" if name in ("sweep", "quantity") else "right")
    for name in [args.only] if args.only else SWEEPS:
        console.rule(name)
        for quantity, (predicted, taken) in compare(SWEEPS[name], console).items():
            table.add_row(name, quantity, f"{predicted:.4g}", f"{taken:.4g}", f"{predicted / taken:.2f}")
        load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
        console.print(f"load of the machine over 1, 5 and 15 minutes: {load} on {os.cpu_count()} cores")
    console.print(table)


if __name__ == "__main__":
    main()
