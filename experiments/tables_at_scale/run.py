"""Seconds and memory of what reads or writes the tables of a large sweep, each on one core and in its own process.

python experiments/tables_at_scale/run.py [--runs 2000 --measurements 2500 --curves 10000 --jobs 10000]

One core, about 4 minutes. Nothing is trained: the runs are planted in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Cost:
    """What a process took.

    Attributes:
        seconds: wall time of the operation alone, or of the whole process where it is a command.
        cpu_s: seconds of processor time of the whole process, imports included.
        memory_gb: the most memory it had at one time, in GB of 1e9 bytes.
    """

    seconds: float
    cpu_s: float
    memory_gb: float


def measured(command: Sequence[str]) -> tuple[Cost, str]:
    """Run a command of Python on one core; what it took, and what it printed."""
    # This process imports nothing large, for a child's peak is at least what its parent has when it is started.
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True, preexec_fn=_on_one_core)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    cpu_s = usage.ru_utime + usage.ru_stime
    in_bytes = 1 if sys.platform == "darwin" else 1024
    return Cost(cpu_s, cpu_s, usage.ru_maxrss * in_bytes / 1e9), printed


def _on_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):  # macOS has none
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def operation(name: str, *arguments: object) -> Cost:
    """What an operation of operations.py took."""
    cost, printed = measured([str(HERE / "operations.py"), name, *map(str, arguments)])
    return Cost(float(printed), cost.cpu_s, cost.memory_gb)


def command(*words: str) -> Cost:
    """What `harness WORD ...` took."""
    return measured(["-m", "harness", *words])[0]


def show(what: str, target: str, cost: Cost) -> None:
    print(f"{what:52} {cost.seconds:9.2f} {cost.cpu_s:9.2f} {cost.memory_gb:9.2f}   {target}", flush=True)


def tables(folder: Path, n_runs: int, n_measurements: int, n_new: int, seed: int) -> None:
    """Pieces into tables, and what reads them."""
    plant = ("plant", folder)
    show(f"writing {n_runs:,} pieces", "", operation(*plant, 0, n_runs, n_measurements, seed))
    total = f"{n_runs:,} runs, {n_runs * n_measurements / 1e6:g} million measurements"
    show("recorded, never collected", "", operation("recorded", folder))
    show(f"collect: {total}", "3 s, 1.07 GB", operation("collect", folder))
    show("collect, nothing changed", "0.5 s", operation("collect", folder))
    show("recorded, nothing changed", "", operation("recorded", folder))
    operation(*plant, n_runs, n_runs + n_new, n_measurements, seed)
    show(f"recorded, {n_new} new runs", "", operation("recorded", folder))
    show("recorded again", "", operation("recorded", folder))
    show(f"collect, {n_new} new runs", "", operation("collect", folder))
    show("load, last steps", "1 s", operation("load", folder))
    show("harness analyze", "", command("analyze", str(folder)))
    show("harness analyze, nothing changed", "1 s", command("analyze", str(folder)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000, help="runs of a sweep")
    parser.add_argument("--measurements", type=int, default=2500, help="measurements of each")
    parser.add_argument("--new", type=int, default=20, help="runs that come after the tables were made")
    parser.add_argument("--curves", type=int, default=10_000, help="curves that are tested for jumps in one call")
    parser.add_argument("--jobs", type=int, default=10_000, help="jobs that are planned")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print(f"{'':52} {'seconds':>9} {'processor':>9} {'GB':>9}   target")
    with tempfile.TemporaryDirectory() as temporary:
        tables(Path(temporary) / "planted", asked.runs, asked.measurements, asked.new, asked.seed)
        for n in (asked.curves // 4, asked.curves):
            target = "linear, 0.5 GB" if n == asked.curves else ""
            show(f"find_jumps, {n:,} curves", target, operation("find_jumps", n, asked.seed))
        seeds = max(asked.jobs // 7, 1)
        planned = ("plan", "experiment=quickstart/parity", f"seeds={seeds}", f"results={temporary}/none")
        show(f"harness plan, {7 * seeds:,} jobs", "3 s", command(*planned))
    for words in (["--help"], ["fit", "--help"]):
        show(f"harness {' '.join(words)}", "0.3 s", command(*words))


if __name__ == "__main__":
    main()
