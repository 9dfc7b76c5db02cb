"""Activations keep their size as width grows under muP, and as depth grows under a depth rule; otherwise they grow."""

from __future__ import annotations

import pandas as pd
import pytest
from tiny import Frames, Mixed, NextSymbol, SignOfSum

from harness.errors import SettingError
from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.settings import OptimizerSettings, ParametrizationSettings
from harness.training.coordinate_check import coordinate_sizes, exponents

WIDTHS = [32, 64, 128, 256, 512]
DEPTHS = [2, 4, 8, 16, 32]
FAMILIES = {
    "mlp": (MLP(), SignOfSum(), 2),
    "cnn": (CNN(), SignOfSum(image=True), 2),
    "mlp of layers": (MLP(layers=[32, 16, 48]), SignOfSum(), 3),
    "cnn of layers": (CNN(layers=["conv 32 3x3 same", "max_pool 1x2", "dense 16"]), SignOfSum(image=True), 2),
    "transformer": (Transformer(), NextSymbol(), 1),
    "gqa, swiglu, qk_norm": (Transformer(kv_heads=1, activation="swiglu", qk_norm=True), NextSymbol(), 1),
    "as gpt-2": (
        Transformer(norm="layer", biases=True, activation="gelu_tanh", positions="learned", tied=True),
        NextSymbol(),
        1,
    ),
    "frames": (Transformer(activation="relu"), Frames(), 1),
    "mixed": (Transformer(encoder="mlp"), Mixed(), 1),
    "tied": (Transformer(tied=True), NextSymbol(), 1),
}
OPTIMIZERS = {
    "adamw": OptimizerSettings("adamw", lr=0.01),
    "sgd": OptimizerSettings("sgd", lr=0.1, momentum=0.0),
}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_activations_under_mup_do_not_grow_with_width(name, optimizer):
    family, task, depth = FAMILIES[name]
    mup = ParametrizationSettings("mup", base_width=WIDTHS[0])
    sizes = coordinate_sizes(family, task, WIDTHS, [depth], mup, OPTIMIZERS[optimizer])
    # A size that must be constant grows as width^0; 0.5 is what a missing factor of sqrt(width) would show.
    assert exponents(sizes, "width").max() < 0.25


@pytest.mark.parametrize("name", ["mlp", "cnn", "transformer"])
def test_activations_under_standard_parametrization_do(name):
    family, task, depth = FAMILIES[name]
    sizes = coordinate_sizes(family, task, WIDTHS, [depth], ParametrizationSettings(), OPTIMIZERS["adamw"])
    assert exponents(sizes, "width").max() > 0.4


@pytest.mark.parametrize(("kind", "low", "high"), [("mup", -0.5, 0.25), ("standard", 0.4, 1.0)])
def test_muon_has_no_need_of_a_factor_on_hidden_matrices(kind, low, high):
    settings = ParametrizationSettings(kind, base_width=WIDTHS[0])
    muon = OptimizerSettings("muon", lr=0.02, nesterov=True, momentum=0.95)
    sizes = coordinate_sizes(MLP(), SignOfSum(), WIDTHS[:4], [2], settings, muon)
    assert low < exponents(sizes, "width").max() < high


def depth_exponents(rule: str, optimizer: str) -> pd.Series:
    """Exponents along depth of a transformer's modules after three steps, at one width."""
    parametrization = ParametrizationSettings("mup", base_width=32, depth=rule, base_depth=DEPTHS[0])
    sizes = coordinate_sizes(Transformer(), NextSymbol(), [32], DEPTHS, parametrization, OPTIMIZERS[optimizer])
    return exponents(sizes, "depth").loc[3]


# The residual stream after a block ("blocks") is the sum of what all branches before it added: without a rule its
# change grows as depth^0.7 to depth^0.8, under a rule as depth^-0.4 to depth^0.1. The first block's input, an embedding
# that hardly moves, weighs less in the mean over blocks the deeper the model: that alone gives the branches' inputs
# slopes of up to 0.3 with AdamW.
@pytest.mark.parametrize("rule", ["sqrt", "complete"])
def test_activations_under_a_depth_rule_do_not_grow_with_depth(rule):
    found = depth_exponents(rule, "adamw")
    assert found["blocks"] < 0.2
    assert found.max() < 0.4
    assert depth_exponents(rule, "sgd")["blocks"] < 0.3


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_activations_without_a_depth_rule_do(optimizer):
    assert depth_exponents("none", optimizer)["blocks"] > 0.5


def test_exponents_are_slopes_in_logarithms():
    sizes = pd.DataFrame(
        [
            {"width": 8, "depth": d, "step": 1, "module": f"blocks.{i}.mlp", "size": d**0.5 * (1 + i)}
            for d in (2, 4)
            for i in range(2)
        ]
        + [{"width": 8, "depth": d, "step": 1, "module": "head", "size": 0.0 if d == 2 else 1.0} for d in (2, 4, 8)]
    )
    found = exponents(sizes, "depth")
    assert found[1, "blocks.mlp"] == pytest.approx(0.5)
    assert found[1, "head"] == pytest.approx(0.0, abs=1e-9)  # what did not move is left out


def test_a_family_without_residual_branches_has_no_depth_rule():
    with pytest.raises(
        SettingError, match=r"parametrization\.depth=sqrt: allowed is none, for family=mlp has no resid"
    ):
        coordinate_sizes(MLP(), SignOfSum(), [8], [2, 4], ParametrizationSettings(depth="sqrt"), OPTIMIZERS["adamw"])
