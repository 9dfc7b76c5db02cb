"""What a sweep replaces: run after run in one process, a plain loop over the model class of a nanoGPT checkout.

    python experiments/sweep_speed/baseline.py --nanogpt PATH --out FILE FOLDER...      (run.py calls this)

A FOLDER is one rung's work, as `sides.prepare` writes it: work.json, the tokens, and the parameters that each seed
starts from. Torch and numpy are all that it needs, as a loop of one's own would. FILE gets the losses and the seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

#: Windows that are evaluated at a time; larger than the batch, because there is no backward pass.
EVALUATED_AT_ONCE = 128
#: Steps before the clock of `seconds_per_step` starts.
WARM_UP = 3


@dataclass(frozen=True)
class Work:
    """What every run of one rung does, in numbers alone, so that two programs can do the same.

    Attributes:
        evaluate_at: steps after which the evaluation windows are scored.
        betas: of AdamW, beside `lr`, `eps` and `weight_decay`.
        decays: parameters that decay; None for all matrices and tables, as nanoGPT has it.
        logit_scale: factor on the logits; ours has one where the readout is the embedding, nanoGPT has 1.
        precision: float32, or bfloat16 by autocast.
        threads: of torch, on a CPU.
        compiled: whether the model goes through torch.compile.
    """

    width: int
    depth: int
    heads: int
    context: int
    vocabulary: int
    batch_size: int
    steps: int
    evaluate_at: list[int]
    seeds: list[int]
    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    grad_clip: float
    decays: list[str] | None
    logit_scale: float
    precision: str = "float32"
    device: str = "cpu"
    threads: int = 1
    compiled: bool = False

    @classmethod
    def read(cls, folder: Path) -> Work:
        return cls(**json.loads((folder / "work.json").read_text()))

    def write(self, folder: Path) -> None:
        (folder / "work.json").write_text(json.dumps(asdict(self)))

    def autocast(self) -> AbstractContextManager[Any]:
        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device, torch.bfloat16)


#: A seed -> a model to be called with inputs and targets, each (B, T) int64; it returns logits and the mean loss.
NewModel = Callable[[int], nn.Module]


class Loop:
    """The runs of one rung, one after the other.

    Args:
        train: tokens to draw windows of.
        evaluation: (n, context + 1) tokens of the evaluation windows.
    """

    def __init__(self, work: Work, new_model: NewModel, train: np.ndarray, evaluation: np.ndarray) -> None:
        self.work, self.new_model, self.train = work, new_model, train
        windows = torch.from_numpy(evaluation.astype(np.int64)).to(work.device)
        self.evaluation = (windows[:, :-1].contiguous(), windows[:, 1:].contiguous())

    def run(self, seed: int) -> list[float]:
        """Evaluation losses in nats, at each of `work.evaluate_at`."""
        model = self.new_model(seed)
        called = torch.compile(model) if self.work.compiled else model
        steps = self.steps(model, called, seed)
        losses = []
        for step in range(1, self.work.steps + 1):
            next(steps)
            if step in self.work.evaluate_at:
                losses.append(self.evaluate(model))  # a compiled one would be compiled anew, for more windows at a time
        return losses

    def steps(self, model: nn.Module, called: Callable[..., Any], seed: int) -> Iterator[None]:
        """Take training steps without end, on windows that start anywhere."""
        work, optimizer = self.work, self.optimizer(model)
        draw = np.random.default_rng([seed, 1])
        while True:
            inputs, targets = self.batch(draw)
            with work.autocast():
                _, loss = called(inputs, targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), work.grad_clip)
            optimizer.step()
            yield

    def batch(self, draw: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        work = self.work
        starts = draw.integers(len(self.train) - work.context, size=work.batch_size)
        tokens = torch.from_numpy(self.train[starts[:, None] + np.arange(work.context + 1)].astype(np.int64))
        inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
        if work.device == "cuda":
            return tuple(part.pin_memory().to("cuda", non_blocking=True) for part in (inputs, targets))  # type: ignore
        return inputs, targets

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        named, work = dict(model.named_parameters()), self.work
        decays = [name for name, of in named.items() if of.ndim >= 2] if work.decays is None else work.decays
        groups = [
            {"params": [of for name, of in named.items() if name in decays], "weight_decay": work.weight_decay},
            {"params": [of for name, of in named.items() if name not in decays], "weight_decay": 0.0},
        ]
        fused = work.device == "cuda"
        return torch.optim.AdamW(groups, lr=work.lr, betas=work.betas, eps=work.eps, fused=fused)

    @torch.no_grad()
    def evaluate(self, called: Callable[..., Any]) -> float:
        parts = zip(*(part.split(EVALUATED_AT_ONCE) for part in self.evaluation), strict=True)
        with self.work.autocast():
            sums = [called(inputs, targets)[1].float() * len(inputs) for inputs, targets in parts]
        return float(torch.stack(sums).sum()) / len(self.evaluation[0])

    def seconds_per_step(self, seconds: float) -> float:
        """Of the first seed, over about so many seconds."""
        model = self.new_model(self.work.seeds[0])
        steps = self.steps(model, model, self.work.seeds[0])
        for _ in range(WARM_UP):
            next(steps)
        started, n = time.perf_counter(), 0
        while (spent := time.perf_counter() - started) < seconds or not n:
            next(steps)
            n += 1
        return spent / n


def nanogpt_models(checkout: Path, folder: Path, work: Work) -> NewModel:
    """Makes models of the checkout's class, of the rung's shape, with the parameters that lie in `folder`, if any do.

    The scale of the logits goes on the final norm's output, which takes .3 % of a step at width 32 and less above.
    """
    sys.path.insert(0, str(checkout))
    from model import GPT, GPTConfig

    config = GPTConfig(
        block_size=work.context,
        vocab_size=work.vocabulary,
        n_layer=work.depth,
        n_head=work.heads,
        n_embd=work.width,
        dropout=0.0,
        bias=True,
    )

    # One function for all models: a new one would have each of them compiled anew.
    def scaled(_: nn.Module, __: Any, normed: torch.Tensor) -> torch.Tensor:
        return normed * work.logit_scale

    def new_model(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        with contextlib.redirect_stdout(io.StringIO()):
            model = GPT(config)
        if (start := folder / f"start-{seed}.pt").exists():
            model.load_state_dict(torch.load(start))
        if work.logit_scale != 1:
            model.transformer.ln_f.register_forward_hook(scaled)
        return model.to(work.device)

    return new_model


def loop_of(folder: Path, checkout: Path) -> Loop:
    work = Work.read(folder)
    train, evaluation = np.load(folder / "train.npy"), np.load(folder / "evaluation.npy")
    return Loop(work, nanogpt_models(checkout, folder, work), train, evaluation)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="of the rungs, as sides.prepare writes them")
    parser.add_argument("--nanogpt", type=Path, required=True, help="a checkout of nanoGPT")
    parser.add_argument("--out", type=Path, required=True, help="JSON: for each rung its losses and seconds by run")
    parser.add_argument("--calibrate", type=float, help="so many seconds for each number of threads; no runs")
    args = parser.parse_args()
    rungs = []
    for folder in args.folders:
        torch.compiler.reset()  # so that sizes are not compiled into one graph of any size
        loop = loop_of(folder, args.nanogpt)
        torch.set_num_threads(loop.work.threads)
        if args.calibrate:
            by_threads = {}
            for threads in sorted({1, os.cpu_count() or 1}) if loop.work.device == "cpu" else [1]:
                torch.set_num_threads(threads)
                by_threads[threads] = loop.seconds_per_step(args.calibrate)
            rungs.append({"seconds_per_step": by_threads})
            continue
        losses, seconds = [], []
        for seed in loop.work.seeds:
            started = time.perf_counter()
            losses.append(loop.run(seed))
            seconds.append(time.perf_counter() - started)
        if not all(math.isfinite(of_run[-1]) for of_run in losses):
            sys.exit(f"{folder}: a loss is not finite")
        rungs.append({"losses": losses, "seconds": seconds})
    args.out.write_text(json.dumps(rungs))


if __name__ == "__main__":
    main()
