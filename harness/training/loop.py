"""Train the members of one job and measure them at log-spaced steps; where the numbers go is not known here."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import torch

from harness.families.parametrization import is_adapter
from harness.ladder import Job, Member
from harness.metrics import LOSS
from harness.settings import Settings, TrainingSettings
from harness.tasks.shifts.sets import EvaluationSet, shifted_sets
from harness.training.batches import training_batches
from harness.training.choices import ChoiceEvaluator
from harness.training.contrastive import ContrastiveEvaluator
from harness.training.device import describe, resolve, synchronise
from harness.training.evaluation import Evaluator, chance
from harness.training.losses import add_penalties
from harness.training.members import Stack, Start
from harness.training.micro_batches import trace_step
from harness.training.optimizers import OPTIMIZERS, Optimizer, clip_by_member
from harness.training.schedules import lr_multiplier
from harness.training.state import Checkpoints, Keeper, KeepsNothing, NoCheckpoints, State, restore
from harness.training.stopping import EarlyStopping

PROGRESS_INTERVAL_S = 0.5
#: What a checkpoint has of each outcome; the rest is known at the end.
_KEPT = ("status", "error", "stopped", "measurements")


@dataclass(frozen=True)
class Progress:
    """How far a job is: steps done of all, and each member's latest training loss in nats."""

    step: int
    steps: int
    losses: tuple[float, ...]


@dataclass
class Outcome:
    """What became of one member.

    Attributes:
        status: "finished" or "diverged"; a job that raises has no outcomes.
        error: why it diverged.
        stopped: whether it finished before the last step, because its loss no longer fell.
        wall_s: seconds of the whole job.
        tokens_per_s: training tokens a second, all members together.
        device: as the runs table names it.
        versions: of Python, torch, numpy and the task's data.
        measurements: rows of the measurements table.
    """

    member: Member
    status: str = "finished"
    error: str | None = None
    stopped: bool = False
    wall_s: float = 0.0
    tokens_per_s: float = 0.0
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    measurements: list[dict[str, Any]] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        """Whether it has neither diverged nor stopped."""
        return self.status == "finished" and not self.stopped


def train_job(
    job: Job,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoints: Checkpoints | None = None,
    keeper: Keeper | None = None,
    start: Start | None = None,
) -> list[Outcome]:
    """Train all members of a job side by side and return their outcomes, in the order of `job.members`.

    On CPU one thread is used, or `launcher.threads`. With one the same seed gives the same numbers to the bit, beside
    whichever others. Alone, too, but for models with convolutions or a single output, whose sums are then taken in
    another order.
    A member whose loss is no longer finite has diverged, and one whose patience has run out has finished: its
    measurements end there and the others go on. A job that goes on from a checkpoint ends, on CPU, with the numbers of
    one that was never stopped, to the bit.

    Args:
        start: gives the parameters that each member starts from, where members have parents.

    Raises:
        SettingError: a device that this machine does not have.
        UserError: what a member starts from is not there, or of another shape.
    """
    device = resolve(job.settings.training.device)
    if device.type == "cpu":
        torch.set_num_threads(job.settings.launcher.threads or 1)
    started = time.monotonic()
    outcomes = [Outcome(member) for member in job.members]
    with torch.no_grad():
        stack = Stack.of(job, device, start)
        training = Training.of(job, device, stack, outcomes, checkpoints or NoCheckpoints(), keeper or KeepsNothing())
        steps = training.run(on_progress or (lambda progress: None))
    synchronise(device)
    wall_s = time.monotonic() - started + training.spent_s
    for outcome in outcomes:
        outcome.wall_s, outcome.device = wall_s, describe(device)
        outcome.tokens_per_s = job.tokens * steps / job.steps * len(outcomes) / wall_s
        outcome.versions = _versions() | job.settings.task.versions
    return outcomes


@dataclass
class Training:
    """A job in training.

    Attributes:
        step: steps taken.
        loss_sum_M: each member's training losses since the last evaluation, summed.
        evaluated: the step of that evaluation.
        spent_s: seconds that were spent on it before it was stopped.
    """

    job: Job
    device: torch.device
    stack: Stack
    optimizer: Optimizer
    stopping: list[EarlyStopping]
    outcomes: list[Outcome]
    checkpoints: Checkpoints
    keeper: Keeper
    step: int = 0
    # A scalar can be added to a tensor of any shape and device.
    loss_sum_M: torch.Tensor = field(default_factory=lambda: torch.zeros(()))
    evaluated: int = 0
    spent_s: float = 0.0
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def of(
        cls,
        job: Job,
        device: torch.device,
        stack: Stack,
        outcomes: list[Outcome],
        checkpoints: Checkpoints,
        keeper: Keeper,
    ) -> Training:
        """From its beginning, or from its last checkpoint."""
        stopping = [EarlyStopping(job.settings.training) for _ in outcomes]
        training = cls(job, device, stack, optimizer_of(job, stack), stopping, outcomes, checkpoints, keeper)
        if (state := checkpoints.read()) is not None:
            training._resume(state)
        return training

    def run(self, on_progress: Callable[[Progress], None]) -> int:
        """Train to the last step, or until no member goes on; measurements go into the outcomes.

        Returns:
            How many steps were taken.
        """
        job, outcomes = self.job, self.outcomes
        evaluators = evaluators_of(job.settings, self.device)
        evaluate_at = evaluation_steps(job.steps, job.settings.training)
        reported_at = time.monotonic()
        for losses_M in training_steps(job, self.stack, self.device, self.optimizer, self.step):
            self.step += 1
            self.loss_sum_M = self.loss_sum_M + losses_M
            if self.step in evaluate_at:
                self._evaluate(evaluators)
            if time.monotonic() - reported_at > PROGRESS_INTERVAL_S or self.step == job.steps:
                losses = losses_M.tolist()
                on_progress(Progress(self.step, job.steps, tuple(losses)))
                _mark_diverged(outcomes, losses, self.step)
                reported_at = time.monotonic()
            if not any(outcome.goes_on for outcome in outcomes):
                break
            if self.checkpoints.due:
                self.checkpoints.write(self._state())
        return self.step

    def _evaluate(self, evaluators: Sequence[Evaluator]) -> None:
        n_steps = self.step - self.evaluated
        train_losses = (self.loss_sum_M / n_steps).tolist()
        by_set = [evaluator.measure(self.stack) for evaluator in evaluators]
        measured = [list(chain(*of_member)) for of_member in zip(*by_set, strict=True)]
        in_training = [index for index, outcome in enumerate(self.outcomes) if outcome.goes_on]
        _record(self.job, self.outcomes, self.step, measured, train_losses, n_steps)
        for outcome, rule, rows in zip(self.outcomes, self.stopping, measured, strict=True):
            outcome.stopped = outcome.stopped or rule.ends(_loss_of(rows))
        self._keep(in_training)
        self.loss_sum_M, self.evaluated = torch.zeros(()), self.step

    def _keep(self, indices: list[int]) -> None:
        """Keep what is wanted of members that were just evaluated; nothing of those that have diverged."""
        for index in indices:
            outcome = self.outcomes[index]
            if outcome.status == "finished" and self.keeper.wants(outcome.stopped or self.step == self.job.steps):
                self.keeper.keep(index, self._state_of(index))

    def _state_of(self, index: int) -> State:
        """The state of one member: parameters as model.NAME, averages of the optimizer as optimizer.AVERAGE.NAME.

        Low-rank adapters are added to the matrices beside them, and stand for themselves as adapter.NAME too.
        """
        averages = {f"optimizer.{name}": average for name, average in self.optimizer.averages.items()}
        parts = {"model": self.stack.models} | {of: self.stack.by_name(values) for of, values in averages.items()}
        if adapters := {name: of for name, of in self.stack.by_name().items() if is_adapter(name)}:
            parts["adapter"] = adapters
        named = {f"{whole}.{name}": part[index] for whole in parts for name, part in parts[whole].items()}
        return State(self.step, named)

    def _state(self) -> State:
        tensors = {"params": self.stack.params_MP, "loss_sum": self.loss_sum_M} | self.optimizer.averages
        facts = {
            "evaluated": self.evaluated,
            "spent_s": self.spent_s + time.monotonic() - self.started,
            "outcomes": [{name: getattr(outcome, name) for name in _KEPT} for outcome in self.outcomes],
            "stopping": [[rule.lowest, rule.in_vain] for rule in self.stopping],
        }
        return State(self.step, tensors, facts)

    def _resume(self, state: State) -> None:
        self.step, facts = state.step, state.facts
        restore({"params": self.stack.params_MP}, state.tensors)
        self.optimizer.resume(state.tensors, self.step)
        self.loss_sum_M = state.tensors["loss_sum"].to(self.device)
        self.evaluated, self.spent_s = facts["evaluated"], facts["spent_s"]
        for outcome, kept in zip(self.outcomes, facts["outcomes"], strict=True):
            vars(outcome).update(kept)
        for rule, (lowest, in_vain) in zip(self.stopping, facts["stopping"], strict=True):
            rule.lowest, rule.in_vain = lowest, in_vain


def evaluators_of(settings: Settings, device: torch.device) -> list[Evaluator]:
    """What measures the task's own evaluation set, which comes first, and those of its shifts."""
    asked = [EvaluationSet.own(settings.task), *shifted_sets(settings)]
    return [_evaluator(settings, device, each) for each in asked]


def _evaluator(settings: Settings, device: torch.device, asked: EvaluationSet) -> Evaluator:
    if settings.loss.kind == "contrastive":
        return ContrastiveEvaluator(settings, device, asked)
    choices = asked.task.choices
    return Evaluator(settings, device, asked) if choices is None else ChoiceEvaluator(settings, device, choices, asked)


def evaluation_steps(steps: int, settings: TrainingSettings) -> set[int]:
    """At most `training.evaluations` steps up to `steps`, which is the last of them.

    Spaced evenly in the logarithm from step 1 on, or, where `training.evaluate` is even, every 1 / evaluations of them.
    """
    n = settings.evaluations
    if settings.evaluate == "even":
        return {max(1, round(s)) for s in np.linspace(steps / n, steps, n)}
    return {round(s) for s in np.geomspace(1, steps, n)} | {steps} if n > 1 else {steps}


# --------------------------------------------------------------------------------------------------------------- steps


def optimizer_of(job: Job, stack: Stack) -> Optimizer:
    """What trains the members of a job."""
    settings = job.settings.optimizer
    return OPTIMIZERS[settings.kind](stack.params_MP, stack.rates, settings)


def training_steps(
    job: Job, stack: Stack, device: torch.device, optimizer: Optimizer | None = None, first: int = 0
) -> Iterator[torch.Tensor]:
    """Take the job's optimizer steps one by one; yields each member's loss (M,) before the step.

    Args:
        optimizer: one that has taken `first` steps; by default a new one.
    """
    settings, optimizer = job.settings, optimizer or optimizer_of(job, stack)
    batches = training_batches(job, device, first)
    loss_and_grad = None
    for step in range(first, job.steps):
        batch = next(batches)
        loss_and_grad = loss_and_grad or trace_step(job, stack, *batch)
        losses_M, grad_MP = loss_and_grad(*batch, step)
        grad_MP = add_penalties(grad_MP, stack.params_MP, stack.decays_P, settings.loss)
        if settings.optimizer.grad_clip is not None:
            grad_MP = clip_by_member(grad_MP, settings.optimizer.grad_clip)
        optimizer.step(grad_MP, lr_multiplier(settings.schedule, step, job.steps))
        yield losses_M


# -------------------------------------------------------------------------------------------------------- measurements


def _record(
    job: Job,
    outcomes: list[Outcome],
    step: int,
    evaluated: list[list[dict[str, Any]]],
    train_losses: list[float],
    n_steps: int,
) -> None:
    """Add one evaluation to the outcome of each member that goes on; one whose losses are not finite has diverged.

    Args:
        evaluated: rows of each member's evaluation.
        train_losses: each member's mean over the `n_steps` steps since the evaluation before.
    """
    _mark_diverged(outcomes, [_worst_loss_of(rows) for rows in evaluated], step)
    _mark_diverged(outcomes, train_losses, step)
    for outcome, rows, train_loss in zip(outcomes, evaluated, train_losses, strict=True):
        if outcome.goes_on:
            trained = _train_row(job.settings, train_loss, n_steps * job.settings.ladder.batch_size)
            outcome.measurements += [_at(job, outcome.member, step) | row for row in [*rows, trained]]


def _loss_of(rows: list[dict[str, Any]], split: str = "eval") -> float:
    """Loss of the whole task in an evaluation's rows; 0 for a task that does not measure its loss."""
    wanted = (split, LOSS.name, "all")
    return next((row["value"] for row in rows if (row["split"], row["metric"], row["subtask"]) == wanted), 0.0)


def _worst_loss_of(rows: list[dict[str, Any]]) -> float:
    """The loss of an evaluation set where it is not finite, which cannot be recorded; else 0."""
    losses = [_loss_of(rows, split) for split in dict.fromkeys(row["split"] for row in rows)]
    return next((loss for loss in losses if not math.isfinite(loss)), 0.0)


def _mark_diverged(outcomes: list[Outcome], losses: list[float], step: int) -> None:
    for outcome, loss in zip(outcomes, losses, strict=True):
        if outcome.goes_on and not math.isfinite(loss):
            outcome.status = "diverged"
            outcome.error = f"loss was not finite at step {step}: try a lower optimizer.lr, or optimizer.grad_clip"


def _at(job: Job, member: Member, step: int) -> dict[str, Any]:
    done = step / job.steps
    return {"run_id": member.run_id, "step": step, "tokens": round(job.tokens * done), "flops": job.flops * done}


def _train_row(settings: Settings, loss: float, n_examples: int) -> dict[str, Any]:
    """The training loss, mean over the steps since the last evaluation: smoothed as asked for, without penalties."""
    return {
        "split": "train",
        "subtask": "all",
        "metric": LOSS.name,
        "value": loss,
        "stderr": None,
        "n_eval": n_examples,
        "chance": chance(settings, LOSS.name),
        "higher_is_better": LOSS.higher_is_better,
        "discontinuous": LOSS.discontinuous,
        "paired_metric": LOSS.paired_metric,
    }


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
