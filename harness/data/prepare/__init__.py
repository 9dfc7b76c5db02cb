"""Preparation: ordered steps that clean, scale and balance data, fitted on the training examples and recorded.

`STEPS` names them for `data.prepare`; a step of the user's own is a `base.Step` written as ``module.Class``.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.data.prepare.balance import Balance
from harness.data.prepare.base import Step
from harness.data.prepare.cleaning import Labels, Missing, Outliers
from harness.data.prepare.duplicates import Duplicates, NearDuplicates
from harness.data.prepare.scaling import Scale, Standardise
from harness.data.steps import name_of
from harness.errors import UserError

#: Every step by the name under which `data.prepare` lists it.
STEPS: dict[str, type[Step]] = {
    "labels": Labels,
    "missing": Missing,
    "duplicates": Duplicates,
    "near_duplicates": NearDuplicates,
    "outliers": Outliers,
    "standardise": Standardise,
    "scale": Scale,
    "balance": Balance,
}


def refuse_disorder(setting: str, steps: Sequence[Step]) -> None:
    """Raise UserError for one that cleans after one that does not, one that stands twice, and two that scale."""
    for i, step in enumerate(steps):
        place = f"{setting}[{i}]={name_of(step, STEPS)}"
        for before in steps[:i]:
            if type(before) is type(step):
                raise UserError(f"{place}: stands twice; one is enough")
            if step.stage == before.stage == "scale":
                raise UserError(f"{place}: {name_of(before, STEPS)} has set the scale already; take one of them")
            if step.stage == "clean" != before.stage:
                raise UserError(f"{place}: cleans, and must stand before {name_of(before, STEPS)}")
