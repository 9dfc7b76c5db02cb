"""Shifts: further evaluation sets of the same run, that differ from what it was trained on.

A shift is a name over one or more changes, ``noisy: {noise: 0.3}``, each of which makes another task of a task, or
another evaluation set of its own. `CHANGES` names them beside the steps of `data.augment`, every one of which but those
that mix examples is a change too. `reading` makes changes of settings, `sets` evaluation sets of changes.
"""

from __future__ import annotations

from harness.tasks.shifts.base import Change
from harness.tasks.shifts.examples import Files, Groups
from harness.tasks.shifts.inputs import Blur, Tokens
from harness.tasks.shifts.length import Length
from harness.tasks.shifts.sound import Snr

#: Every change of ours by the name under which `shifts` lists it.
CHANGES: dict[str, type[Change]] = {
    "blur": Blur,
    "tokens": Tokens,
    "snr": Snr,
    "length": Length,
    "groups": Groups,
    "files": Files,
}
