"""A job that was stopped and goes on ends with the numbers of one that was never stopped, to the bit."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from typing import Any

import pytest
from noisy import NoisySign
from recurrent import Recurrent
from tiny import NextSymbol, SignOfSum, job_of, make_settings

from harness.data.settings import DataSettings
from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.ladder import Job
from harness.tasks.images import Images
from harness.training.ledger import Outcome
from harness.training.loop import train_job
from harness.training.state import State


class Stopped(Exception):
    """As if the process had been killed."""


class Keep:
    """Keeps a state after some steps, and stops the job some steps later."""

    def __init__(self, after: int, then: int) -> None:
        self.kept: State | None = None
        self.steps, self.after, self.then = itertools.count(1), after, then

    @property
    def due(self) -> bool:
        step = next(self.steps)
        if step == self.after + self.then:
            raise Stopped
        return step == self.after

    def write(self, state: State) -> None:
        tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
        self.kept = State(state.step, tensors, copy.deepcopy(state.facts))

    def read(self) -> State | None:
        return self.kept


def numbers(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    timed = ("wall_s", "tokens_per_s")
    return [{k: v for k, v in dataclasses.asdict(outcome).items() if k not in timed} for outcome in outcomes]


def check(job: Job, after: int = 5, then: int = 3) -> None:
    expected = train_job(job)
    keep = Keep(after, then)
    with pytest.raises(Stopped):
        train_job(job, checkpoints=keep)
    assert keep.kept is not None and keep.kept.step == after
    keep.steps = itertools.count(10**6)
    assert numbers(train_job(job, checkpoints=keep)) == numbers(expected)


@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [("gd", "constant"), ("sgd", "wsd"), ("adam", "cosine"), ("adamw", "wsd"), ("muon", "cosine")],
)
def test_every_optimizer_and_schedule(optimizer: str, schedule: str) -> None:
    settings = make_settings(MLP(), SignOfSum(), optimizer__kind=optimizer, schedule__kind=schedule, ladder__depths=[2])
    check(job_of(settings))


@pytest.mark.parametrize(
    ("family", "task", "changes"),
    [
        (Transformer(dropout=0.2), NextSymbol(), {}),
        (Recurrent(), NextSymbol(), {}),
        (MLP(dropout=0.3), SignOfSum(), {"ladder__train_examples": 40, "ladder__batch_size": 7}),
        (MLP(), NoisySign(noise=0.3), {"loss__kind": "contrastive", "loss__dimensions": 3}),
        (CNN(), Images(data=DataSettings(source="embedded:digits", augment=["affine", "cutout"])), {}),
        (MLP(), SignOfSum(), {"training__evaluate": "even", "training__evaluations": 12, "training__patience": 4}),
    ],
)
def test_data_augmentation_dropout_and_patience_go_on(family: Any, task: Any, changes: dict[str, Any]) -> None:
    settings = make_settings(family, task, seeds=2, **changes)
    for after in (1, 8):
        check(job_of(settings), after, 1)


def test_a_member_that_diverged_stays_so() -> None:
    settings = make_settings(MLP(), SignOfSum(), optimizer__kind="sgd", optimizer__lr=[1e-3, 1e30], seeds=1)
    job = job_of(settings)
    assert [outcome.status for outcome in train_job(job)] == ["finished", "diverged"]
    check(job, 6, 2)
