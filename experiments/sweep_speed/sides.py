"""The sides of the comparison: each a list of whole processes, timed from the first start to the last end."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from baseline import Work

import harness
from harness.config import compose
from harness.ladder import Job
from harness.settings import Settings
from harness.sweeping.plan import cells
from harness.training.evaluation_steps import evaluation_steps
from harness.training.members import Stack

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]

#: Steps that stand for the number not known yet, while a rung's own number is measured.
SOME_STEPS = 10

#: The same family, data, batch and optimizer for every rung.
SHARED = (
    *("task=text", "family=transformer", "ladder.depths=[4]", "ladder.batch_size=32", "schedule=constant"),
    *("optimizer.lr=0.001", "optimizer.beta1=0.9", "optimizer.beta2=0.95", "optimizer.weight_decay=0.1"),
    "optimizer.grad_clip=1.0",
)
#: The settings that make our transformer nanoGPT's.
AS_NANOGPT = (
    *("family.positions=learned", "family.tied=true", "family.norm=layer", "family.biases=true"),
    *("family.activation=gelu", "family.embedding_std=0.02"),
)
FAMILIES = {"nanogpt": AS_NANOGPT, "default": ()}


class SideError(Exception):
    """A side that could not be run; the message is a line."""


@dataclass(frozen=True)
class Rung:
    """One size: how the harness is asked for it, and the folder of the same work for the baseline."""

    overrides: tuple[str, ...]
    folder: Path
    work: Work

    def with_steps(self, steps: int, threads: int) -> Rung:
        """The same for so many steps; what the baseline reads is written anew."""
        overrides = (*self.overrides, f"ladder.steps={steps}")
        (study,) = compose(*overrides)
        at = sorted(evaluation_steps(cells(study)[0]))
        work = replace(self.work, steps=steps, evaluate_at=at, threads=threads)
        work.write(self.folder)
        return Rung(overrides, self.folder, work)


def overrides_of(width: int, family: str, seeds: int, device: str, precision: str, evaluations: int) -> tuple[str, ...]:
    return (
        *SHARED,
        *FAMILIES[family],
        *(f"ladder.widths=[{width}]", "ladder.head_width=32", f"seeds={seeds}", f"training.evaluations={evaluations}"),
        *(f"training.device={device}", f"training.precision={precision}"),
    )


def prepare(folder: Path, overrides: Sequence[str], family: str, precision: str, compiled: bool) -> Rung:
    """Write the work of a rung for the baseline: numbers, tokens, and the parameters that each seed starts from.

    Args:
        family: with nanogpt, parameters are those with which the harness starts; else nanoGPT's own.
        precision: of the baseline.
    """
    (study,) = compose(*overrides, f"ladder.steps={SOME_STEPS}")
    (job,) = cells(study)
    folder.mkdir(parents=True)
    train, _ = study.task.corpus
    windows = study.task.eval_batch()
    np.save(folder / "train.npy", train)
    np.save(folder / "evaluation.npy", np.concatenate([windows.inputs, windows.targets[:, -1:]], axis=1))
    work = _work(job, precision, compiled)
    if family == "nanogpt":
        work = replace(work, logit_scale=1 / math.sqrt(work.width), decays=_decays(job))
        for member, state in zip(job.members, _starts(job), strict=True):
            torch.save(state, folder / f"start-{member.seed}.pt")
    work.write(folder)
    return Rung(tuple(overrides), folder, work)


def _work(job: Job, precision: str, compiled: bool) -> Work:
    settings, shape, optimizer = job.settings, job.rung.shape, job.settings.optimizer
    return Work(
        width=shape.width,
        depth=shape.depth,
        heads=shape.heads,
        context=settings.task.signature.context,
        vocabulary=settings.signature.n_outputs,
        batch_size=settings.ladder.batch_size,
        steps=job.steps,
        evaluate_at=sorted(evaluation_steps(job)),
        seeds=[member.seed for member in job.members],
        lr=optimizer.lr,
        betas=(optimizer.beta1, optimizer.beta2),
        eps=optimizer.eps,
        weight_decay=optimizer.weight_decay,
        grad_clip=optimizer.grad_clip,
        decays=None,
        logit_scale=1.0,
        precision=precision,
        device=settings.training.device,
        compiled=compiled,
    )


#: Of our parameters, what each part of a name is called in nanoGPT.
NAMES = (
    (r"^embedding\.", "transformer.wte."),
    (r"^positions\.", "transformer.wpe."),
    (r"^norm\.", "transformer.ln_f."),
    (r"^blocks\.", "transformer.h."),
    (r"\.attention\.norm\.", ".ln_1."),
    (r"\.mlp\.norm\.", ".ln_2."),
    (r"\.attention\.inner\.qkv\.", ".attn.c_attn."),
    (r"\.attention\.inner\.out\.", ".attn.c_proj."),
    (r"\.mlp\.inner\.up\.", ".mlp.c_fc."),
    (r"\.mlp\.inner\.down\.", ".mlp.c_proj."),
)


def nanogpt_name(name: str) -> str:
    for ours, theirs in NAMES:
        name = re.sub(ours, theirs, name)
    return name


def _starts(job: Job) -> list[dict[str, torch.Tensor]]:
    """The parameters with which each member starts, as a nanoGPT of the same shape has them."""
    values = {nanogpt_name(name): of for name, of in Stack.of(job, torch.device("cpu")).models.items()}
    values["lm_head.weight"] = values["transformer.wte.weight"]
    return [{name: of[index].clone() for name, of in values.items()} for index in range(len(job.members))]


def _decays(job: Job) -> list[str]:
    settings = job.settings
    model = settings.family.build(job.rung.shape, settings.signature, settings.parametrization)
    return [nanogpt_name(name) for name, role in model.roles().items() if role.decays]


# ----------------------------------------------------------------------------------------------------------- processes


def run_all(
    commands: Sequence[Sequence[str]], folder: Path, variables: Mapping[str, str], at_once: int = 1
) -> tuple[float, list[str]]:
    """Run commands in a folder, so many at once; the seconds from the first start to the last end, and what they print.

    Raises:
        SideError: one of them failed.
    """
    # Nothing is written beside the sources of somebody else's checkout.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | variables

    def run(command: Sequence[str]) -> str:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            raise SideError(f"{' '.join(command[1:4])} ...: exit code {done.returncode}: {last}")
        return done.stdout

    started = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        printed = list(pool.map(run, commands))
    return time.monotonic() - started, printed


def harness_verbs(
    commands: Sequence[Sequence[str]], folder: Path, checkout: Path = REPOSITORY, at_once: int = 1
) -> float:
    """Seconds that verbs of the harness take, as whole processes."""
    python = (sys.executable, "-m", "harness")
    return run_all([(*python, *command) for command in commands], folder, importing(checkout), at_once)[0]


def importing(checkout: Path = REPOSITORY) -> dict[str, str]:
    """The variable by which a process imports the harness of a checkout."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(checkout), os.environ.get("PYTHONPATH", ""))))}


def final_losses(results: Path) -> dict[tuple[str, int, int], float]:
    """The last evaluation loss of each run, by (study, width, seed)."""
    frame = harness.load(results, runs="all", subtask="all")
    frame = frame[frame["metric"] == "loss"]
    rows = frame[["study", "width", "seed", "value"]].itertuples(index=False, name=None)
    return {(study, width, seed): loss for study, width, seed, loss in rows}


def baseline(rungs: Sequence[Rung], nanogpt: Path, calibrate: float | None = None) -> tuple[float, list[dict]]:
    """The plain loop over all runs of the rungs; its seconds, and what it found for each rung."""
    out = rungs[0].folder / "found.json"
    command = [sys.executable, str(HERE / "baseline.py"), *(str(rung.folder) for rung in rungs)]
    command += ["--nanogpt", str(nanogpt), "--out", str(out)]
    command += ["--calibrate", str(calibrate)] if calibrate else []
    seconds, _ = run_all([command], rungs[0].folder, {})
    return seconds, json.loads(out.read_text())


def as_processes(study: Settings, overrides: Sequence[str], results: Path) -> list[list[str]]:
    """`harness train` for every run of a study."""
    return [
        ["train", *overrides, f"rung={job.rung.index}", f"seed={member.seed}", f"results={results}"]
        for job in cells(study)
        for member in job.members
    ]


# ------------------------------------------------------------------------------------------------------------ train.py


def train_py(rung: Rung, nanogpt: Path, cores: int) -> tuple[float, list[float]]:
    """nanoGPT's own train.py, a process per run, as many at once as there are cores, each with one thread.

    It scores as many windows at the same number of evaluations, though half of them are training windows, and one more
    step is taken so that the last of them comes after the last step. It cannot be given a seed: its runs are alike.

    Returns:
        Seconds, and the last loss that each run printed.
    """
    work, folder = rung.work, rung.folder / "train_py"
    if not folder.exists():
        _write_data(rung, folder, nanogpt)
    batches = math.ceil(len(np.load(rung.folder / "evaluation.npy")) / work.batch_size / 2)
    settings = {
        "dataset": "bytes",
        "device": work.device,
        "dtype": work.precision,
        "compile": work.compiled,
        "n_layer": work.depth,
        "n_head": work.heads,
        "n_embd": work.width,
        "block_size": work.context,
        "bias": True,
        "dropout": 0.0,
        "batch_size": work.batch_size,
        "gradient_accumulation_steps": 1,
        "max_iters": work.steps,
        "log_interval": work.steps,
        "eval_iters": batches,
        "eval_interval": math.ceil(work.steps / len(work.evaluate_at)),
        "always_save_checkpoint": False,
        "learning_rate": work.lr,
        "decay_lr": False,
        "beta1": work.betas[0],
        "beta2": work.betas[1],
        "weight_decay": work.weight_decay,
        "grad_clip": work.grad_clip,
    }
    words = [f"--{name}={value}" for name, value in settings.items()]
    script = str(nanogpt / "train.py")
    commands = [[sys.executable, script, *words, f"--out_dir=out-{seed}"] for seed in work.seeds]
    seconds, printed = run_all(commands, folder, {"OMP_NUM_THREADS": "1"}, cores)
    return seconds, [float(re.findall(r"val loss ([\d.]+)", text)[-1]) for text in printed]


def _write_data(rung: Rung, folder: Path, nanogpt: Path) -> None:
    """The bytes in the layout that train.py reads, and the file that it looks for where it is started."""
    data = folder / "data" / "bytes"
    data.mkdir(parents=True)
    (folder / "configurator.py").symlink_to(nanogpt / "configurator.py")
    np.load(rung.folder / "train.npy").astype(np.uint16).tofile(data / "train.bin")
    np.load(rung.folder / "evaluation.npy").astype(np.uint16).tofile(data / "val.bin")
    (data / "meta.pkl").write_bytes(pickle.dumps({"vocab_size": rung.work.vocabulary}))


# --------------------------------------------------------------------------------------------------------- alternately


def alternately(sides: Mapping[str, Callable[[int], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each side in each round, the sides in turn, and in the opposite order in every second round."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for at in range(rounds):
        for name in list(sides)[:: -1 if at % 2 else 1]:
            seconds[name].append(sides[name](at))
    return seconds
