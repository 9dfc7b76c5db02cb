"""Preparation: ordered steps that clean, scale and balance data, fitted on the training examples and recorded.

`STEPS` names them for `data.prepare`; a step of the user's own is a `base.Step` written as ``module.Class``.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.data.prepare.base import STAGES, Step
from harness.data.prepare.scaling import Scale, Standardise
from harness.errors import UserError

#: Every step by the name under which `data.prepare` lists it.
STEPS: dict[str, type[Step]] = {
    "standardise": Standardise,
    "scale": Scale,
}


def step_name(step: Step) -> str:
    """The name of a step as `data.prepare` has it."""
    kind = type(step)
    return next((name for name, known in STEPS.items() if known is kind), f"{kind.__module__}.{kind.__qualname__}")


def refuse_disorder(setting: str, steps: Sequence[Step]) -> None:
    """Raise UserError for a step after one of a later stage, for one that stands twice, and for two that scale."""
    for i, step in enumerate(steps):
        place = f"{setting}[{i}]={step_name(step)}"
        for before in steps[:i]:
            if type(before) is type(step):
                raise UserError(f"{place}: stands twice; one is enough")
            if step.stage == before.stage == "scale":
                raise UserError(f"{place}: {step_name(before)} has set the scale already; take one of them")
            if STAGES.index(step.stage) < STAGES.index(before.stage):
                raise UserError(
                    f"{place}: must stand before {step_name(before)}; the order is {', then '.join(STAGES)}"
                )
