"""A batch in micro-batches: the numbers of the whole batch but for rounding, and the batches that cannot be split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from noisy import NoisySign
from recurrent import Recurrent
from tiny import NextSymbol, SignOfSum, job_of, make_settings, numbers
from torch import nn

from harness.errors import IndivisibleError
from harness.families.cnn import CNN
from harness.families.dropout import Dropout
from harness.families.mlp import MLP, MLPModel
from harness.families.transformer import Transformer
from harness.ladder import Job
from harness.training import micro_batches
from harness.training.evaluation import examples_at_once
from harness.training.gradients import gradient_of
from harness.training.loop import train_job
from harness.training.members import Stack

CPU = torch.device("cpu")

CASES: list[tuple[Any, Any, dict[str, Any]]] = [
    (MLP(dropout=0.2), SignOfSum(), {}),
    (
        CNN(layers=["conv 4 2x2 same", "dense 6", "dense 5"], dropout=0.2),
        SignOfSum(image=True),
        {"ladder__depths": [3]},
    ),
    (Transformer(dropout=0.2), NextSymbol(), {"loss__label_smoothing": 0.1}),
    (Recurrent(), NextSymbol(), {}),
]


@pytest.mark.parametrize(
    ("case", "parts"),
    [*((case, 3) for case in CASES), (CASES[0], 16)],
    ids=["mlp", "cnn", "transformer", "recurrent", "single examples"],
)
def test_parts_train_as_the_whole_within_rounding(case: tuple[Any, Any, dict[str, Any]], parts: int) -> None:
    # Losses part by about 1e-7 in these 12 steps; another dropout mask would move them by 1e-2.
    family, task, changes = case
    job = job_of(make_settings(family, task, seeds=2, **changes))
    of_parts = replace(job, micro_batches=parts)
    for whole, split in zip(train_job(job), train_job(of_parts), strict=True):
        a, b = ([row[4] for row in numbers(outcome) if row[1] == "loss"] for outcome in (whole, split))
        np.testing.assert_allclose(b, a, rtol=1e-5)


def test_no_more_than_two_shapes_are_traced_and_none_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    monkeypatch.setattr(
        micro_batches, "gradient_of", lambda stack, x, *rest: sizes.append(x.shape[1]) or gradient_of(stack, x, *rest)
    )
    train_job(replace(job_of(make_settings(MLP(), SignOfSum())), micro_batches=3))
    assert sizes == [6, 5]  # of 16


def test_a_part_is_dropped_as_in_the_whole() -> None:
    layer, whole = Dropout(0.3).train(), torch.ones(7, 3, 5)
    expected = layer(whole)
    layer.part = torch.tensor([4, 3], dtype=torch.int32)
    assert torch.equal(layer(whole[4:]), expected[4:])
    assert torch.equal(layer(whole[4:].flatten(0, 1)), expected[4:].flatten(0, 1)), "examples may be folded"


def test_an_evaluation_is_split_as_the_batch_is() -> None:
    settings = make_settings(MLP(), SignOfSum())
    whole, parts = (Stack.of(replace(job_of(settings), micro_batches=n), CPU) for n in (1, 4))
    assert examples_at_once(whole, 2, 64) == 64 and examples_at_once(parts, 2, 64) == 16


# ------------------------------------------------------------------------------------------------ what cannot be split


class Normalised(MLPModel):
    """An MLP with what mixes the examples of a batch before its layers."""

    def __init__(self, mixing: nn.Module, *args: Any) -> None:
        super().__init__(*args)
        self.mixing = mixing

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(self.mixing(x))


class LessItsMean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(dim=0)


@dataclass
class NormalisedMLP(MLP):
    mixing: str = "batch norm"

    @property
    def name(self) -> str:
        return "normalised"

    def build(self, shape: Any, signature: Any, parametrization: Any) -> nn.Module:
        mixing = {
            "batch norm": lambda: nn.BatchNorm1d(4, affine=False, track_running_stats=False),
            "own": LessItsMean,
            "layer norm": lambda: nn.LayerNorm(4, elementwise_affine=False),
        }[self.mixing]()
        return Normalised(mixing, [4, *[shape.width] * shape.depth], signature.n_outputs, self.zero_head)


def split(family: Any, task: Any, **changes: Any) -> Job:
    return replace(job_of(make_settings(family, task, seeds=1, **changes)), micro_batches=2)


@pytest.mark.parametrize(
    ("mixing", "why"), [("batch norm", "more than 1 value per channel"), ("own", "depend on the others in its batch")]
)
def test_a_model_that_mixes_examples_is_not_split(mixing: str, why: str) -> None:
    job = split(NormalisedMLP(mixing=mixing), SignOfSum())
    assert train_job(replace(job, micro_batches=1))[0].status == "finished"
    with pytest.raises(IndivisibleError, match=f"the batch cannot be split: .*{why}"):
        train_job(job)


def test_a_norm_of_each_example_does_not_hinder() -> None:
    (outcome,) = train_job(split(NormalisedMLP(mixing="layer norm"), SignOfSum()))
    assert outcome.status == "finished"


def test_pairs_of_views_are_not_split() -> None:
    job = split(MLP(), NoisySign(noise=0.3), loss__kind="contrastive", loss__dimensions=3)
    with pytest.raises(IndivisibleError, match="loss=contrastive compares all views"):
        train_job(job)
