"""One training step, and the ways to run it.

    replayed   the traced operations, one after another
    compiled   the gradient through torch.compile, which fuses what is elementwise; it needs a compiler and seconds
    captured   a CUDA graph of the whole step (gradient, clipping, optimizer), launched at once

`replayed` and `captured` are the same operations on the same numbers. What changes from step to step (batch, dropout's
keys, the optimizer's factors) is handed over as tensors; a captured step copies it to where the graph reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import torch

from harness.ladder import Job
from harness.training.batches import STEPS, training_batches
from harness.training.gradients import Gradient
from harness.training.losses import add_penalties
from harness.training.members import Keys, Stack
from harness.training.micro_batches import gradient_in_parts
from harness.training.optimizers import Optimizer, clip_by_member
from harness.training.schedules import lr_multiplier


@dataclass(frozen=True)
class StepInputs:
    """What changes from step to step.

    Attributes:
        inputs, targets, weights: as `training_batches` gives them.
        keys: what dropout draws its masks by.
        factors_F: the optimizer's.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    keys: Keys
    factors_F: torch.Tensor

    @property
    def tensors(self) -> list[torch.Tensor]:
        """All of them, in a fixed order."""
        return [self.inputs, self.targets, self.weights, *self.keys.values(), self.factors_F]

    def clone(self) -> StepInputs:
        """A copy in memory of its own."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        keys = {name: key.clone() for name, key in self.keys.items()}
        return StepInputs(**{name: value.clone() for name, value in own.items() if name != "keys"}, keys=keys)


#: Takes a step and gives each member's loss (M,) before it.
Step = Callable[[StepInputs], torch.Tensor]


WAYS = ("replayed", "compiled", "captured")


def running(way: str, job: Job, stack: Stack, optimizer: Optimizer, given: StepInputs) -> Step:
    """The step of a job, run in one of the `WAYS`, for inputs of the shapes given.

    Raises:
        UserError: a way that this machine cannot go.
    """
    like = given.inputs, given.targets, given.weights, given.keys
    gradient = gradient_in_parts(job, stack, *like, compile=way == "compiled")
    step = plain_step(job, stack, optimizer, gradient)
    return Captured(step) if way == "captured" else step


def plain_step(job: Job, stack: Stack, optimizer: Optimizer, gradient: Gradient) -> Step:
    """A step as one operation after another."""
    settings = job.settings

    def step(given: StepInputs) -> torch.Tensor:
        losses_M, grad_MP = gradient(given.inputs, given.targets, given.weights, given.keys)
        grad_MP = add_penalties(grad_MP, stack.params_MP, stack.decays_P, settings.loss)
        if settings.optimizer.grad_clip is not None:
            grad_MP = clip_by_member(grad_MP, settings.optimizer.grad_clip, stack.norms(grad_MP))
        optimizer.update(grad_MP, given.factors_F)
        return losses_M

    return step


def step_inputs(
    job: Job, stack: Stack, optimizer: Optimizer, device: torch.device, first: int = 0
) -> Iterator[StepInputs]:
    """What each step of a job is given, from step `first` on; what is made on the host comes many steps at a time."""
    batches = training_batches(job, device, first)
    for start in range(first, job.steps, STEPS):
        steps = range(start, min(start + STEPS, job.steps))
        keys = [dict(zip(stack.dropouts, of_step.unbind(dim=1), strict=True)) for of_step in stack.dropout_keys(steps)]
        factors = [optimizer.factors(step, lr_multiplier(job.settings.schedule, step, job.steps)) for step in steps]
        factors_KF = torch.tensor(factors, dtype=torch.float32).to(device)
        # The block comes last, for a batch that has been drawn would be lost.
        for of_step, factors_F, batch in zip(keys, factors_KF, batches, strict=False):
            yield StepInputs(*batch, of_step, factors_F)


class Captured:
    """A step that is captured once, and launched as a whole from then on.

    The first steps are taken one operation after another, on a stream beside the main one, for libraries to make what
    they need before a capture; they are steps of training as all others.

    Args:
        capture: runs a function once in such a way that the returned function repeats it on the same memory.
    """

    #: Steps before the capture.
    WARM_UP = 3

    def __init__(self, step: Step, capture: Callable[[Callable[[], None]], Callable[[], None]] | None = None) -> None:
        self.step, self.capture = step, capture or cuda_graph
        self.taken = 0
        self.static: StepInputs | None = None
        self.replay: Callable[[], None] | None = None
        self.losses_M = torch.zeros(())

    def __call__(self, given: StepInputs) -> torch.Tensor:
        self.taken += 1
        if self.taken <= self.WARM_UP:
            return _beside(given.inputs.device, lambda: self.step(given))
        if self.replay is None or self.static is None:
            self.static = given.clone()
            self.replay = self.capture(self._take)
        for own, new in zip(self.static.tensors, given.tensors, strict=True):
            own.copy_(new)
        self.replay()
        return self.losses_M.clone()

    def _take(self) -> None:
        assert self.static is not None
        self.losses_M = self.step(self.static)


def cuda_graph(function: Callable[[], None]) -> Callable[[], None]:
    """Capture what a function gives a GPU to do; nothing of it is done before the returned function is called."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    replay: Callable[[], None] = graph.replay
    return replay


def _beside(device: torch.device, step: Callable[[], torch.Tensor]) -> torch.Tensor:
    """A step on a stream beside the main one of a GPU, in order with what is before and after it."""
    if device.type != "cuda":
        return step()
    beside = torch.cuda.Stream(device)
    beside.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(beside):
        losses_M = step()
    torch.cuda.current_stream(device).wait_stream(beside)
    return losses_M
