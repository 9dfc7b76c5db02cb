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
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from rich.console import Console
from rich.table import Table
from sides import (
    AS_NANOGPT,
    HERE,
    REPOSITORY,
    SHARED,
    Rung,
    SideError,
    alternately,
    as_processes,
    baseline,
    final_losses,
    harness_verbs,
    importing,
    overrides_of,
    prepare,
    run_all,
    train_py,
)

from harness.config import compose

#: What the ratios are to reach, by precision and width, where a run takes 15 s; a short run is to lose nothing.
TARGETS = {"float32": {32: 1.5, 64: 1.3, 128: 1.1, 256: 1.1}, "bfloat16": {256: 2.0}}
SHORT_S = 8.0
OF_A_PROCESS_PER_RUN, OF_MEMBERS, OF_ALONE, OF_BEFORE, OF_A_CARD = 2.5, 5.0, 2.0, 1 / 0.6, 15.0

STUDIES = ("parity", "induction", "lookup", "text", "digits")
PARTS = {"cpu": ("rungs", "processes", "members", "quickstart"), "cuda": ("family", "use")}
#: Steps of a run where none are given: on a card, and at the least.
STEPS_ON_A_CARD, FEWEST_STEPS = 300, 10

Row = dict[str, Any]
Keep = Callable[[Any], None]


def rungs(args: argparse.Namespace, scratch: Path, keep: Keep) -> list[Row]:
    """Each width on its own: four runs by a sweep, and by each of `--against`."""
    rows: list[Row] = []
    for width in args.widths:
        rung = rung_of(args, scratch, width)
        _, (found,) = baseline([rung], args.nanogpt, calibrate=max(0.5, min(2.0, args.seconds / 5)))
        threads, step_s = min(found["seconds_per_step"].items(), key=lambda item: item[1])
        steps = args.steps or max(FEWEST_STEPS, round(args.seconds / step_s))
        rung = rung.with_steps(steps, int(threads))
        losses: dict[str, list[float]] = {}
        sides: dict[str, Callable[[int], float]] = {}
        if "loop" in args.against:
            sides["loop"] = lambda _, rung=rung, losses=losses: looped([rung], args, losses)
        if "train.py" in args.against:
            sides["train.py"] = lambda _, rung=rung, losses=losses: by_train_py(rung, args, losses)
        for name, checkout in checkouts(args).items():
            sides[name] = lambda at, rung=rung, losses=losses, name=name, checkout=checkout: swept(
                rung.overrides, rung.folder / f"{name}-{at}", checkout, losses, name
            )
        seconds = alternately(sides, args.rounds)
        target = TARGETS[args.precision].get(width) if args.seconds > SHORT_S else 1.0
        target = None if args.steps else target
        rows.append({"width": width, "steps": steps, "threads": int(threads), "seconds": seconds, "losses": losses})
        rows[-1]["target"] = target
        keep(rows)
        print(f"width {width}: {medians(seconds)}", flush=True)
    return rows


def rung_of(args: argparse.Namespace, scratch: Path, width: int) -> Rung:
    overrides = overrides_of(width, args.family, args.seeds, args.device, args.precision, args.evaluations)
    folder = scratch / f"width-{width}"
    return prepare(folder, overrides, args.family, args.baseline_precision, compiled=args.device == "cuda")


def looped(of: Sequence[Rung], args: argparse.Namespace, losses: dict[str, list[float]]) -> float:
    seconds, found = baseline(of, args.nanogpt)
    losses["loop"] = [by_run[-1] for rung in found for by_run in rung["losses"]]
    return seconds


def by_train_py(rung: Rung, args: argparse.Namespace, losses: dict[str, list[float]]) -> float:
    seconds, losses["train.py"] = train_py(rung, args.nanogpt, cores())
    return seconds


def swept(
    overrides: Sequence[str], results: Path, checkout: Path, losses: dict[str, list[float]], name: str = "harness"
) -> float:
    seconds = harness_verbs([["sweep", *overrides, f"results={results}"]], results.parent, checkout)
    by_run = final_losses(results)
    losses[name] = [by_run[key] for key in sorted(by_run)]
    shutil.rmtree(results)
    return seconds


def checkouts(args: argparse.Namespace) -> dict[str, Path]:
    """Ours, and the older one if there is one, by the name of its side."""
    return {"harness": REPOSITORY} | ({"before": args.before} if args.before else {})


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def family(args: argparse.Namespace, scratch: Path, keep: Keep) -> list[Row]:
    """All widths in one sweep, against a loop over nanoGPT's model, compiled, run by run."""
    of = [rung_of(args, scratch, width) for width in args.widths]
    of = [rung.with_steps(args.steps or STEPS_ON_A_CARD, threads=1) for rung in of]
    widths = f"ladder.widths=[{','.join(map(str, args.widths))}]"
    overrides = [word for word in of[0].overrides if not word.startswith("ladder.widths=")] + [widths]
    losses: dict[str, list[float]] = {}
    sides: dict[str, Callable[[int], float]] = {
        name: lambda at, name=name, of=checkout: swept(overrides, scratch / f"{name}-{at}", of, losses, name)
        for name, checkout in checkouts(args).items()
    }
    trained: list[float] = []
    if args.nanogpt:

        def loop(_: int) -> float:
            seconds, found = baseline(of, args.nanogpt)
            losses["loop"] = [by_run[-1] for rung in found for by_run in rung["losses"]]
            # A run that is not the first of its size finds the model compiled.
            trained.append(sum(len(rung["seconds"]) * median(rung["seconds"]) for rung in found))
            return seconds

        sides["loop"] = loop
    seconds = alternately(sides, args.rounds)
    row = {"width": args.widths, "steps": of[0].work.steps, "threads": 1, "seconds": seconds, "losses": losses}
    keep([row | {"target": OF_A_CARD, "loop_without_compiling": trained}])
    return [row | {"target": OF_A_CARD, "loop_without_compiling": trained}]


def use(args: argparse.Namespace, scratch: Path, keep: Keep) -> list[Row]:
    """How busy each rung keeps the device, members together, and a wide one in bfloat16."""
    out, rows = scratch / "use.json", []
    wide = ("task.context=256", "ladder.head_width=64", "training.precision=bfloat16")
    for widths, members, settings in (
        (args.widths, args.seeds, ("ladder.head_width=32", f"training.precision={args.precision}")),
        ([args.wide], 1, wide),
    ):
        words = [*SHARED, *AS_NANOGPT, *settings, "--device", args.device, "--members", str(members)]
        words += ["--widths", ",".join(map(str, widths)), "--seconds", str(args.use_seconds), "--out", str(out)]
        run_all([[sys.executable, str(HERE / "roofline.py"), *words]], scratch, importing())
        rows += json.loads(out.read_text())["rungs"]
        keep(rows)
    return rows


def processes(args: argparse.Namespace, scratch: Path, keep: Keep) -> list[Row]:
    """The quickstart's studies: a sweep against `harness train` for every run, as many at once as there are cores."""
    rows: list[Row] = []
    for study in args.studies:
        row = against_processes(f"quickstart/{study}", args, scratch, {"harness": ()}, args.seeds_of_studies)
        rows.append(row | {"target": OF_A_PROCESS_PER_RUN})
        keep(rows)
        print(f"{study}: {medians(row['seconds'])}", flush=True)
    return rows


def members(args: argparse.Namespace, scratch: Path, keep: Keep) -> list[Row]:
    """The parity MLPs, 8 seeds: members together, one at a time, and a process per run."""
    sweeps = {"harness": (), "one at a time": ("launcher.members_together=1",)}
    row = against_processes("quickstart/parity", args, scratch, sweeps, 8)
    keep([row | {"target": OF_MEMBERS, "target_one_at_a_time": OF_ALONE}])
    return [row | {"target": OF_MEMBERS, "target_one_at_a_time": OF_ALONE}]


def against_processes(
    experiment: str, args: argparse.Namespace, scratch: Path, sweeps: dict[str, tuple[str, ...]], seeds: int | None
) -> Row:
    """Sweeps of an experiment, each with settings of its own, and a process per run."""
    (study,) = compose(f"experiment={experiment}")
    steps = max(FEWEST_STEPS, round(args.steps_share * study.ladder.steps))
    overrides = [f"experiment={experiment}", f"ladder.steps={steps}", f"seeds={seeds or study.seeds}"]
    (study,) = compose(*overrides)
    losses: dict[str, list[float]] = {}
    folder = scratch / experiment.replace("/", "-")
    folder.mkdir(exist_ok=True)

    def by_process(at: int) -> float:
        results = folder / f"processes-{at}"
        seconds = harness_verbs(as_processes(study, overrides, results), folder, at_once=cores())
        by_run = final_losses(results)
        losses["processes"] = [by_run[key] for key in sorted(by_run)]
        shutil.rmtree(results)
        return seconds

    sides: dict[str, Callable[[int], float]] = {"processes": by_process}
    for name, settings in sweeps.items():
        sides[name] = lambda at, name=name, settings=settings: swept(
            [*overrides, *settings], folder / f"{name.replace(' ', '-')}-{at}", REPOSITORY, losses, name
        )
    seconds = alternately(sides, args.rounds)
    return {"study": study.study, "steps": steps, "seconds": seconds, "losses": losses}


def quickstart(args: argparse.Namespace, scratch: Path, keep: Keep) -> list[Row]:
    """The whole quickstart, swept and analysed, here and in the older checkout, and whether the verdicts are alike."""
    verdicts: dict[str, pd.Series] = {}

    def whole(name: str, checkout: Path, at: int) -> float:
        results = scratch / f"quickstart-{name}-{at}"
        settings = ["experiment=quickstart", f"results={results}"]
        seconds = harness_verbs([["sweep", *settings], ["analyze", *settings]], scratch, checkout)
        table = pd.read_csv(results / "verdicts.csv")
        verdicts[name] = table.set_index(["study", "subtask", "metric"])["verdict"].sort_index()
        shutil.rmtree(results)
        return seconds

    sides = {name: lambda at, name=name, of=of: whole(name, of, at) for name, of in checkouts(args).items()}
    seconds = alternately(sides, args.rounds)
    row: Row = {"study": "quickstart", "seconds": seconds, "losses": {}, "target": OF_BEFORE}
    if "before" in verdicts:
        here, there = verdicts["harness"].align(verdicts["before"])
        row["verdicts"] = {"n": len(here), "changed": [" ".join(key) for key in here.index[here != there]]}
    keep([row])
    return [row]


# --------------------------------------------------------------------------------------------------------------- table


def medians(seconds: dict[str, list[float]]) -> str:
    return ", ".join(f"{name} {median(of):.1f} s" for name, of in seconds.items())


def table(name: str, rows: Sequence[Row]) -> Table:
    """A row of the study and each side it is compared with."""
    shown = Table("", "against", "steps", "its s", "ours s", "ratio", "by round", "target", "its loss", "ours", "apart")
    for row in rows:
        ours = row["seconds"]["harness"]
        others = {side: theirs for side, theirs in row["seconds"].items() if side != "harness"}
        if not others:
            name, steps = str(row.get("study", row.get("width"))), str(row.get("steps", ""))
            _, mean, _ = compared(row["losses"].get("harness"), row["losses"].get("harness"))
            shown.add_row(name, "", steps, "", f"{median(ours):.1f}", "", "", "", "", mean, "")
        for side, theirs in others.items():
            by_round = [a / b for a, b in zip(theirs, ours, strict=True)]
            target = row.get(f"target_{side.replace(' ', '_')}", row["target"])
            shown.add_row(
                str(row.get("study", row.get("width"))),
                f"{side} ({row['threads']} threads)" if side == "loop" else side,
                str(row.get("steps", "")),
                f"{median(theirs):.1f}",
                f"{median(ours):.1f}",
                f"{median(theirs) / median(ours):.2f}",
                f"{min(by_round):.2f} to {max(by_round):.2f}",
                f"{target:.2f}" if target and side != "before" else "",
                *compared(row["losses"].get(side), row["losses"].get("harness")),
            )
        if alone := row.get("loop_without_compiling"):
            ratio = f"{median(alone) / median(ours):.2f}"
            shown.add_row("", "its runs without compiling", "", f"{median(alone):.1f}", "", ratio)
    shown.title = name
    return shown


def compared(theirs: Sequence[float] | None, ours: Sequence[float] | None) -> tuple[str, str, str]:
    """Mean final losses with the standard error over runs, and how far apart two of the same seed are at most."""
    if not theirs or not ours:
        return "", "", ""
    told = [
        f"{np.mean(of):.4f} ± {scipy.stats.sem(of):.4f}" if len(of) > 1 else f"{of[0]:.4f}" for of in (theirs, ours)
    ]
    apart = max(abs(a - b) for a, b in zip(theirs, ours, strict=True)) if len(theirs) == len(ours) else float("nan")
    return told[0], told[1], f"{apart:.1e}"


def table_of_use(rows: Sequence[Row]) -> Table:
    columns = ("width", "members", "precision", "ms a step", "TFLOP/s", "of its products'", "busy", "most of it")
    shown = Table(*columns, title="use")
    for row in rows:
        most = ", ".join(
            f"{name.removeprefix('aten::')[:34]} {share:.0%}" for name, share in list(row["operations"].items())[:3]
        )
        shown.add_row(
            *(str(row["width"]), str(row["members"]), row["precision"], f"{row['step_ms']:.2f}"),
            *(f"{row['flops_per_s'] / 1e12:.3g}", f"{row['use']:.0%}", f"{row['busy']:.0%}", most),
        )
    return shown


MAKERS = {
    "rungs": rungs,
    "processes": processes,
    "members": members,
    "quickstart": quickstart,
    "family": family,
    "use": use,
}


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    def words(text: str) -> list[str]:
        return text.split(",")

    def numbers(text: str) -> list[int]:
        return [int(word) for word in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--nanogpt", type=Path, default=os.environ.get("HARNESS_NANOGPT"), help="your checkout of nanoGPT")
    add("--before", type=Path, help="another checkout of this repository, timed beside this one")
    add("--device", default="cpu", choices=("cpu", "cuda"))
    add(
        "--only",
        type=words,
        help="parts by commas: rungs,processes,members,quickstart; on a card family,use",
    )
    add("--against", type=words, default=["loop"], help="loop, train.py or loop,train.py")
    add("--widths", type=numbers, default=[32, 64, 128, 256])
    add("--seeds", type=int, help="runs of a rung; 4, on a card 8")
    add("--seconds", type=float, default=15.0, help="that one run of nanoGPT is to take")
    add("--steps", type=int, help="of a run, in place of --seconds; on a card 300")
    add("--rounds", type=int, help="3, on a card 1")
    add("--family", default="nanogpt", choices=("nanogpt", "default"), help="our transformer as nanoGPT's, or as it is")
    add("--precision", default="float32", choices=("float32", "bfloat16"), help="of the harness")
    add("--baseline-precision", default="float32", choices=("float32", "bfloat16"), help="of nanoGPT, by autocast")
    add("--evaluations", type=int, default=8, help="of a run, 512 windows each, on both sides")
    add("--studies", type=words, default=list(STUDIES), help="of the quickstart, for processes")
    add("--steps-share", type=float, default=1.0, help="of the quickstart's steps, for processes and members")
    add("--seeds-of-studies", type=int, help="for processes; by default the quickstart's own")
    add("--wide", type=int, default=2048, help="width whose products are to be used well, for use")
    add("--use-seconds", type=float, default=1.0, help="for each rung of use")
    add("--out", type=Path, default=REPOSITORY / "results" / "sweep_speed.json", help="JSON of all that is found")
    args = parser.parse_args(argv)
    on_card = args.device == "cuda"
    args.seeds = args.seeds or (8 if on_card else 4)
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
    found: dict[str, Any] = {"machine": {"processor": platform.processor() or platform.machine(), "cores": cores()}}
    paths = ("nanogpt", "before", "out")
    found["arguments"] = {name: value for name, value in vars(args).items() if name not in paths}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    failed = False
    for part in parts:
        if part in missing and part != "family":
            continue

        def keep(rows: Any, part: str = part) -> None:
            found[part] = rows
            args.out.write_text(json.dumps(found, indent=1) + "\n")

        with tempfile.TemporaryDirectory() as scratch:
            try:
                rows = MAKERS[part](args, Path(scratch), keep)
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
