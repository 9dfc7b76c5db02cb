"""Runs of several durations that share a trunk end with the numbers of runs that trained every step, to the bit."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from tiny import NextSymbol, SignOfSum, make_settings

from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.ladder import Job, build_ladder, members
from harness.settings import ScheduleSettings, Settings
from harness.training.ledger import Outcome
from harness.training.loop import train_job
from harness.training.schedules import lr_multiplier, stable_steps
from harness.training.state import Keeper, State

STEPS = [10, 14, 23]
EPOCHS = {"ladder__train_examples": 40, "training__evaluate": "even"}


class Keeps:
    """Keeps the states of members in a dictionary, by the step."""

    def __init__(self) -> None:
        self.states: dict[tuple[int, int], State] = {}

    def wants(self, ended: bool) -> bool:
        return True

    def keep(self, index: int, state: State) -> None:
        self.states[index, state.step] = copied(state)


class Shared:
    """The trunk of a few jobs, in memory; each of these is given a view of it."""

    def __init__(self, job: Job, longer: Sequence[Job] = (), keepers: Sequence[Keeper] = ()) -> None:
        self.job, self.longer = job, list(zip(longer, keepers, strict=True))
        self.state: State | None = None

    def write(self, state: State) -> None:
        self.state = copied(state)

    def read(self) -> State | None:
        return self.state


class Killed(Exception):
    """As if the process had been killed."""


class KilledAt:
    """Keeps a state after some steps, and kills the job some steps later, once."""

    def __init__(self, after: int, then: int) -> None:
        self.kept: State | None = None
        self.calls, self.after, self.then = itertools.count(1), after, then

    @property
    def due(self) -> bool:
        step = next(self.calls)
        if step == self.after + self.then:
            raise Killed
        return step == self.after

    def write(self, state: State) -> None:
        self.kept = copied(state)

    def read(self) -> State | None:
        return self.kept


def copied(state: State) -> State:
    tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
    return State(state.step, tensors, copy.deepcopy(state.facts))


def branched_settings(family: Any, task: Any, **changes: Any) -> Settings:
    settings = make_settings(
        family, task, ladder__steps=STEPS, schedule__kind="wsd", schedule__warmup_steps=3, seeds=2, **changes
    )
    settings.ladder.branched = True
    settings.__post_init__()
    return settings


def jobs_of(settings: Settings) -> list[Job]:
    rung = build_ladder(settings)[0]
    return [Job(settings, rung, place, members(settings, rung, place)) for place in range(len(STEPS))]


def numbers(outcomes: Sequence[Outcome]) -> list[Any]:
    return [(o.member, o.status, o.error, o.measurements) for o in outcomes]


def check_equal(kept: Keeps, expected: Keeps) -> None:
    assert kept.states.keys() == expected.states.keys()
    for key, state in expected.states.items():
        for name, tensor in state.tensors.items():
            assert torch.equal(kept.states[key].tensors[name], tensor), (key, name)


@pytest.mark.parametrize(
    ("family", "task", "changes"),
    [
        (MLP(dropout=0.3), SignOfSum(), EPOCHS | {"optimizer__weight_decay": 0.1, "optimizer__grad_clip": 0.5}),
        (Transformer(dropout=0.2), NextSymbol(), {"optimizer__kind": "muon", "schedule__final": 0.1}),
        (MLP(), SignOfSum(), {"schedule__decay": 0.0, "optimizer__kind": "sgd"}),
    ],
)
def test_branched_runs_are_unbranched_ones_to_the_bit(family: Any, task: Any, changes: dict[str, Any]) -> None:
    jobs = jobs_of(branched_settings(family, task, **changes))
    expected, keepers = [], [Keeps() for _ in jobs]
    for job in jobs:
        expected.append((train_job(job, keeper=(own := Keeps())), own))
    state, began = None, []
    for place, job in enumerate(jobs):
        trunk = Shared(job, jobs[place + 1 :], keepers[place + 1 :])
        trunk.state = state
        outcomes = train_job(job, keeper=keepers[place], trunk=trunk)
        assert numbers(outcomes) == numbers(expected[place][0])
        check_equal(keepers[place], expected[place][1])
        began.append(outcomes[0].began)
        state = trunk.state
    leaves = [stable_steps(job.settings.schedule, job.steps) for job in jobs]
    assert began == [0, *leaves[:-1]]


@pytest.mark.parametrize("after", [2, 9])
def test_a_trunk_that_is_interrupted_goes_on(after: int) -> None:
    shortest, *longer = jobs_of(branched_settings(MLP(dropout=0.3), SignOfSum()))
    keepers = [Keeps() for _ in longer]
    trunk, checkpoints = Shared(shortest, longer, keepers), KilledAt(after, 1)
    with pytest.raises(Killed):
        train_job(shortest, checkpoints=checkpoints, trunk=trunk)
    trunk.state = None if after < 9 else trunk.state
    checkpoints.calls = itertools.count(10**6)
    assert numbers(train_job(shortest, checkpoints=checkpoints, trunk=trunk)) == numbers(train_job(shortest))
    following = Shared(longer[0])
    following.state = trunk.state
    outcomes = train_job(longer[0], keeper=keepers[0], trunk=following)
    assert numbers(outcomes) == numbers(train_job(longer[0])) and outcomes[0].began == 9


def test_a_member_that_diverged_on_the_trunk_has_diverged_in_every_run() -> None:
    settings = branched_settings(MLP(), SignOfSum(), optimizer__kind="sgd", optimizer__lr=[1e-3, 1e30])
    shortest, longer, _ = jobs_of(settings)
    trunk = Shared(shortest, [longer], [Keeps()])
    train_job(shortest, trunk=trunk)
    following = Shared(longer)
    following.state = trunk.state
    found, expected = train_job(longer, trunk=following), train_job(longer)
    assert [outcome.status for outcome in found] == ["finished"] * 2 + ["diverged"] * 2
    # Why it diverged names the step at which somebody looked, which may be any.
    assert [outcome.measurements for outcome in found] == [outcome.measurements for outcome in expected]


@pytest.mark.parametrize("decay", [0.0, 0.1, 0.25, 1 / 3, 0.7, 1.0])
def test_the_learning_rate_falls_after_the_stable_steps_and_not_before(decay: float) -> None:
    for steps in (1, 2, 7, 10, 64, 999):
        schedule = ScheduleSettings(kind="wsd", warmup_steps=0, decay=decay)
        stable = stable_steps(schedule, steps)
        assert 1 <= stable <= steps
        assert {lr_multiplier(schedule, step, steps) for step in range(stable)} == {1.0}
        assert all(lr_multiplier(schedule, step, steps) < 1 for step in range(stable, steps))
