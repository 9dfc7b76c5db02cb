"""A sweep against what it replaces: loops over nanoGPT's model, a process per run, and an older checkout of this one.

    python experiments/sweep_speed/run.py --nanogpt PATH      (or: make bench; PATH also from HARNESS_NANOGPT)
    python experiments/sweep_speed/run.py --device cuda --nanogpt PATH      (or: make bench-gpu)

2 cores, about 70 minutes, of which 35 for the rungs against nanoGPT; `--only rungs --seconds 5` takes 12. Whole
processes are timed, the sides in turn, and final losses show that their work was the same. Without a checkout of
nanoGPT, or another one of this repository (`--before PATH`), the parts that need it are left out, and a line says so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import scipy.stats
from comparisons import COMPARISONS, PARTS, Row
from rich.console import Console
from rich.table import Table
from sides import REPOSITORY, SideError

from harness.records.machine import cores

STUDIES = ("parity", "induction", "lookup", "text", "digits")


def table(part: str, rows: Sequence[Row]) -> Table:
    """A line for each side that a row of the comparison sets beside ours."""
    shown = Table("", "against", "steps", "its s", "ours s", "ratio", "by round", "target", "its loss", "ours", "apart")
    shown.title = part
    for row in rows:
        ours, losses = row["seconds"]["harness"], row["losses"]
        about = (str(row["of"]), str(row.get("steps", "")))
        others = [side for side in row["seconds"] if side != "harness"]
        if not others:
            shown.add_row(about[0], "", about[1], "", f"{median(ours):.1f}")
        for side in others:
            theirs = row["seconds"][side]
            by_round = [a / b for a, b in zip(theirs, ours, strict=True)]
            target = row["targets"].get(side)
            shown.add_row(
                about[0],
                f"{side}, {row['threads']} threads" if side == "loop" and "threads" in row else side,
                about[1],
                f"{median(theirs):.1f}",
                f"{median(ours):.1f}",
                f"{median(theirs) / median(ours):.2f}",
                f"{min(by_round):.2f} to {max(by_round):.2f}",
                f"{target:.2f}" if target else "",
                *compared(losses.get(side), losses.get("harness")),
            )
    return shown


def compared(theirs: Sequence[float] | None, ours: Sequence[float] | None) -> tuple[str, str, str]:
    """Mean final losses with the standard error over runs, and how far apart two of the same seed are at most."""
    if not theirs or not ours:
        return "", "", ""
    told = [f"{sum(of) / len(of):.4f} ± {scipy.stats.sem(of):.4f}" for of in (theirs, ours)]
    if len(theirs) != len(ours):
        return told[0], told[1], f"{len(theirs)} and {len(ours)} runs"
    return told[0], told[1], f"{max(abs(a - b) for a, b in zip(theirs, ours, strict=True)):.1e}"


def table_of_use(rows: Sequence[Row]) -> Table:
    columns = ("width", "members", "precision", "way", "ms a step", "TFLOP/s", "of its products'", "busy", "most of it")
    shown = Table(*columns, title="use")
    for row in rows:
        most = ", ".join(
            f"{name.removeprefix('aten::')[:34]} {share:.0%}" for name, share in list(row["operations"].items())[:3]
        )
        shown.add_row(
            *(str(row["width"]), str(row["members"]), row["precision"], row["way"], f"{row['step_ms']:.2f}"),
            *(f"{row['flops_per_s'] / 1e12:.3g}", f"{row['use']:.0%}", f"{row['busy']:.0%}", most),
        )
    return shown


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    def words(text: str) -> list[str]:
        return text.split(",")

    def numbers(text: str) -> list[int]:
        return sorted(int(word) for word in text.split(","))

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--nanogpt", type=Path, default=os.environ.get("HARNESS_NANOGPT") or None, help="your checkout of nanoGPT"
    )
    parser.add_argument("--before", type=Path, help="another checkout of this repository, timed beside this one")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument(
        "--only",
        type=words,
        help="parts by commas: rungs,processes,members,quickstart; on a card family,use",
    )
    parser.add_argument("--against", type=words, default=["loop"], help="loop, train.py or loop,train.py")
    parser.add_argument("--widths", type=numbers, default=[32, 64, 128, 256])
    parser.add_argument("--seeds", type=int, help="runs of a rung; 4, on a card 8")
    parser.add_argument("--seconds", type=float, default=15.0, help="that one run of nanoGPT is to take")
    parser.add_argument("--steps", type=int, help="of a run, in place of --seconds; on a card 300")
    parser.add_argument("--rounds", type=int, help="3, on a card 1")
    parser.add_argument(
        "--family", default="nanogpt", choices=("nanogpt", "default"), help="our transformer as nanoGPT's, or as it is"
    )
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"), help="of the harness")
    parser.add_argument(
        "--baseline-precision", default="float32", choices=("float32", "bfloat16"), help="of nanoGPT, by autocast"
    )
    parser.add_argument("--compile", choices=("yes", "no"), help="nanoGPT's model; yes on a card")
    parser.add_argument("--evaluations", type=int, default=8, help="of a run, 512 windows each, on both sides")
    parser.add_argument("--studies", type=words, default=list(STUDIES), help="of the quickstart, for processes")
    parser.add_argument(
        "--steps-share", type=float, default=1.0, help="of the quickstart's steps, for processes and members"
    )
    parser.add_argument("--seeds-of-studies", type=int, help="for processes; by default the quickstart's own")
    parser.add_argument("--wide", type=int, help="a width for use in bfloat16, context 256; on a card 2048, else none")
    parser.add_argument("--ways", type=words, help="to run a step, for use; replayed, on a card replayed,captured")
    parser.add_argument("--use-seconds", type=float, default=1.0, help="for each rung of use")
    parser.add_argument(
        "--out", type=Path, default=REPOSITORY / "results" / "sweep_speed.json", help="JSON of all that is found"
    )
    args = parser.parse_args(argv)
    on_card = args.device == "cuda"
    args.seeds = args.seeds or (8 if on_card else 4)
    args.compile = args.compile or ("yes" if on_card else "no")
    args.ways = args.ways or (["replayed", "captured"] if on_card else ["replayed"])
    args.wide = args.wide or (2048 if on_card else None)
    args.rounds = args.rounds or (1 if on_card else 3)
    known = {part for parts in PARTS.values() for part in parts}
    if unknown := set(args.only or ()) - known:
        parser.error(f"--only {sorted(unknown)[0]}: allowed are {', '.join(sorted(known))}")
    if unknown := set(args.against) - {"loop", "train.py"}:
        parser.error(f"--against {sorted(unknown)[0]}: allowed are loop, train.py")
    for name, file in (("nanogpt", "model.py"), ("before", "harness/cli.py")):
        if (path := getattr(args, name)) is not None:
            if not (path / file).exists():
                parser.error(f"--{name} {path}: allowed is a checkout, which has {file}")
            setattr(args, name, path.resolve())
    return args


def left_out(args: argparse.Namespace, parts: Sequence[str]) -> dict[str, str]:
    """Why parts cannot be run, by name."""
    why = {}
    if args.nanogpt is None:
        needs = "needs a checkout of nanoGPT: --nanogpt PATH, or HARNESS_NANOGPT"
        why |= {"rungs": needs, "family": f"its comparison {needs}; the sweep alone is timed"}
    if args.before is None:
        why["quickstart"] = "its comparison needs an older checkout of this repository: --before PATH"
    return {part: why[part] for part in parts if part in why}


def main(argv: Sequence[str] | None = None) -> int:
    args = arguments(argv)
    console = Console(width=150)
    parts = args.only or PARTS[args.device]
    missing = left_out(args, parts)
    for part, why in missing.items():
        print(f"{part}: {why}", flush=True)
    machine = {"processor": platform.processor() or platform.machine(), "cores": cores(), "load": os.getloadavg()[0]}
    found: dict[str, Any] = {"machine": machine}
    paths = ("nanogpt", "before", "out")
    found["arguments"] = {name: value for name, value in vars(args).items() if name not in paths}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    failed = False
    for part in parts:
        if part in missing and part != "family":
            continue

        def keep(rows: list[Row], part: str = part) -> None:
            found[part] = rows
            args.out.write_text(json.dumps(found, indent=1) + "\n")
            told = ", ".join(f"{side} {median(of):.1f} s" for side, of in rows[-1].get("seconds", {}).items())
            print(f"{part}, {rows[-1]['of']}: {told}" if told else f"{part}: {len(rows)} rungs", flush=True)

        with tempfile.TemporaryDirectory() as scratch:
            try:
                rows = COMPARISONS[part](args, Path(scratch), keep)
            except SideError as error:
                print(f"{part}: {error}", flush=True)
                failed = True
                continue
        console.print(table_of_use(rows) if part == "use" else table(part, rows))
        for row in rows:
            if "verdicts" in row:
                changed = row["verdicts"]["changed"]
                print(f"verdicts: {row['verdicts']['n']}, changed: {', '.join(changed) or 'none'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
