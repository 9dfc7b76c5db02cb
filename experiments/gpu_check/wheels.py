"""Collect the wheels that a bare GPU machine lacks, for check.py to unpack there.

python experiments/gpu_check/wheels.py      (or: make gpu-wheels; needs a network, writes build/gpu-wheels, 5 MB)

The machine is taken to have torch and what is PRESENT; the rest of what pyproject.toml requires is downloaded for its
Python, with what that requires in turn. What is published as source alone is built first.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PRESENT = ("matplotlib", "numpy", "pandas", "pyarrow", "rich", "scipy", "torch")
SOURCE_ALONE = ("antlr4-python3-runtime==4.9.3",)  # required by hydra-core and omegaconf


def wanted() -> list[str]:
    """Requirements of the harness and of its tests that the machine lacks."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    tests = [line for line in project["optional-dependencies"]["dev"] if re.match(r"pytest\b(?!-)", line)]
    return [line for line in [*project["dependencies"], *tests] if re.split(r"[<>=!~ \[]", line)[0] not in PRESENT]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default="3.12", help="version of the GPU machine's Python")
    parser.add_argument("--platform", default="manylinux_2_28_x86_64")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build" / "gpu-wheels")
    args = parser.parse_args()
    shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(args.out), *SOURCE_ALONE], check=True)
    # A platform of today takes wheels made for older ones, which pip must be told one by one.
    platforms = [args.platform, "manylinux_2_17_x86_64", "manylinux2014_x86_64"]
    for_machine = [
        "--python-version",
        args.python,
        "--only-binary=:all:",
        *(f"--platform={name}" for name in platforms),
    ]
    command = [*pip, "download", "--dest", str(args.out), "--find-links", str(args.out), *for_machine, *wanted()]
    subprocess.run(command, check=True)
    for wheel in args.out.glob("*.whl"):
        if wheel.name.lower().split("-")[0] in PRESENT:
            wheel.unlink()
    size = sum(wheel.stat().st_size for wheel in args.out.iterdir()) / 2**20
    print(f"{len(list(args.out.iterdir()))} wheels, {size:.1f} MiB, in {args.out}")


if __name__ == "__main__":
    main()
