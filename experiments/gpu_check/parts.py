"""The parts of the GPU check that are the harness's own work; `check.py` runs each in a process of its own.

python experiments/gpu_check/parts.py {environment,losses,cards,ways,speed,bench,quickstart} --device cuda
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

#: What the harness imports, by distribution and module.
NEEDED = {
    "hydra-core": "hydra",
    "jinja2": "jinja2",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "omegaconf": "omegaconf",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "pytest": "pytest",
    "rich": "rich",
    "scipy": "scipy",
    "torch": "torch",
}

#: The same seeds draw the same numbers on both devices, and only rounding differs: sums of products are taken in
#: another order, about 1e-7 relative a step, which training then lets grow. 30 steps of these small models grow it by a
#: factor of a few hundred at most. TensorFloat-32, which would round at 1e-3, is off by default.
LOSS_TOLERANCE = 2e-3
N_STEPS = 30

#: Family and task of each comparison of losses.
COMPARED = {
    "mlp": ("family=mlp", "task=parity", "ladder.widths=[64]", "ladder.depths=[2]"),
    "cnn": ("family=cnn", "task=digits", "ladder.widths=[16]", "ladder.depths=[2]"),
    "transformer": ("family=transformer", "task=lookup", "ladder.widths=[32]", "ladder.depths=[2]", "ladder.heads=2"),
    "adapters": ("family=transformer", "task=lookup", "ladder.widths=[32]", "finetune=lora", "finetune.rank=4"),
}

#: How the parameters of a run on two cards lie.
SHARD = ("never", "always")

#: What takes part in a step that is captured, beside the gradient; dropout draws by keys that change from step to step.
STEPPED = ("optimizer.grad_clip=1.0", "optimizer.weight_decay=0.1", "schedule=cosine")
CAPTURED = {
    "mlp": COMPARED["mlp"],
    "cnn": COMPARED["cnn"],
    "transformer": (*COMPARED["transformer"], "family.dropout=0.1"),
}
N_CAPTURED_STEPS = 12

#: Rungs whose speed is measured.
RUNGS = {
    "mlp, width 64": ("family=mlp", "task=parity", "ladder.widths=[64]", "ladder.batch_size=256"),
    "mlp, width 1024": ("family=mlp", "task=parity", "ladder.widths=[1024]", "ladder.batch_size=256"),
    "transformer, width 64": ("family=transformer", "task=text", "ladder.widths=[64]", "ladder.batch_size=8"),
    "transformer, width 256": (
        *("family=transformer", "task=text", "ladder.widths=[256]", "ladder.heads=4", "ladder.batch_size=8"),
    ),
}
N_MEMBERS = 4

#: Verdict of each study of the quickstart and its discontinuous metric: (of the whole task, of each subtask).
VERDICTS = {
    "parity": ("smooth", "emergent"),
    "induction": ("emergent", None),
    "lookup": ("metric artefact", None),
    "text": ("smooth", None),
    "digits": ("smooth", None),
}


def keep(found: dict[str, Any]) -> None:
    """Write what was found so far to where `check.py` looks for it; a part that is ended leaves that much."""
    if path := os.environ.get("FOUND"):
        Path(path).write_text(json.dumps(found))


def environment(device: str) -> tuple[dict[str, Any], bool]:
    """Versions of what the harness needs, and whether the device is there."""
    found: dict[str, Any] = {"versions": {}, "missing": []}
    for distribution, module in NEEDED.items():
        try:
            importlib.import_module(module)
            found["versions"][distribution] = version(distribution)
        except ImportError as error:
            found["missing"].append(f"{distribution}: {error}")
    if found["missing"]:
        return found, False
    import torch

    from harness.training.device import describe, resolve

    found |= {"device": describe(resolve(device)), "cuda": torch.version.cuda}
    return found, True


def losses(device: str) -> tuple[dict[str, Any], bool]:
    """Evaluation losses on the CPU and on the device, members together and alone, for each family."""
    import numpy as np

    found: dict[str, Any] = {"tolerance": LOSS_TOLERANCE, "families": {}}
    for family, overrides in COMPARED.items():
        reference = np.array(_trained(overrides, "cpu", alone=False))
        rows = {"cpu": reference.tolist()}
        for way, alone in (("together", False), ("alone", True)):
            on_device = np.array(_trained(overrides, device, alone))
            rows |= {way: on_device.tolist(), f"{way}_difference": float(np.abs(on_device / reference - 1).max())}
        rows["passed"] = max(rows["together_difference"], rows["alone_difference"]) <= LOSS_TOLERANCE
        found["families"][family] = rows
        keep(found)
        print(family, {k: v for k, v in rows.items() if k.endswith("difference")}, flush=True)
    return found, all(rows["passed"] for rows in found["families"].values())


def _trained(overrides: tuple[str, ...], device: str, alone: bool) -> list[list[float]]:
    """The evaluation losses of three members, (members, evaluations), from N_STEPS steps."""
    from dataclasses import replace

    from harness.config import compose
    from harness.sweeping.plan import cells
    from harness.training.loop import train_job

    (study,) = compose(*overrides, f"ladder.steps={N_STEPS}", "seeds=3", f"training.device={device}")
    (job,) = cells(study)
    jobs = [replace(job, members=(member,)) for member in job.members] if alone else [job]
    return [
        [row["value"] for row in outcome.measurements if row["split"] == "eval" and row["metric"] == "loss"]
        for job in jobs
        for outcome in train_job(job)
    ]


def cards(device: str) -> tuple[dict[str, Any], bool]:
    """Evaluation losses of a run that two cards train together, whole and in shards, beside those of one CPU."""
    import numpy as np

    from harness import load
    from harness.cli import main as command
    from harness.records.machine import cores
    from harness.training.device import cards_for, resolve

    there = cores() if device == "cpu" else cards_for(resolve(device))
    if there < 2:
        print(f"skipped: it takes two cards, and there is {there}", flush=True)
        return {"skipped": f"{there} of two cards"}, True
    found: dict[str, Any] = {"tolerance": LOSS_TOLERANCE}
    of_each = {}
    with tempfile.TemporaryDirectory() as scratch:
        on_two = (f"training.device={device}", "launcher.gpus_per_run=2")
        asked_of = {"one": ("training.device=cpu",)} | {how: (*on_two, f"launcher.shard={how}") for how in SHARD}
        for way, where in asked_of.items():
            results = f"{scratch}/{way}"
            asked = (*COMPARED["transformer"], f"ladder.steps={N_STEPS}", "seeds=1", f"results={results}")
            if command(["sweep", *asked, *where]) != 0:
                return found, False
            frame = load(results)
            of_each[way] = frame.loc[frame["metric"] == "loss"].sort_values(["split", "step"])["value"].to_numpy()
            found[way] = float(np.abs(of_each[way] / of_each["one"] - 1).max())
            keep(found)
            print(way, found[way], flush=True)
    return found, all(found[how] <= LOSS_TOLERANCE for how in SHARD)


def ways(device: str) -> tuple[dict[str, Any], bool]:
    """Whether a captured step has the losses and parameters of a replayed one, to the bit, a member alone and four.

    Replaying twice tells whether the device itself repeats its numbers. Without a card the capture only calls the step
    again on the same memory.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts: sums in the same order each time
    import torch

    from harness.training import ways as of_training

    torch.use_deterministic_algorithms(True, warn_only=True)
    if device != "cuda":
        of_training.cuda_graph = lambda function: function
    found: dict[str, Any] = {"steps": N_CAPTURED_STEPS, "families": {}}
    for family, overrides in CAPTURED.items():
        for members in (1, N_MEMBERS):
            asked = (*overrides, *STEPPED, f"seeds={members}", f"ladder.steps={N_CAPTURED_STEPS}")
            replayed, again, captured = (_stepped(asked, device, way) for way in ("replayed", "replayed", "captured"))
            row = {"captured": torch.equal(captured, replayed), "replayed_again": torch.equal(again, replayed)}
            row["difference"] = float((captured - replayed).abs().max())
            found["families"][f"{family}, {members}"] = row
            keep(found)
            print(family, members, row, flush=True)
    return found, all(row["captured"] for row in found["families"].values())


def _stepped(overrides: tuple[str, ...], device_name: str, way: str) -> Any:
    """The losses of all steps and the parameters after them, member by member, in one tensor."""
    import torch

    from harness.config import compose
    from harness.sweeping.plan import cells
    from harness.training.device import resolve
    from harness.training.loop import training_steps
    from harness.training.members import Stack

    (study,) = compose(*overrides)
    (job,) = cells(study)
    device = resolve(device_name)
    with torch.no_grad():
        stack = Stack.of(job, device)
        losses = torch.stack(list(training_steps(job, stack, device, way=way)))
        return torch.cat([losses.flatten(), stack.params_MP.flatten()]).cpu()


def speed(device: str, seconds: float) -> tuple[dict[str, Any], bool]:
    """Steps a second of each rung, members together, on the device and on one thread of the CPU."""
    found: dict[str, Any] = {"members": N_MEMBERS, "cpu_threads": 1, "rungs": {}}
    for rung, overrides in RUNGS.items():
        rates = {where: _steps_per_second(overrides, where, seconds) for where in dict.fromkeys(("cpu", device))}
        found["rungs"][rung] = {f"{where}_steps_per_s": round(rate, 2) for where, rate in rates.items()}
        found["rungs"][rung]["ratio"] = round(rates[device] / rates["cpu"], 2)
        keep(found)
        print(rung, found["rungs"][rung], flush=True)
    return found, True


def _steps_per_second(overrides: tuple[str, ...], device_name: str, seconds: float) -> float:
    import torch

    from harness.config import compose
    from harness.sweeping.plan import cells
    from harness.training.device import resolve, synchronise
    from harness.training.loop import training_steps
    from harness.training.members import Stack

    (study,) = compose(*overrides, "ladder.depths=[2]", "ladder.steps=1000000", f"seeds={N_MEMBERS}")
    (job,) = cells(study)
    device = resolve(device_name)
    torch.set_num_threads(1)
    with torch.no_grad():
        steps = training_steps(job, Stack.of(job, device), device)
        for _ in range(3):  # the first traces the step
            next(steps)
        synchronise(device)
        started, n = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            next(steps)
            synchronise(device)
            n += 1
        return n / (time.perf_counter() - started)


def bench(device: str) -> tuple[dict[str, Any], bool]:
    """The parts of experiments/sweep_speed that need no checkout of nanoGPT, short: a family swept, each rung's use."""
    script = Path(__file__).parents[1] / "sweep_speed" / "run.py"
    short = ["--only", "use,family", "--steps", "100", "--use-seconds", "0.4"]
    short += [] if device == "cuda" else ["--widths", "32,64", "--wide", "64", "--seeds", "2", "--rounds", "1"]
    variables = {name: value for name, value in os.environ.items() if name != "HARNESS_NANOGPT"}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(os.environ.get("FOUND", Path(folder) / "found.json"))  # what there is stays if the time is up
        command = [sys.executable, str(script), "--device", device, *short, "--out", str(out)]
        done = subprocess.run(command, env=variables)
        return json.loads(out.read_text()) if out.exists() else {}, done.returncode == 0


def quickstart(device: str, studies: list[str]) -> tuple[dict[str, Any], bool]:
    """Sweep and analyse studies of the quickstart on the device; their verdicts beside those that are expected."""
    # Several processes share a GPU well: small models keep it busy for a part of the time only.
    workers = ["launcher.workers=6"] if device == "cuda" else []
    experiments = ["quickstart"] if set(studies) == set(VERDICTS) else [f"quickstart/{study}" for study in studies]
    rows: list[dict[str, str]] = []
    for experiment in experiments:
        with tempfile.TemporaryDirectory() as folder:
            settings = [f"experiment={experiment}", f"results={folder}", f"training.device={device}", *workers]
            for verb in ("sweep", "analyze"):
                subprocess.run([sys.executable, "-m", "harness", verb, *settings], check=True)
            with open(Path(folder) / "verdicts.csv") as file:
                rows += csv.DictReader(file)
    verdicts, passed = [], True
    for row in rows:
        whole, of_subtask = VERDICTS[row["study"]]
        expected = whole if row["subtask"] == "all" else of_subtask
        passed &= row["verdict"] == expected
        kept = ("study", "subtask", "metric", "verdict", "threshold", "threshold_low", "threshold_high")
        verdicts.append({name: row[name] for name in kept} | {"expected": expected})
        print(*verdicts[-1].values(), flush=True)
    return {"verdicts": verdicts}, passed and {row["study"] for row in rows} == set(studies)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("environment", "losses", "cards", "ways", "speed", "bench", "quickstart"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--studies", default=",".join(VERDICTS), help="of the quickstart, separated by commas")
    parser.add_argument("--seconds", type=float, default=2.0, help="that each speed is measured for")
    args = parser.parse_args()
    if args.part == "speed":
        found, passed = speed(args.device, args.seconds)
    elif args.part == "quickstart":
        found, passed = quickstart(args.device, args.studies.split(","))
    else:
        others = {"environment": environment, "losses": losses, "cards": cards, "ways": ways, "bench": bench}
        found, passed = others[args.part](args.device)
    keep(found)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
