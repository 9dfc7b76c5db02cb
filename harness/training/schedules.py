"""Learning-rate schedules: the factor on the base rate at each step."""

from __future__ import annotations

import math

from harness.settings import ScheduleSettings


def lr_multiplier(settings: ScheduleSettings, step: int, steps: int) -> float:
    """Factor on the base learning rate for step `step` (from 0) of `steps`.

    All kinds rise linearly over the fraction `warmup`, or over `warmup_steps` where they are given. After it `constant`
    stays at 1; `cosine` falls to `final` by half a cosine (Loshchilov & Hutter 2017); `wsd` (warmup-stable-decay, Hu et
    al. 2024) stays at 1 and falls linearly to `final` over the last fraction `decay`. With warmup + decay = 1, `wsd` is
    the linear schedule.
    """
    warmup_steps = settings.warmup * steps if settings.warmup_steps is None else settings.warmup_steps
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    if settings.kind == "constant":
        return 1.0
    if settings.kind == "cosine":
        progress = (step - warmup_steps) / max(1.0, steps - warmup_steps)
        return settings.final + (1 - settings.final) * 0.5 * (1 + math.cos(math.pi * progress))
    remaining = (steps - step) / max(1.0, settings.decay * steps)
    return settings.final + (1 - settings.final) * min(1.0, remaining)


def stable_steps(settings: ScheduleSettings, steps: int) -> int:
    """Steps of `steps` that `wsd` takes before the first at which the learning rate falls.

    With `warmup_steps` they are the first steps of every longer duration too.
    """
    return steps - math.ceil(max(1.0, settings.decay * steps)) + 1
