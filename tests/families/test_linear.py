"""The linear family: counts as torch has them, and one size alone."""

from __future__ import annotations

import pytest

from harness.errors import SettingError
from harness.families.base import Shape
from harness.families.check import check_size
from harness.families.linear import Linear
from harness.settings import ParametrizationSettings
from harness.tasks.base import Signature


@pytest.mark.parametrize("feature_shape", [(7,), (1, 8, 8), (5, 4)])
def test_formulas_are_those_of_the_model(feature_shape: tuple[int, ...]) -> None:
    signature = Signature(n_outputs=3, feature_shape=feature_shape)
    check_size(Linear(), Shape(1, 1), signature, ParametrizationSettings(), flops=True)


def test_it_does_not_grow() -> None:
    with pytest.raises(SettingError, match="one size"):
        Linear().check(Shape(16, 1), Signature(n_outputs=3, feature_shape=(7,)))
