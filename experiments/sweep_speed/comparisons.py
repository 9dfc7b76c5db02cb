"""What is compared: rungs, processes, members, the quickstart; on a card a whole family, and each rung's use of it."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
from sides import (
    AS_NANOGPT,
    HERE,
    REPOSITORY,
    SHARED,
    Rung,
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
from harness.records.machine import cores

#: What the ratios are to reach, by precision and width, where a run takes 15 s; a short run is to lose nothing.
TARGETS = {"float32": {32: 1.5, 64: 1.3, 128: 1.1, 256: 1.1}, "bfloat16": {256: 2.0}}
SHORT_S = 8.0
OF_A_PROCESS_PER_RUN, OF_MEMBERS, OF_ONE_AT_A_TIME, OF_BEFORE, OF_A_CARD = 2.5, 5.0, 2.0, 1 / 0.6, 15.0

QUICKSTART = "quickstart"
#: Steps of a run where none are given: on a card, and at the least.
STEPS_ON_A_CARD, FEWEST_STEPS = 300, 10

#: Seconds of every side by round, final losses of every side by run, targets of the ratios by side.
Row = dict[str, Any]
Keep = Callable[[list[Row]], None]
Losses = dict[str, list[float]]
Side = Callable[[int], float]


def rungs(args: argparse.Namespace, scratch: Path, keep: Keep) -> list[Row]:
    """Each width on its own: four runs by a sweep, and by each of `--against`."""
    rows: list[Row] = []
    for width in args.widths:
        rung = with_duration(rung_of(args, scratch, width), args)
        losses: Losses = {}
        of_nanogpt = {
            "loop": lambda _, rung=rung, losses=losses: looped([rung], args, losses),
            "train.py": lambda _, rung=rung, losses=losses: by_train_py(rung, args, losses),
        }
        sides = {name: side for name, side in of_nanogpt.items() if name in args.against}
        seconds = alternately(sides | sweeps(rung.overrides, rung.folder, args, losses), args.rounds)
        target = TARGETS[args.precision].get(width) if args.seconds > SHORT_S else 1.0
        row = {"of": width, "steps": rung.work.steps, "threads": rung.work.threads, "seconds": seconds}
        rows.append(row | {"losses": losses, "targets": {} if args.steps else {"loop": target}})
        keep(rows)
    return rows


def with_duration(rung: Rung, args: argparse.Namespace) -> Rung:
    """As long as a run of nanoGPT takes `--seconds`, with the number of threads that is fastest for it."""
    _, (found,) = baseline([rung], args.nanogpt, calibrate=max(0.5, min(2.0, args.seconds / 5)))
    threads, step_s = min(found["seconds_per_step"].items(), key=lambda item: item[1])
    return rung.with_steps(args.steps or max(FEWEST_STEPS, round(args.seconds / step_s)), int(threads))


def rung_of(args: argparse.Namespace, scratch: Path, width: int) -> Rung:
    overrides = overrides_of(width, args.family, args.seeds, args.device, args.precision, args.evaluations)
    folder = scratch / f"width-{width}"
    return prepare(folder, overrides, args.family, args.baseline_precision, args.compile == "yes")


def looped(of: Sequence[Rung], args: argparse.Namespace, losses: Losses) -> float:
    seconds, found = baseline(of, args.nanogpt)
    losses["loop"] = [by_run[-1] for rung in found for by_run in rung["losses"]]
    return seconds


def by_train_py(rung: Rung, args: argparse.Namespace, losses: Losses) -> float:
    seconds, losses["train.py"] = train_py(rung, args.nanogpt, cores())
    return seconds


def sweeps(overrides: Sequence[str], scratch: Path, args: argparse.Namespace, losses: Losses) -> dict[str, Side]:
    """The sweep of every checkout, as sides."""
    return {
        name: lambda at, name=name, of=checkout: swept(overrides, scratch / f"{name}-{at}", losses, name, of)
        for name, checkout in checkouts(args).items()
    }


def swept(overrides: Sequence[str], results: Path, losses: Losses, name: str, checkout: Path = REPOSITORY) -> float:
    seconds = harness_verbs([["sweep", *overrides, f"results={results}"]], results.parent, checkout)
    losses[name] = taken(results)
    return seconds


def taken(results: Path) -> list[float]:
    """The final losses of a results folder, by study, width and seed; the folder is removed."""
    by_run = final_losses(results)
    shutil.rmtree(results)
    return [by_run[key] for key in sorted(by_run)]


def checkouts(args: argparse.Namespace) -> dict[str, Path]:
    """Ours, and the older one if there is one, by the name of its side."""
    return {"harness": REPOSITORY} | ({"before": args.before} if args.before else {})


def family(args: argparse.Namespace, scratch: Path, keep: Keep) -> list[Row]:
    """All widths in one sweep, against a loop over nanoGPT's model, compiled, run by run."""
    of = [rung_of(args, scratch, width) for width in args.widths]
    of = [rung.with_steps(args.steps or STEPS_ON_A_CARD, threads=1) for rung in of]
    widths = f"ladder.widths=[{','.join(map(str, args.widths))}]"
    overrides = [word for word in of[0].overrides if not word.startswith("ladder.widths=")] + [widths]
    losses: Losses = {}
    sides, without_compiling = sweeps(overrides, scratch, args, losses), []
    if args.nanogpt:

        def loop(_: int) -> float:
            seconds, found = baseline(of, args.nanogpt)
            losses["loop"] = [by_run[-1] for rung in found for by_run in rung["losses"]]
            # A run that is not the first of its size finds the model compiled.
            without_compiling.append(sum(len(rung["seconds"]) * median(rung["seconds"]) for rung in found))
            return seconds

        sides["loop"] = loop
    seconds = alternately(sides, args.rounds)
    if without_compiling:
        seconds["loop, its runs alone, compiled before"] = without_compiling
    row = {"of": "all", "steps": of[0].work.steps, "seconds": seconds, "losses": losses}
    keep([row | {"targets": {"loop": OF_A_CARD}}])
    return [row | {"targets": {"loop": OF_A_CARD}}]


def use(args: argparse.Namespace, scratch: Path, keep: Keep) -> list[Row]:
    """How busy each rung keeps the device; on a card with members together, and a wide rung in bfloat16 besides."""
    out, rows = scratch / "use.json", []
    narrow = ("ladder.head_width=32", f"training.precision={args.precision}")
    asked = [(args.widths, args.seeds if args.device == "cuda" else 1, narrow)]
    if args.wide:
        asked.append(([args.wide], 1, ("task.context=256", "ladder.head_width=64", "training.precision=bfloat16")))
    for widths, members, settings in asked:
        words = [*SHARED, *AS_NANOGPT, *settings, "--device", args.device, "--members", str(members)]
        words += [
            "--ways",
            ",".join(args.ways),
            "--widths",
            ",".join(map(str, widths)),
            "--seconds",
            str(args.use_seconds),
            "--out",
            str(out),
        ]
        run_all([[sys.executable, str(HERE / "roofline.py"), *words]], scratch, importing())
        rows += json.loads(out.read_text())["rungs"]
        keep(rows)
    return rows


def processes(args: argparse.Namespace, scratch: Path, keep: Keep) -> list[Row]:
    """The quickstart's studies: a sweep against `harness train` for every run, as many at once as there are cores."""
    rows: list[Row] = []
    for study in args.studies:
        row = against_processes(f"{QUICKSTART}/{study}", args, scratch, {"harness": ()}, args.seeds_of_studies)
        rows.append(row | {"targets": {"processes": OF_A_PROCESS_PER_RUN}})
        keep(rows)
    return rows


def members(args: argparse.Namespace, scratch: Path, keep: Keep) -> list[Row]:
    """The parity MLPs, 8 seeds: members together, one at a time, and a process per run."""
    asked = {"harness": (), "one at a time": ("launcher.members_together=1",)}
    row = against_processes(f"{QUICKSTART}/parity", args, scratch, asked, 8)
    row["targets"] = {"processes": OF_MEMBERS, "one at a time": OF_ONE_AT_A_TIME}
    keep([row])
    return [row]


def against_processes(
    experiment: str, args: argparse.Namespace, scratch: Path, asked: dict[str, tuple[str, ...]], seeds: int | None
) -> Row:
    """Sweeps of an experiment, each with settings of its own, and a process per run."""
    (study,) = compose(f"experiment={experiment}")
    steps = max(FEWEST_STEPS, round(args.steps_share * study.ladder.steps))
    overrides = [f"experiment={experiment}", f"ladder.steps={steps}", f"seeds={seeds or study.seeds}"]
    (study,) = compose(*overrides)
    losses: Losses = {}
    folder = scratch / experiment.replace("/", "-")
    folder.mkdir(exist_ok=True)

    def by_process(at: int) -> float:
        results = folder / f"processes-{at}"
        seconds = harness_verbs(as_processes(study, overrides, results), folder, at_once=cores())
        losses["processes"] = taken(results)
        return seconds

    sides: dict[str, Side] = {"processes": by_process}
    for name, settings in asked.items():
        sides[name] = lambda at, name=name, settings=settings: swept(
            [*overrides, *settings], folder / f"{name.replace(' ', '-')}-{at}", losses, name
        )
    seconds = alternately(sides, args.rounds)
    return {"of": study.study, "steps": steps, "seconds": seconds, "losses": losses}


def quickstart(args: argparse.Namespace, scratch: Path, keep: Keep) -> list[Row]:
    """The whole quickstart, swept and analysed, here and in the older checkout, and whether the verdicts are alike."""
    verdicts: dict[str, pd.Series] = {}

    def whole(name: str, checkout: Path, at: int) -> float:
        results = scratch / f"quickstart-{name}-{at}"
        settings = [f"experiment={QUICKSTART}", f"results={results}"]
        seconds = harness_verbs([["sweep", *settings], ["analyze", *settings]], scratch, checkout)
        table = pd.read_csv(results / "verdicts.csv")
        verdicts[name] = table.set_index(["study", "subtask", "metric"])["verdict"].sort_index()
        shutil.rmtree(results)
        return seconds

    sides = {name: lambda at, name=name, of=of: whole(name, of, at) for name, of in checkouts(args).items()}
    seconds = alternately(sides, args.rounds)
    row: Row = {"of": "quickstart", "seconds": seconds, "losses": {}, "targets": {"before": OF_BEFORE}}
    if "before" in verdicts:
        here, there = verdicts["harness"].align(verdicts["before"])
        row["verdicts"] = {"n": len(here), "changed": [" ".join(key) for key in here.index[here != there]]}
    keep([row])
    return [row]


#: The parts, and which of them each device has.
COMPARISONS = {
    "rungs": rungs,
    "processes": processes,
    "members": members,
    "quickstart": quickstart,
    "family": family,
    "use": use,
}
PARTS = {"cpu": ("rungs", "processes", "members", "quickstart"), "cuda": ("family", "use")}
