"""Train the members of one job and measure them at log-spaced steps; where the numbers go is not known here."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress

import numpy as np
import torch

from harness.families.parametrization import is_adapter
from harness.ladder import Job
from harness.settings import Settings
from harness.tasks.shifts.sets import EvaluationSet, shifted_sets
from harness.training.choices import ChoiceEvaluator
from harness.training.contrastive import ContrastiveEvaluator
from harness.training.device import describe, resolve, synchronise
from harness.training.evaluation import Evaluator
from harness.training.ledger import Ledger, Outcome
from harness.training.members import Stack, Start
from harness.training.optimizers import OPTIMIZERS, Optimizer
from harness.training.schedules import stable_steps
from harness.training.sharded import stack_of
from harness.training.state import Checkpoints, Keeper, KeepsNothing, NoCheckpoints, NoTrunk, State, Trunk, restore
from harness.training.ways import Step, running, step_inputs

PROGRESS_INTERVAL_S = 0.5


@dataclass(frozen=True)
class Progress:
    """How far a job is: steps done of all, and each member's latest training loss in nats."""

    step: int
    steps: int
    losses: tuple[float, ...]


def train_job(
    job: Job,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoints: Checkpoints | None = None,
    keeper: Keeper | None = None,
    start: Start | None = None,
    trunk: Trunk | None = None,
) -> list[Outcome]:
    """Train all members of a job side by side and return their outcomes, in the order of `job.members`.

    On CPU one thread is used, or `launcher.threads`. With one the same seed gives the same numbers to the bit, beside
    whichever others. Alone, too, but for models with convolutions, LayerNorm or layers of a single unit, whose sums
    are then taken in another order, and but for a compiled step, which is the same within rounding.
    A member whose loss is no longer finite has diverged, and one whose patience has run out has finished: its
    measurements end there and the others go on. A job that goes on from a checkpoint, or from the trunk that it shares
    with a shorter one, ends, on CPU, with the numbers of one that trained every step at once, to the bit.

    Args:
        start: gives the parameters that each member starts from, where members have parents.
        trunk: the steps that it shares with jobs of other durations.

    Raises:
        SettingError: a device that this machine does not have.
        UserError: what a member starts from is not there, or of another shape.
    """
    device = resolve(job.settings.training.device)
    if device.type == "cpu":
        torch.set_num_threads(job.settings.launcher.threads or 1)
    started = time.monotonic()
    own = Ledger.of(job, keeper or KeepsNothing())
    with torch.no_grad():
        stack = stack_of(job, device, start)
        training = Training.of(device, stack, own, checkpoints or NoCheckpoints(), trunk or NoTrunk())
        steps = training.run(on_progress or (lambda progress: None))
    synchronise(device)
    wall_s = time.monotonic() - started + own.spent_s
    for outcome in own.outcomes:
        outcome.began, outcome.wall_s, outcome.device = own.began, wall_s, describe(device)
        outcome.tokens_per_s = job.tokens * (steps - own.began) / job.steps * len(own.outcomes) / wall_s
        outcome.versions = _versions() | job.settings.task.versions
    return own.outcomes


@dataclass
class Training:
    """A job in training.

    Attributes:
        own: the ledger of the job.
        longer: those of jobs that go on from its trunk, as long as it is on it.
        step: steps taken.
    """

    device: torch.device
    stack: Stack
    optimizer: Optimizer
    own: Ledger
    longer: list[Ledger]
    checkpoints: Checkpoints
    trunk: Trunk
    step: int = 0
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def of(
        cls,
        device: torch.device,
        stack: Stack,
        own: Ledger,
        checkpoints: Checkpoints,
        trunk: Trunk,
    ) -> Training:
        """From its beginning, its last checkpoint or the trunk that it shares, whichever is furthest."""
        longer = [Ledger.of(*of_one) for of_one in trunk.longer]
        training = cls(device, stack, optimizer_of(own.job, stack), own, longer, checkpoints, trunk)
        if states := [state for state in (checkpoints.read(), trunk.read()) if state is not None]:
            training._resume(max(states, key=lambda state: state.step))
        if (first := stack.group.agree(training.step)[0]) != training.step:
            raise RuntimeError(f"processes of one run go on from step {first} and from step {training.step}")
        return training

    @property
    def ledgers(self) -> list[Ledger]:
        """Of all jobs that take the steps that are taken now."""
        return [self.own, *self.longer]

    def run(self, on_progress: Callable[[Progress], None]) -> int:
        """Train to the last step, or until no member goes on; measurements go into the outcomes.

        Returns:
            How many steps were taken, those of a trunk among them.
        """
        job, own = self.own.job, self.own
        evaluators = evaluators_of(job.settings, self.device)
        leaves_trunk_at = stable_steps(job.settings.schedule, job.steps)
        reported_at = time.monotonic()
        for losses_M in training_steps(job, self.stack, self.device, self.optimizer, self.step):
            self.step += 1
            for ledger in self.ledgers:
                ledger.add(losses_M)
            if due := [ledger for ledger in self.ledgers if self.step in ledger.evaluate_at]:
                self._evaluate(due, evaluators)
            if time.monotonic() - reported_at > PROGRESS_INTERVAL_S or self.step == job.steps:
                losses = losses_M.tolist()
                on_progress(Progress(self.step, job.steps, tuple(losses)))
                for ledger in self.ledgers:
                    ledger.mark_diverged(losses, self.step)
                reported_at = time.monotonic()
            if self.longer and self.step == leaves_trunk_at:
                self._leave_trunk()
            goes_on, is_due = self.stack.group.agree(own.goes_on, self.checkpoints.due)
            if not goes_on:
                break
            if is_due:
                self.checkpoints.write(self._state())
        return self.step

    def _evaluate(self, due: Sequence[Ledger], evaluators: Sequence[Evaluator]) -> None:
        by_set = [evaluator.measure(self.stack) for evaluator in evaluators]
        measured = [list(chain(*of_member)) for of_member in zip(*by_set, strict=True)]
        for ledger in due:
            wanted, members = ledger.record(self.step, measured), range(len(measured))
            for index in compress(members, self.stack.group.agree(*(index in wanted for index in members))):
                ledger.keeper.keep(index, self._state_of(index))

    def _leave_trunk(self) -> None:
        """Leave the state to longer jobs, whose part begins here."""
        for ledger in self.longer:
            ledger.began = self.step
        self.trunk.write(self._state())
        self.longer = []

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
        tensors = {name: self.stack.whole(values) for name, values in self._held().items()}
        tensors |= {_sum_of(ledger): ledger.loss_sum_M for ledger in self.ledgers}
        facts = {ledger.name: ledger.facts() for ledger in self.ledgers}
        facts[self.own.name]["spent_s"] += time.monotonic() - self.started
        return State(self.step, tensors, facts)

    def _held(self) -> dict[str, torch.Tensor]:
        """What this process holds of parameters and the optimizer's averages."""
        return {"params": self.stack.params_MP} | self.optimizer.averages

    def _resume(self, state: State) -> None:
        self.step = state.step
        held = self._held()
        restore(held, {name: self.stack.own(state.tensors[name]) for name in held})
        # One that nobody kept a ledger of up to here cannot go on from here, and none does from beyond the trunk.
        on_trunk = self.step < stable_steps(self.own.job.settings.schedule, self.own.job.steps)
        self.longer = [ledger for ledger in self.longer if on_trunk and ledger.name in state.facts]
        for ledger in self.ledgers:
            ledger.resume(state.facts[ledger.name], state.tensors[_sum_of(ledger)].to(self.device))


def _sum_of(ledger: Ledger) -> str:
    """The name of its sum of losses among the tensors of a state."""
    return f"loss_sum.{ledger.name}"


def evaluators_of(settings: Settings, device: torch.device) -> list[Evaluator]:
    """What measures the task's own evaluation set, which comes first, and those of its shifts."""
    asked = [EvaluationSet.own(settings.task), *shifted_sets(settings)]
    return [_evaluator(settings, device, each) for each in asked]


def _evaluator(settings: Settings, device: torch.device, asked: EvaluationSet) -> Evaluator:
    if settings.loss.kind == "contrastive":
        return ContrastiveEvaluator(settings, device, asked)
    choices = asked.task.choices
    return Evaluator(settings, device, asked) if choices is None else ChoiceEvaluator(settings, device, choices, asked)


# --------------------------------------------------------------------------------------------------------------- steps


def optimizer_of(job: Job, stack: Stack) -> Optimizer:
    """What trains the members of a job."""
    settings = job.settings.optimizer
    return OPTIMIZERS[settings.kind](stack.params_MP, stack.rates, settings)


def training_steps(
    job: Job,
    stack: Stack,
    device: torch.device,
    optimizer: Optimizer | None = None,
    first: int = 0,
    way: str | None = None,
) -> Iterator[torch.Tensor]:
    """Take the job's optimizer steps one by one; yields each member's loss (M,) before the step.

    Args:
        optimizer: one that has taken `first` steps; by default a new one.
        way: how to run a step, one of `WAYS`; by default as `launcher.step` says.

    Raises:
        UserError: a way that this machine cannot go.
    """
    optimizer = optimizer or optimizer_of(job, stack)
    step: Step | None = None
    for given in step_inputs(job, stack, optimizer, device, first):
        step = step or running(way or job.settings.launcher.way, job, stack, optimizer, given)
        yield step(given)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
