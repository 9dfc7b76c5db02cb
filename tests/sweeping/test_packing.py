"""Jobs packed into array tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import SignOfSum, make_settings

from harness.branches import Branch
from harness.errors import UserError
from harness.families.mlp import MLP
from harness.ladder import Job, Member, build_ladder
from harness.sweeping.packing import START_SHARE, pack, task_seconds
from harness.sweeping.schedule import makespan

STUDY = make_settings(MLP(), SignOfSum(), ladder__steps=[5, 10, 20])
RUNG = build_ladder(STUDY)[0]
#: So short that it does not count.
NO_START = {"start_s": 0.0, "safety": 1.0}


@dataclass
class Planted:
    """Jobs that take what is planted.

    Attributes:
        jobs: named by their place.
        seconds: what each takes.
    """

    jobs: list[Job]
    seconds: Callable[[Job], float]

    def places(self, tasks: Sequence[Sequence[Job]]) -> list[list[int]]:
        return [[self.jobs.index(job) for job in task] for task in tasks]

    def packed(self, tasks: Sequence[Sequence[Job]]) -> list[list[float]]:
        return [[self.seconds(job) for job in task] for task in tasks]


def planted(seconds: Sequence[float], trunks: Sequence[int | None] = (), durations: Sequence[int] = ()) -> Planted:
    """Jobs of these seconds, those with the same number on one trunk."""
    jobs = []
    for place, _ in enumerate(seconds):
        trunk = trunks[place] if trunks else None
        branch = None if trunk is None else Branch(f"trunk {trunk}")
        member = Member(place, 0.1, f"{place:016x}")
        jobs.append(Job(STUDY, RUNG, durations[place] if durations else 0, (member,), branch=branch))
    by_id = {job.members[0].run_id: each for job, each in zip(jobs, seconds, strict=True)}
    return Planted(jobs, lambda job: by_id[job.members[0].run_id])


def test_all_places_are_taken_longest_first() -> None:
    of = planted([3, 5, 1, 4, 2, 5, 4, 3, 2, 1])
    tasks = pack(of.jobs, of.seconds, 100, at_once=3, **NO_START)
    assert of.packed(tasks) == [[5, 3, 2], [5, 3, 2], [4, 4, 1, 1]]
    assert of.places(tasks)[0][0] == 1, "alike in the order given"
    assert of.packed(pack(of.jobs, of.seconds, 100, **NO_START)) == [[5], [5], [4], [4], [3], [3], [2], [2], [1], [1]]
    assert pack([], of.seconds, 10) == []
    # Graham's worst case: 11 where 9 can be had.
    of = planted([5, 5, 4, 4, 3, 3, 3])
    assert of.packed(pack(of.jobs, of.seconds, 1000, at_once=3, **NO_START)) == [[5, 3, 3], [5, 3], [4, 4]]


def test_as_many_rounds_as_the_walltime_asks_for_are_filled_evenly() -> None:
    of = planted([1.0] * 60)
    tasks = pack(of.jobs, of.seconds, 14.5, at_once=4, **NO_START)
    assert sorted(map(len, tasks)) == [7] * 4 + [8] * 4, "5 tasks of 14 would leave 3 of 4 places empty"
    of = planted([1.0] * 10 + [20])
    tasks = pack(of.jobs, of.seconds, 10, at_once=3, **NO_START)
    assert sorted(map(len, tasks)) == [1, 5, 5], "one place is taken by what outlasts the walltime"


def test_tasks_are_so_few_that_their_start_does_not_count() -> None:
    of = planted([1.0] * 1000)
    for slots in (1, 2):
        tasks = pack(of.jobs, of.seconds, 1000, start_s=2, slots=slots)
        ends = [task_seconds(task, of.seconds, slots) for task in tasks]
        assert min(ends) >= 2 * (1 - START_SHARE) / START_SHARE > min(ends) - 2
    assert len(pack(of.jobs, of.seconds, 10_000, start_s=100)) == 1


def test_what_outlasts_the_walltime_has_a_slot_to_itself() -> None:
    of = planted([30, 50, 1, 40, 2])
    assert of.packed(pack(of.jobs, of.seconds, 20, **NO_START)) == [[50], [40], [30], [2], [1]]
    assert of.packed(pack(of.jobs, of.seconds, 20, slots=2, **NO_START)) == [[50, 40], [30], [2, 1]]
    # 12 s fit into 20, but not if they may take 1.5 times as long after a start of 5.
    of = planted([12, 10, 5, 5])
    assert of.packed(pack(of.jobs, of.seconds, 20, at_once=1, start_s=5, safety=1.5)) == [[12], [10], [5, 5]]


def test_slots_are_filled_as_the_workers_take_jobs() -> None:
    of = planted([3, 3, 2, 2, 2])
    # Together, longest first, they end at 7, though two slots of 6 would hold them in another order.
    assert of.packed(pack(of.jobs, of.seconds, 7, at_once=1, slots=2, **NO_START)) == [[3, 3, 2, 2, 2]]
    assert of.packed(pack(of.jobs, of.seconds, 6, at_once=1, slots=2, **NO_START)) == [[2, 2, 2], [3, 3]]
    of = planted([8, 6, 1, 1, 1, 1])
    assert of.packed(pack(of.jobs, of.seconds, 100, at_once=2, slots=2, **NO_START)) == [[8, 6], [1, 1, 1, 1]]


def test_a_trunk_stays_together_the_shortest_first() -> None:
    of = planted([4, 1, 2, 6, 3], trunks=[0, 0, 0, None, None], durations=[2, 0, 1, 0, 0])
    assert of.places(pack(of.jobs, of.seconds, 10, at_once=2, **NO_START)) == [[3, 4], [1, 2, 0]]
    assert of.places(pack(of.jobs, of.seconds, 6, at_once=1, **NO_START)) == [[1, 2, 0], [3], [4]]
    task = [of.jobs[place] for place in (1, 2, 0)]
    assert task_seconds(task, of.seconds, slots=3, start_s=5) == 12, "slots do not help a trunk"


def test_a_walltime_without_time_for_a_job_is_refused() -> None:
    of = planted([1])
    with pytest.raises(UserError, match="a task of 5 s has no time for a job: allowed are more than the 5 s"):
        pack(of.jobs, of.seconds, 5.0, start_s=5)


@given(
    kinds=st.lists(
        st.tuples(st.floats(0, 200), st.none() | st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=25
    ),
    walltime_s=st.floats(11, 500),
    at_once=st.none() | st.integers(1, 6),
    slots=st.integers(1, 4),
)
@settings(max_examples=150, deadline=None)
def test_every_job_is_in_one_task_within_the_walltime(
    kinds: list[tuple[float, int | None, int]], walltime_s: float, at_once: int | None, slots: int
) -> None:
    of = planted(*(list(column) for column in zip(*kinds, strict=True)))
    tasks = pack(of.jobs, of.seconds, walltime_s, at_once, slots, start_s=10)
    assert tasks == pack(of.jobs, of.seconds, walltime_s, at_once, slots, start_s=10), "the same again"
    places = of.places(tasks)
    assert sorted(place for task in places for place in task) == list(range(len(kinds)))
    lengths = [task_seconds(task, of.seconds, slots) for task in tasks]
    assert lengths == sorted(lengths, reverse=True)
    room = (walltime_s - 10) / 1.5
    for task, length in zip(places, lengths, strict=True):
        units: dict[object, list[int]] = {}
        for place in task:
            trunk = kinds[place][1]
            units.setdefault(place if trunk is None else f"trunk {trunk}", []).append(place)
        alone = [math.fsum(kinds[place][0] for place in unit) for unit in units.values()]
        assert length <= room * (1 + 1e-9) or (len(units) <= slots and min(alone) > room)
        for unit in units.values():
            assert [kinds[place][2] for place in unit] == sorted(kinds[place][2] for place in unit)
    held = {trunk: {at for at, task in enumerate(places) for p in task if kinds[p][1] == trunk} for trunk in range(4)}
    assert all(len(of_one) <= 1 for of_one in held.values()), "a trunk is in one task"


@given(seconds=st.lists(st.floats(0.1, 100), min_size=1, max_size=30), at_once=st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_one_round_of_one_slot_is_what_workers_with_one_list_would_do(seconds: list[float], at_once: int) -> None:
    of = planted(seconds)
    tasks = pack(of.jobs, of.seconds, 1e4, at_once, **NO_START)
    assert len(tasks) <= at_once
    ends = max(task_seconds(task, of.seconds) for task in tasks)
    assert ends == pytest.approx(makespan(sorted(seconds, reverse=True), at_once))
