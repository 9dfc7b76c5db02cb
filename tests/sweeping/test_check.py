"""A family's mistakes come before a sweep."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tiny import SignOfSum, make_settings

from harness.errors import SettingError, UserError
from harness.families.base import ParameterCount
from harness.families.linear import Linear
from harness.families.mlp import MLP
from harness.settings import Settings
from harness.sweeping.check import check_models
from harness.tasks.regression import LinearRegression


@dataclass
class Wrong(MLP):
    """Counts one hidden layer whatever the depth, or miscounts FLOPs of wide layers."""

    where: str = "deep"

    def count(self, shape, signature):
        counted = super().count(shape, signature)
        deeper = (shape.depth - 1) * (shape.width + 1) * shape.width
        return ParameterCount(mlp=counted.mlp - deeper * (self.where == "deep"), head=counted.head)

    def forward_flops(self, shape, signature):
        return super().forward_flops(shape, signature) * (2 if self.where == "wide" and shape.width > 4 else 1)


@dataclass
class Failing(MLP):
    def build(self, shape, signature, parametrization):
        raise ZeroDivisionError("of the family's own")


def study_of(family: MLP, **changes) -> Settings:
    return make_settings(family, SignOfSum(), ladder__widths=[8, 16, 4], **changes)


def test_the_smallest_size_of_each_study_and_depth_is_built() -> None:
    assert check_models([study_of(MLP()), study_of(MLP())], flops=True) == 2
    assert check_models([study_of(MLP(), ladder__depths=[1, 2, 2])], flops=True) == 2
    assert check_models([study_of(MLP())], flops=True, every_rung=True) == 3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"optimizer__kind": "muon"},
            "optimizer.kind=muon: allowed is another, for family=linear has no hidden matrix",
        ),
        (
            {"loss__kind": "binary"},
            "loss.kind=binary: allowed is mse, for task=linear_regression asks for values from -",
        ),
    ],
)
def test_what_would_train_nothing_that_is_meant_is_refused(changes: dict[str, str], says: str) -> None:
    # A linear model has one size.
    study = make_settings(Linear(), LinearRegression(), ladder__widths=[1], **({"loss__kind": "mse"} | changes))
    with pytest.raises(SettingError, match=says):
        check_models([study], flops=False)


def test_a_mistake_names_study_and_size() -> None:
    said = r"^study main, rung 0: family=mlp at width 8, depth 2: .*mlp is 40 by count\(\) and 112 in the model"
    with pytest.raises(UserError, match=said):
        check_models([study_of(Wrong(), ladder__depths=[2, 2, 1])], flops=False)


def test_every_rung_finds_what_the_smallest_hides() -> None:
    study = study_of(Wrong(where="wide"), ladder__depths=[1])
    assert check_models([study], flops=True) == 1
    assert check_models([study], flops=False, every_rung=True) == 3
    with pytest.raises(UserError, match=r"rung 0: family=mlp at width 8, depth 1: forward_flops\(\) gives"):
        check_models([study], flops=True, every_rung=True)


def test_what_the_familys_own_code_raises_is_a_line() -> None:
    with pytest.raises(UserError) as refused:
        check_models([study_of(Failing())], flops=True)
    words = (
        "study main, rung 2: family=mlp at width 4, depth 1 cannot be built and run: ZeroDivisionError: of the family's"
    )
    assert str(refused.value).startswith(words)
    assert "(test_check.py:" in str(refused.value)
