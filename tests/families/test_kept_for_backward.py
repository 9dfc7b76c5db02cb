"""What a family says that its forward pass keeps is what autograd saves."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.config import compose
from harness.sweeping.plan import cells

TOKENS = ("family=transformer", "task=text", "ladder.heads=4")


def saved_numbers(model: nn.Module, inputs: torch.Tensor) -> float:
    """Numbers in all storages that the forward pass saves for the backward pass, parameters apart."""
    parameters = {each.untyped_storage().data_ptr() for each in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor  # held, so that no other takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(inputs)
    return sum(each.untyped_storage().nbytes() for place, each in kept.items() if place not in parameters) / 4


@pytest.mark.parametrize(
    "words",
    [
        ("family=mlp", "task=digits"),
        ("family=cnn", "task=digits"),
        TOKENS,
        (*TOKENS, "family.activation=swiglu"),
        (*TOKENS, "family.kv_heads=1"),
        (*TOKENS, "family.mlp_ratio=0"),
        (*TOKENS, "family.activation=relu", "family.norm=layer", "family.positions=learned"),
    ],
)
def test_formula_and_autograd_agree(words: tuple[str, ...]) -> None:
    (study,) = compose(*words, "ladder.widths=[64]", "ladder.depths=[6]", "ladder.steps=1")
    (cell,) = cells(study)
    signature, shape, n = study.signature, cell.rung.shape, 4
    model = study.family.build(shape, signature, study.parametrization)
    if signature.kind == "tokens":
        inputs = torch.randint(0, signature.vocab_size or 1, (n, signature.context))
    else:
        inputs = torch.randn(n, *(signature.feature_shape or ()))
    saved = saved_numbers(model, inputs) / n
    assert study.family.kept_for_backward(shape, signature) == pytest.approx(saved, rel=0.1)
