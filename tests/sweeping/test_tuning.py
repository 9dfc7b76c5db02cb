"""Which sizes and choices are tried, and what follows from it; trials are planted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from command import TINY

from harness.config import compose
from harness.errors import SettingError
from harness.ladder import Job
from harness.settings import Settings
from harness.sweeping import plan, tuning
from harness.sweeping.cost import CostModel
from harness.sweeping.plan import Choice, cells
from harness.sweeping.trials import Trial
from harness.sweeping.tuning import choices, known, refuse_beyond_memory, tried


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


class Machine:
    """One that takes, for a step, a time of its own for each choice; it remembers what was tried."""

    def __init__(self, **step_s: float) -> None:
        self.step_s, self.tried = step_s, list[Job]()

    def __call__(self, jobs, at_once: int):
        for job in jobs:
            self.tried.append(job)
            how = "alone" if len(job.members) == 1 else "together"
            each = self.step_s[f"{job.settings.launcher.step}_{how}"]
            yield job, Trial(0.1, each * len(job.members), 0.01, 4e8)

    @property
    def sizes(self) -> list[int]:
        return sorted({job.rung.shape.width for job in self.tried})


def long_study(*more: str) -> Settings:
    (study,) = compose(
        *TINY, "ladder.widths=[4,8,16,32,64,128,256]", "ladder.steps=100000", "seeds=4", "launcher.step=auto", *more
    )
    return study


def test_some_sizes_are_tried_once_and_the_others_follow() -> None:
    study, machine = long_study(), Machine(replayed_together=1e-3, replayed_alone=2e-3)
    tuned = tried(known([study], {}, "cpu", 2), [study], {}, take=machine)
    assert machine.sizes[0] == 4 and machine.sizes[-1] == 256
    assert 3 <= len(machine.sizes) < 7
    assert all(tuned.cost.source([cell]) == "trials" for cell in cells(study))
    again = Machine()
    later = tried(known([study], {}, "cpu", 2), [study], {}, take=again)
    assert again.tried == [], "they were kept"
    assert later.cost.seconds(cells(study)[3]) == pytest.approx(tuned.cost.seconds(cells(study)[3]))


def test_little_work_is_not_worth_a_trial() -> None:
    study, machine = long_study("ladder.steps=20"), Machine()
    assert tried(known([study], {}, "cpu", 2), [study], {}, take=machine).n_tried == 0
    done = {member.run_id: "finished" for cell in cells(long_study()) for member in cell.members}
    assert tried(known([long_study()], done, "cpu", 2), [long_study()], done, take=machine).n_tried == 0


def test_the_fastest_choice_is_taken_where_it_is_faster_by_more_than_trials_err() -> None:
    for alone, members in ((0.5e-3, 1), (0.97e-3, 4), (2e-3, 4)):
        study = long_study(f"task.n_bits={8 + members}", f"study=s{alone}", f"task.zipf={alone * 1e3}")
        machine = Machine(replayed_together=1e-3, replayed_alone=alone)
        tuned = tried(known([study], {}, "cpu", 2), [study], {}, take=machine)
        assert {tuned.choice(cell).members for cell in cells(study)} == {members}
        jobs = tuned.pending(cells(study)[0], {})
        assert [len(job.members) for job in jobs] == [members] * (4 // members)


def test_a_way_to_run_steps_is_tried_where_it_can_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "steps_on", lambda device: ("replayed", "compiled"))
    monkeypatch.setattr(tuning, "steps_on", lambda device: ("replayed", "compiled"))
    times = {"replayed_together": 1e-3, "replayed_alone": 2e-3, "compiled_together": 0.5e-3, "compiled_alone": 2e-3}
    long, short = long_study("ladder.steps=300000"), long_study("ladder.steps=20000", "study=short")
    # Once it is known, a short sweep profits too.
    for study, step in ((short, "replayed"), (long, "compiled"), (short, "compiled")):
        machine = Machine(**times)
        tuned = tried(known([study], {}, "cpu", 2), [study], {}, take=machine)
        assert {tuned.choice(cell) for cell in cells(study)} == {Choice(4, step)}, study.study
    fixed = long_study("launcher.step=replayed", "launcher.members_together=2")
    assert choices(cells(fixed)[0], "cpu") == [Choice(2, "replayed")]


def test_a_sweep_tries_only_where_there_is_a_choice() -> None:
    fixed, machine = long_study("launcher.step=replayed", "launcher.members_together=4"), Machine()
    assert tried(known([fixed], {}, "cpu", 2), [fixed], {}, every=False, take=machine).n_tried == 0


def test_members_that_no_memory_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "machine_bytes", lambda device: 3e8)
    study = long_study("launcher.members_together=4")
    jobs = cells(study)
    cost = CostModel().with_trials([(jobs[0], Trial(0.1, 1e-3, 0.1, 4e8))])
    with pytest.raises(SettingError, match=r"launcher.members_together=4: allowed is fewer: 4 members of .* 460 MB"):
        refuse_beyond_memory(jobs, cost)
    refuse_beyond_memory([replace(job, members=job.members[:1]) for job in jobs], cost)
    refuse_beyond_memory(cells(long_study()), cost)


def test_a_choice_that_was_tried_at_larger_sizes_alone_is_not_taken_for_small_ones() -> None:
    planned = cells(study := long_study())
    alone = [replace(cell, members=cell.members[:1]) for cell in planned[-2:]]
    trials = [(cell, Trial(0.1, 4e-3, 0.01, 4e8)) for cell in planned]
    trials += [(job, Trial(0.1, 1e-4, 0.01, 4e8)) for job in alone]
    tuned = tuning.Tuned(CostModel(beside=2).with_trials(trials), "cpu", 2)
    assert [tuned.choice(cell).members for cell in planned] == [study.seeds] * 5 + [1, 1]
