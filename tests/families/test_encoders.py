"""Patches, frames and tokens in one sequence: each embedded by what it is, in any order, by members together."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tiny import Frames, Mixed, job_of, make_settings, numbers

from harness.families.base import ParameterCount, Shape
from harness.families.encoders import MixedEmbedding, embedding
from harness.families.parametrization import initialise
from harness.families.transformer import Transformer
from harness.ranges import identity_of
from harness.settings import ParametrizationSettings
from harness.training.loop import train_job
from harness.training.members import Stack

STANDARD, MIXED = ParametrizationSettings(), Mixed().signature


def built(width: int, **options) -> torch.nn.Module:
    model = Transformer(**options).build(Shape(width, 1, 2), MIXED, STANDARD)
    initialise(model, width, STANDARD, torch.Generator().manual_seed(0))
    return model


def test_each_position_is_embedded_by_its_kind_alone():
    module = embedding(MIXED, 8, "linear")
    assert isinstance(module, MixedEmbedding)
    inputs = torch.tensor([[[-1.0, 1, 2, 3, 4], [-2, 5, 6, 7, 0], [6, 0, 0, 0, 0]]])
    patch, frame = module.encoders["patch"].weight, module.encoders["frame"].weight
    of_tokens = module.tokens.weight
    wanted = [patch @ torch.tensor([1.0, 2, 3, 4]), frame @ torch.tensor([5.0, 6, 7]), of_tokens[6]]
    torch.testing.assert_close(module(inputs)[0], torch.stack(wanted))
    # What lies in channels that a position does not have says nothing.
    inputs[0, 1, 4], inputs[0, 2, 1:] = 9, 9
    torch.testing.assert_close(module(inputs)[0], torch.stack(wanted))


def test_counts_of_one_size_by_hand():
    count = Transformer(encoder="mlp", positions="learned").count(Shape(8, 1, 2), MIXED)
    # Seven tokens, four positions, and encoders of four and three features with a square matrix each.
    assert count.embedding == 8 * (7 + 4) + (4 * 8 + 64) + (3 * 8 + 64)
    assert count.head == 8 * 4
    assert Transformer().count(Shape(8, 1, 2), Frames().signature) == ParameterCount(
        embedding=5 * 8, attention=4 * 64, mlp=8 * 64, norm=3 * 8, head=8 * 5
    )


@pytest.mark.parametrize("encoder", ["linear", "mlp"])
def test_standardised_features_begin_as_large_as_tokens(encoder):
    # Of 256 columns at width 64 the root mean square is known to 2 %, and the second layer leaves a factor of 0.92.
    model = built(64, encoder=encoder)
    inputs = torch.zeros(256, 3, 5)
    inputs[:, :, 1:] = torch.randn(256, 3, 4, generator=torch.Generator().manual_seed(1))
    inputs[:, 0, 0], inputs[:, 1, 0], inputs[:, 2, 0] = -1, -2, 3
    sizes = model.embedding(inputs).detach().square().mean(dim=(0, 2)).sqrt()
    assert all(0.7 < float(size) < 1.3 for size in sizes)


def test_members_together_learn_both_kinds_in_either_order():
    settings = make_settings(Transformer(encoder="mlp"), Mixed(), ladder__steps=150, optimizer__lr=0.02, seeds=2)
    settings.ladder.widths = [16]
    job = job_of(settings)
    assert Stack.of(job, torch.device("cpu")).unbatched is None
    for outcome in train_job(job):
        rows = {(metric, part): value for _, metric, part, _, value, _ in numbers(outcome)}
        # A model that reads neither, and copies the first answer to the second, has half of the loss of chance.
        assert rows["loss", "patch"] < 0.3 * math.log(4)
        assert rows["loss", "frame"] < 0.3 * math.log(4)


def test_a_member_is_the_same_alone_and_its_batches_are_read_to_the_end():
    settings = make_settings(Transformer(), Mixed(), seeds=2)
    together, alone = train_job(job_of(settings)), train_job(job_of(settings, only=1))
    assert numbers(together[1]) == numbers(alone[0])


def test_the_last_answers_depend_on_all_before_them_and_no_later_position():
    model = built(16, zero_head=False)
    inputs = torch.from_numpy(Mixed().train_batch(np.random.default_rng(0), 8).inputs)
    before = model(inputs)
    assert before.shape == (8, 2, 4)
    later = inputs.clone()
    later[:, 3, 0] = (later[:, 3, 0] + 1) % 4
    assert torch.equal(model(later)[:, 0], before[:, 0])
    assert not torch.allclose(model(later)[:, 1], before[:, 1])


def test_the_encoder_leaves_run_ids_alone_at_its_default():
    assert "encoder" not in identity_of(Transformer())
    assert identity_of(Transformer(encoder="mlp"))["encoder"] == "mlp"
