"""Inputs of every kind, whole and damaged, through the harness: nothing may crash, hang, lose a row or write elsewhere.

python experiments/fuzz/run.py      (2 cores; --kind, --cases, --seed and --out choose; a case is the same at every run)
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import sandbox

#: Kinds of input, each a module of_KIND, and the share of the cases that it has: those are rare that are slow.
KINDS = {
    "expressions": 0.28,
    "tables": 0.36,
    "importers": 0.16,
    "checkpoints": 0.08,
    "results": 0.04,
    "settings": 0.05,
    "overrides": 0.02,
    "names": 0.01,
}
#: Cases that a process is given at a time, and seconds without an answer after which it is ended.
_TOGETHER, _SILENT_S = 20, 6 * sandbox.LONGEST_S


@dataclass
class Tally:
    """What became of the cases of one kind."""

    cases: int = 0
    seconds: float = 0
    slowest: float = 0
    n_bytes: int = 0
    faults: list[int] = field(default_factory=list)

    def add(self, index: int, outcome: sandbox.Outcome) -> None:
        """Count one case."""
        self.cases, self.seconds = self.cases + 1, self.seconds + outcome.seconds
        self.slowest, self.n_bytes = max(self.slowest, outcome.seconds), max(self.n_bytes, outcome.n_bytes)
        if outcome.fault:
            self.faults.append(index)


def case_of(kind: str, seed: int, index: int) -> sandbox.Case:
    """One case, the same whenever it is asked for."""
    made: sandbox.Case = importlib.import_module(f"of_{kind}").make(random.Random(f"{kind} {seed} {index}"))
    return made


def keep(out: Path, kind: str, seed: int, index: int, case: sandbox.Case, fault: str) -> None:
    """Write a case that failed: what was run, on which files, and what was wrong."""
    folder = out / f"{kind}-{seed}-{index}"
    for name, content in case.files.items():
        path = folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    folder.mkdir(parents=True, exist_ok=True)
    again = f"python experiments/fuzz/run.py --kind {kind} --seed {seed} --first {index} --cases 1"
    about = {"again": again, "argv": list(case.argv), "fault": fault.splitlines()}
    (folder / "case.json").write_text(json.dumps(about, indent=1))


def work(channel: Connection, box: Path, out: Path, seed: int) -> None:
    """Run what is sent, (kind, first, end), and answer a case at a time, until None is sent."""
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
    running = sandbox.Sandbox(box)
    while (asked := channel.recv()) is not None:
        kind, first, end = asked
        for index in range(first, end):
            case = case_of(kind, seed, index)
            channel.send((kind, index, None))
            outcome = running.run(case)
            if outcome.fault:
                keep(out, kind, seed, index, case, outcome.fault)
            channel.send((kind, index, outcome))
        channel.send(None)


class Worker:
    """A process with a sandbox, ended and replaced where it no longer answers."""

    def __init__(self, boxes: Path, out: Path, seed: int) -> None:
        self.boxes, self.out, self.seed, self.n_started = boxes, out, seed, 0
        self.rest: tuple[str, int, int] | None = None
        self.start()

    def start(self) -> None:
        """Start a fresh process."""
        self.n_started += 1
        self.channel, theirs = multiprocessing.Pipe()
        box = self.boxes / f"{id(self)}-{self.n_started}"
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=work, args=(theirs, box, self.out, self.seed), daemon=True)
        self.process.start()
        theirs.close()
        self.heard, self.began = time.monotonic(), None

    def ask(self, chunk: tuple[str, int, int]) -> None:
        """Give it cases to run."""
        self.rest, self.heard = chunk, time.monotonic()
        self.channel.send(chunk)

    def lost(self, why: str) -> tuple[str, int, sandbox.Outcome]:
        """Replace the process; the case that it was at counts as failed, and what came after it is asked for anew."""
        assert self.rest is not None
        kind, index, end = self.rest
        self.process.kill()
        self.process.join()
        keep(self.out, kind, self.seed, index, case_of(kind, self.seed, index), why)
        self.start()
        self.rest = None
        if index + 1 < end:
            self.ask((kind, index + 1, end))
        return kind, index, sandbox.Outcome(why, _SILENT_S, 0)


def outcomes(chunks: Sequence[tuple[str, int, int]], n: int, seed: int, out: Path) -> Iterator[tuple[str, int, Any]]:
    """(kind, index, outcome) of every case, as they end, by n processes."""
    waiting = list(reversed(chunks))
    with TemporaryDirectory() as boxes:
        workers = [Worker(Path(boxes), out, seed) for _ in range(min(n, len(chunks)))]
        while waiting or any(worker.rest for worker in workers):
            for worker in workers:
                if worker.rest is None and waiting:
                    worker.ask(waiting.pop())
            by_channel = {worker.channel: worker for worker in workers if worker.rest}
            for channel in wait(list(by_channel), timeout=1):
                worker = by_channel[channel]  # type: ignore[index]
                worker.heard = time.monotonic()
                try:
                    answer = worker.channel.recv()
                except EOFError:
                    yield worker.lost("the process died")
                    continue
                if answer is None:
                    worker.rest = None
                elif answer[2] is None:
                    worker.rest = (answer[0], answer[1], worker.rest[2])  # type: ignore[index]
                else:
                    yield answer
            for worker in workers:
                if worker.rest and time.monotonic() - worker.heard > _SILENT_S:
                    yield worker.lost(f"no answer for {_SILENT_S} s")
        for worker in workers:
            worker.channel.send(None)
            worker.process.join(10)


def chunks_of(kinds: Sequence[str], n_cases: int, first: int) -> list[tuple[str, int, int]]:
    """All cases, by kind in proportion to `KINDS`, a few at a time."""
    whole = sum(KINDS[kind] for kind in kinds)
    found = []
    for kind in kinds:
        n = -(-n_cases * KINDS[kind] // whole)
        end = first + int(n)
        found += [(kind, at, min(at + _TOGETHER, end)) for at in range(first, end, _TOGETHER)]
    random.Random(0).shuffle(found)
    return found


def table(tallies: dict[str, Tally]) -> str:
    """Kind by kind: cases, seconds, the slowest, the most memory above the base, failures."""
    lines = [f"{'kind':12} {'cases':>7} {'seconds':>8} {'slowest':>8} {'MiB':>6} {'failures':>9}"]
    for kind, its in tallies.items():
        numbers = f"{its.cases:7,} {its.seconds:8.0f} {its.slowest:8.2f} {its.n_bytes >> 20:6,} {len(its.faults):9,}"
        lines.append(f"{kind:12} {numbers}")
    every, failed = sum(t.cases for t in tallies.values()), sum(len(t.faults) for t in tallies.values())
    return "\n".join([*lines, f"{every:,} cases, {failed:,} failures"])


def run(kinds: Sequence[str], n_cases: int, seed: int, first: int, n: int, out: Path) -> dict[str, Tally]:
    """Run the cases and show the progress on a line."""
    tallies = {kind: Tally() for kind in kinds}
    chunks, started = chunks_of(kinds, n_cases, first), time.monotonic()
    total = sum(end - at for _, at, end in chunks)
    for done, (kind, index, outcome) in enumerate(outcomes(chunks, n, seed, out), start=1):
        tallies[kind].add(index, outcome)
        if outcome.fault:
            last = outcome.fault.strip().splitlines()[-1]
            print(f"{kind} {index}: {ascii(last)[1:-1][:150]}", file=sys.stderr)
        if done % 500 == 0 or done == total:
            print(f"{done:,} of {total:,} cases, {time.monotonic() - started:.0f} s", file=sys.stderr)
    return tallies


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000, help="how many, of all kinds together (20,000)")
    parser.add_argument("--kind", action="append", help=f"of one kind only, may be given often: {', '.join(KINDS)}")
    parser.add_argument("--seed", type=int, default=0, help="other seeds make other cases (0)")
    parser.add_argument("--first", type=int, default=0, help="index of the first case of each kind, to go on (0)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (as many as cores)")
    parser.add_argument("--out", type=Path, default=Path("results/fuzz"), help="cases that fail (results/fuzz)")
    given = parser.parse_args()
    if unknown := set(given.kind or ()) - set(KINDS):
        parser.error(f"--kind {unknown.pop()}: allowed are {', '.join(KINDS)}")
    tallies = run(given.kind or tuple(KINDS), given.cases, given.seed, given.first, given.workers, given.out.resolve())
    print(table(tallies))
    failed = any(its.faults for its in tallies.values())
    if failed:
        print(f"what failed: {given.out}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
