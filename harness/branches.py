"""Durations that share their first steps (`ladder.branched`): which part of the common path is whose. Pure.

With a schedule that holds the learning rate between a warmup of so many steps and a decay, the runs of one size, seed
and learning rate take the same steps until the decay of the shortest begins. This path is their trunk: it is trained
once, and a decay is branched off it for each duration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import SettingError

if TYPE_CHECKING:
    from harness.durations import Duration
    from harness.ladder import Rung
    from harness.settings import Settings


@dataclass(frozen=True)
class Branch:
    """The part of a trunk that one job is to train.

    Attributes:
        trunk: stands for the trunk: alike for the jobs that share it.
        begins: the step at which a shorter job leaves it, where this one is to take over; 0 for the shortest.
        longer: the durations that go on from where this job leaves it, by their position among those of the rung.
    """

    trunk: str
    begins: int = 0
    longer: tuple[int, ...] = ()


def check_branched(settings: Settings) -> None:
    """Raise SettingError for settings under which durations would not take the same first steps."""
    schedule, training = settings.schedule, settings.training
    if not settings.ladder.branched:
        return
    if schedule.kind != "wsd":
        allowed = "wsd with ladder.branched: a branch needs a stable learning rate to leave"
        raise SettingError("schedule.kind", schedule.kind, allowed)
    if schedule.warmup != 0:
        allowed = "0 with ladder.branched: schedule.warmup_steps=N warms up alike at every duration"
        raise SettingError("schedule.warmup", schedule.warmup, allowed)
    if training.patience is not None:
        allowed = "null with ladder.branched: a run that may end early has no path to share"
        raise SettingError("training.patience", training.patience, allowed)


def refuse_other_paths(rung: Rung, durations: Sequence[Duration]) -> None:
    """Raise SettingError for a setting whose rule gives durations of one trunk different values."""
    for name in durations[0].rules:
        values = [duration.values[name] for duration in durations]
        if other := next((value for value in values if value != values[0]), None):
            found = f"a rule that gives {values[0]} and {other} (at {size_in_words(rung)})"
            allowed = "with ladder.branched, one value for all durations: a rule without D"
            raise SettingError(name, found, allowed)


def size_in_words(rung: Rung) -> str:
    """ "width 8, depth 1"."""
    return f"width {rung.shape.width}, depth {rung.shape.depth}"
