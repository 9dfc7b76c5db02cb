"""What is known of the runs of a job so far: losses since the last evaluation, measurements, who still goes on.

A job that shares its first steps with longer ones keeps a ledger of each of them up to where it leaves their common
path, so that every run has the measurements that it would have had by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from harness.ladder import Job, Member
from harness.metrics import LOSS
from harness.settings import Settings
from harness.training.evaluation import chance
from harness.training.evaluation_steps import evaluation_steps
from harness.training.state import Keeper
from harness.training.stopping import EarlyStopping

#: What a state has of each outcome; the rest is known at the end.
_KEPT = ("status", "error", "stopped", "measurements")


@dataclass
class Outcome:
    """What became of one member.

    Attributes:
        status: "finished" or "diverged"; a job that raises has no outcomes.
        error: why it diverged.
        stopped: whether it finished before the last step, because its loss no longer fell.
        began: the step at which the job took over from a shorter one; 0 where it trained every step.
        wall_s: seconds of the job from then on.
        tokens_per_s: training tokens a second from then on, all members together.
        device: as the runs table names it.
        versions: of Python, torch, numpy and the task's data.
        measurements: rows of the measurements table.
    """

    member: Member
    status: str = "finished"
    error: str | None = None
    stopped: bool = False
    began: int = 0
    wall_s: float = 0.0
    tokens_per_s: float = 0.0
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    measurements: list[dict[str, Any]] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        """Whether it has neither diverged nor stopped."""
        return self.status == "finished" and not self.stopped


@dataclass
class Ledger:
    """That of the runs of one job.

    Attributes:
        outcomes: of its members.
        keeper: who keeps their states.
        stopping: the rule that ends each.
        evaluate_at: the steps after which they are evaluated.
        loss_sum_M: each member's training losses since the last evaluation, summed.
        evaluated: the step of that evaluation.
        began: the step at which their own job took over from a shorter one.
        spent_s: seconds that their own job was in training before it was stopped.
    """

    job: Job
    outcomes: list[Outcome]
    keeper: Keeper
    stopping: list[EarlyStopping]
    evaluate_at: set[int]
    # A scalar can be added to a tensor of any shape and device.
    loss_sum_M: torch.Tensor = field(default_factory=lambda: torch.zeros(()))
    evaluated: int = 0
    began: int = 0
    spent_s: float = 0.0

    @classmethod
    def of(cls, job: Job, keeper: Keeper) -> Ledger:
        """Of a job that has not begun."""
        outcomes = [Outcome(member) for member in job.members]
        stopping = [EarlyStopping(job.settings.training) for _ in outcomes]
        return cls(job, outcomes, keeper, stopping, evaluation_steps(job))

    @property
    def name(self) -> str:
        """What stands for it in a state."""
        return self.job.members[0].run_id

    @property
    def goes_on(self) -> bool:
        """Whether any of its members does."""
        return any(outcome.goes_on for outcome in self.outcomes)

    def add(self, losses_M: torch.Tensor) -> None:
        """The members' training losses at one more step."""
        self.loss_sum_M = self.loss_sum_M + losses_M

    def record(self, step: int, measured: Sequence[list[dict[str, Any]]]) -> list[int]:
        """Add one evaluation to each member that goes on; one whose losses are not finite has diverged.

        Args:
            measured: rows of each member's evaluation.

        Returns:
            The members whose states are wanted.
        """
        n_steps = step - self.evaluated
        train_losses = (self.loss_sum_M / n_steps).tolist()
        in_training = [index for index, outcome in enumerate(self.outcomes) if outcome.goes_on]
        self.mark_diverged([_worst_loss_of(rows) for rows in measured], step)
        self.mark_diverged(train_losses, step)
        for outcome, rows, train_loss in zip(self.outcomes, measured, train_losses, strict=True):
            if outcome.goes_on:
                settings = self.job.settings
                trained = _train_row(settings, train_loss, n_steps * settings.ladder.batch_size)
                outcome.measurements += [_at(self.job, outcome.member, step) | row for row in [*rows, trained]]
        for outcome, rule, rows in zip(self.outcomes, self.stopping, measured, strict=True):
            outcome.stopped = outcome.stopped or rule.ends(_loss_of(rows))
        self.loss_sum_M, self.evaluated = torch.zeros(()), step
        return [index for index in in_training if self._is_wanted(self.outcomes[index], step)]

    def _is_wanted(self, outcome: Outcome, step: int) -> bool:
        """Whether the state of a member that was just evaluated is; that of one that has diverged never is."""
        return outcome.status == "finished" and self.keeper.wants(outcome.stopped or step == self.job.steps)

    def mark_diverged(self, losses: Sequence[float], step: int) -> None:
        """End the members whose losses are not finite."""
        for outcome, loss in zip(self.outcomes, losses, strict=True):
            if outcome.goes_on and not math.isfinite(loss):
                outcome.status = "diverged"
                outcome.error = f"loss was not finite at step {step}: try a lower optimizer.lr, or optimizer.grad_clip"

    def facts(self) -> dict[str, Any]:
        """What of it a state holds, but for the sum of losses."""
        return {
            "run_ids": [member.run_id for member in self.job.members],
            "evaluated": self.evaluated,
            "began": self.began,
            "spent_s": self.spent_s,
            "outcomes": [{name: getattr(outcome, name) for name in _KEPT} for outcome in self.outcomes],
            "stopping": [[rule.lowest, rule.in_vain] for rule in self.stopping],
        }

    def resume(self, facts: dict[str, Any], loss_sum_M: torch.Tensor) -> None:
        """Take over what `facts` gave, and the sum of losses."""
        self.loss_sum_M, self.evaluated = loss_sum_M, facts["evaluated"]
        self.began, self.spent_s = facts["began"], facts["spent_s"]
        for outcome, kept in zip(self.outcomes, facts["outcomes"], strict=True):
            vars(outcome).update(kept)
        for rule, (lowest, in_vain) in zip(self.stopping, facts["stopping"], strict=True):
            rule.lowest, rule.in_vain = lowest, in_vain


def _loss_of(rows: list[dict[str, Any]], split: str = "eval") -> float:
    """Loss of the whole task in an evaluation's rows; 0 for a task that does not measure its loss."""
    wanted = (split, LOSS.name, "all")
    return next((row["value"] for row in rows if (row["split"], row["metric"], row["subtask"]) == wanted), 0.0)


def _worst_loss_of(rows: list[dict[str, Any]]) -> float:
    """The loss of an evaluation set where it is not finite, which cannot be recorded; else 0."""
    losses = [_loss_of(rows, split) for split in dict.fromkeys(row["split"] for row in rows)]
    return next((loss for loss in losses if not math.isfinite(loss)), 0.0)


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
