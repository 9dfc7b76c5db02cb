"""Does the harness work on this machine's GPU? One command, under 8 minutes; a JSON and a log come out.

python experiments/gpu_check/check.py      (or: make gpu-check; --device cpu is a dry run)

This file needs the standard library alone. Packages that are not installed are taken from wheels that were carried
along (`make gpu-wheels`, on a machine with a network). Each part is a process of its own with a time limit: one that
fails or hangs takes no other with it. The exit code is 0 if all parts passed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]


@dataclass(frozen=True)
class Part:
    """One part of the check: a command, and the seconds that it may take. All limits together are under 8 minutes."""

    name: str
    command: tuple[str, ...]
    limit_s: float


@dataclass
class Result:
    """How a part ended: "passed", "failed" or "timed out"; `found` is what it measured."""

    name: str
    status: str
    seconds: float
    limit_s: float
    found: dict[str, Any] = field(default_factory=dict)


def parts(device: str, studies: str, seconds: float) -> list[Part]:
    """The parts of the check, the quickest first.

    Args:
        studies: of the quickstart, separated by commas.
        seconds: that each speed is measured for.
    """
    run = (sys.executable, str(HERE / "parts.py"))
    # Other test files may need packages that are of no use here.
    tests = [str(path) for path in (REPOSITORY / "tests").rglob("test_*.py") if "mark.gpu" in path.read_text()]
    return [
        Part("environment", (*run, "environment", "--device", device), 35),
        Part("losses", (*run, "losses", "--device", device), 55),
        Part("cards", (*run, "cards", "--device", device), 30),
        Part("ways", (*run, "ways", "--device", device), 45),
        Part("speed", (*run, "speed", "--device", device, "--seconds", str(seconds)), 40),
        Part("tests", (sys.executable, "-m", "pytest", "-q", "-rs", "-m", "gpu", "-p", "no:cacheprovider", *tests), 60),
        Part("bench", (*run, "bench", "--device", device), 75),
        Part("quickstart", (*run, "quickstart", "--device", device, "--studies", studies), 139),
    ]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu", "mps"))
    parser.add_argument(
        "--out", type=Path, default=REPOSITORY / "results" / "gpu_check", help="folder of what comes out"
    )
    parser.add_argument("--wheels", type=Path, default=REPOSITORY / "build" / "gpu-wheels", help="carried wheels")
    parser.add_argument("--only", default="", help="names of parts, separated by commas; all of them by default")
    parser.add_argument("--studies", default="parity,induction,lookup,text,digits", help="of the quickstart")
    parser.add_argument("--seconds", type=float, default=2.0, help="that each speed is measured for")
    parser.add_argument("--patience", type=float, default=1.0, help="factor on time limits, for a slow or busy machine")
    args = parser.parse_args(argv)
    chosen = parts(args.device, args.studies, args.seconds)
    chosen = [replace(part, limit_s=args.patience * part.limit_s) for part in chosen]
    if args.only:
        chosen = [part for part in chosen if part.name in args.only.split(",")]
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, (args.out / "check.log").open("w") as log:
        unpacked, refused = unpack_missing(args.wheels, Path(scratch) / "site")
        about = {
            "device": args.device,
            "python": platform.python_version(),
            "machine": platform.platform(),
            "from_wheels": unpacked,
            "wheels_for_another_python": refused,
        }
        results: list[Result] = []
        for result in run_parts(chosen, Path(scratch), log):
            results.append(result)
            print(f"{result.name}: {result.status}, {result.seconds:.0f} s of at most {result.limit_s:.0f}", flush=True)
            write_report(args.out / "check.json", about, results, len(chosen))
    passed = all(result.status == "passed" for result in results)
    print(f"{'passed' if passed else 'NOT passed'}; see {args.out}/check.json and check.log")
    return 0 if passed else 1


def run_parts(chosen: list[Part], scratch: Path, log: IO[str]) -> Iterator[Result]:
    """Run parts one after another, their output into the log; yields how each ended.

    A part writes what it found to the file that FOUND names. Its process group is ended at the time limit.
    """
    paths = [str(scratch / "site"), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    for part in chosen:
        found = scratch / f"{part.name}.json"
        variables = os.environ | {
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "PYTHONUNBUFFERED": "1",
            "FOUND": str(found),
        }
        log.write(f"\n===== {part.name}: {' '.join(part.command)}\n")
        log.flush()
        started = time.monotonic()
        process = subprocess.Popen(
            part.command, cwd=REPOSITORY, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            status = "passed" if process.wait(part.limit_s) == 0 else "failed"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = "timed out"
        result = Result(part.name, status, round(time.monotonic() - started, 1), part.limit_s)
        if found.exists():
            result.found = json.loads(found.read_text())
        yield result


def write_report(path: Path, about: dict[str, Any], results: list[Result], n_parts: int) -> None:
    """Write what is known so far, so that a machine that is taken away leaves as much behind."""
    passed = len(results) == n_parts and all(result.status == "passed" for result in results)
    report = {"passed": passed, **about, "parts": [asdict(result) for result in results]}
    path.write_text(json.dumps(report, indent=2) + "\n")


def unpack_missing(wheels: Path, site: Path) -> tuple[list[str], list[str]]:
    """Unpack the wheels whose packages are not installed; returns their names, and those for another Python.

    What is installed always wins, so that a carried wheel never hides the machine's own numpy or torch.
    """
    unpacked, refused = [], []
    site.mkdir(parents=True)
    for wheel in sorted(wheels.glob("*.whl")):
        name, _, *_, python_tag, abi_tag, _ = wheel.stem.split("-")
        try:
            version(name)
        except PackageNotFoundError:
            own = f"cp{sys.version_info.major}{sys.version_info.minor}"
            if "py3" in python_tag or own in python_tag or "abi3" in abi_tag:
                zipfile.ZipFile(wheel).extractall(site)
                unpacked.append(wheel.name)
            else:
                refused.append(wheel.name)
    return unpacked, refused


if __name__ == "__main__":
    sys.exit(main())
