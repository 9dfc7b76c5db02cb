"""Every step: same seed, same numbers; nothing at strength 0; labels stay; each member is independent of the others."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harness.data.augment import STEPS
from harness.data.augment.composed import augmenter
from harness.data.augment.images import Affine, Crop, Cutout, Flip
from harness.data.augment.noise import normal, seeds, uniform
from harness.data.augment.numbers import Mixup, Noise
from harness.data.augment.sequences import Shift, SpecAugment, TokenDropout
from harness.data.dataset import Kind
from harness.data.settings import DataSettings
from harness.errors import SettingError
from harness.tasks.base import Batch

RNG = np.random.default_rng(0)
SHAPES: dict[Kind, tuple[int, ...]] = {"images": (2, 8, 6), "audio": (12, 5), "features": (7,), "text": (9,)}
#: Settings of each step that change nothing.
NOTHING = {
    "crop": {"padding": 0},
    "flip": {"probability": 0},
    "affine": {"rotation": 0, "scale": 0, "shift": 0},
    "cutout": {"size": 0},
    "noise": {"deviation": 0},
    "mixup": {"alpha": 0},
    "specaugment": {"frequency_masks": 0, "time_width": 0},
    "shift": {"shift": 0},
    "token_dropout": {"probability": 0},
}


def batch_of(kind: Kind, count: int = 6) -> Batch:
    shape = (count, *SHAPES[kind])
    inputs = RNG.integers(1, 50, size=shape) if kind == "text" else RNG.normal(size=shape).astype(np.float32)
    return Batch.of_answers(inputs, np.arange(count) % 3)


def augmented(steps: object, kind: Kind, members: list[tuple[int, Batch]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and targets of all members, each of which drew from its own seed."""
    how = augmenter(DataSettings(augment=steps), kind, 3)
    assert how is not None
    drawn = [how.draw(np.random.default_rng([seed, 4]), batch) for seed, batch in members]
    together = {name: torch.as_tensor(np.concatenate([one[name] for one in drawn])) for name in drawn[0]}
    inputs = torch.as_tensor(np.concatenate([batch.inputs for _, batch in members]))
    targets = torch.as_tensor(np.concatenate([batch.targets for _, batch in members]))
    return how.apply(inputs, targets, together)


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, step in STEPS.items() for kind in step.kinds])
def test_every_step(name: str, kind: Kind) -> None:
    one, other = batch_of(kind), batch_of(kind)
    inputs, targets = augmented(name, kind, [(1, one), (2, other)])
    again, _ = augmented(name, kind, [(1, one), (2, other)])
    assert torch.equal(inputs, again) and inputs.shape == (12, *SHAPES[kind])
    assert not torch.equal(inputs[:6], torch.as_tensor(one.inputs))
    if name == "mixup":
        assert targets.shape == (12, 1, 3) and torch.allclose(targets.sum(-1), torch.ones(12, 1))
    else:
        assert torch.equal(targets[:, 0], torch.as_tensor(one.targets[:, 0]).repeat(2))
    alone, _ = augmented(name, kind, [(2, other)])
    assert torch.equal(inputs[6:], alone), "a member does not depend on those beside it"
    assert not torch.equal(augmented(name, kind, [(3, other)])[0], alone)
    still, targets = augmented([{name: NOTHING[name]}], kind, [(1, one)])
    assert torch.allclose(still, torch.as_tensor(one.inputs), atol=1e-5)
    if name == "mixup":
        assert torch.equal(targets.argmax(-1), torch.as_tensor(one.targets))


def test_steps_follow_each_other_in_their_order() -> None:
    batch = batch_of("images")
    mixed, targets = augmented(["flip", {"mixup": {"alpha": 1}}, {"noise": {"deviation": 0}}], "images", [(1, batch)])
    assert targets.dtype == torch.float32 and targets.shape == (6, 1, 3) and mixed.dtype == torch.float32
    first, _ = augmented([{"cutout": {"size": 1}}, {"noise": {"deviation": 1}}], "images", [(1, batch)])
    last, _ = augmented([{"noise": {"deviation": 1}}, {"cutout": {"size": 1}}], "images", [(1, batch)])
    assert (first == 0).sum() == 0 < (last == 0).sum()
    assert augmenter(DataSettings(), "images", 3) is None


def test_a_step_for_another_kind() -> None:
    with pytest.raises(SettingError, match=r"^data\.augment\[1\]=specaugment: allowed is a step for images"):
        augmenter(DataSettings(augment=["flip", "specaugment"]), "images", 3)


# ------------------------------------------------------------------------------------------ what each of them does


PICTURE = torch.arange(20.0).reshape(1, 1, 4, 5)
TARGETS = torch.zeros(1, 1, dtype=torch.int64)


def test_crop_shifts_by_whole_pixels_and_repeats_the_border() -> None:
    moved, _ = Crop().apply(PICTURE, TARGETS, {"by": torch.tensor([[1, -2]])})
    assert moved[0, 0].tolist() == [[2, 3, 4, 4, 4], [2, 3, 4, 4, 4], [7, 8, 9, 9, 9], [12, 13, 14, 14, 14]]
    drawn = Crop(padding=2).draw(np.random.default_rng(0), batch_of("images", 200))["by"]
    assert set(np.unique(drawn)) == {-2, -1, 0, 1, 2}


@pytest.mark.parametrize(("direction", "dim"), [("horizontal", -1), ("vertical", -2)])
def test_flip(direction: str, dim: int) -> None:
    pair = PICTURE.repeat(2, 1, 1, 1)
    flipped, _ = Flip(direction=direction).apply(pair, TARGETS, {"flip": torch.tensor([True, False])})
    assert torch.equal(flipped, torch.cat([PICTURE.flip(dim), PICTURE]))


def test_affine_by_a_quarter_turn_a_whole_pixel_and_a_factor() -> None:
    def of(
        picture: torch.Tensor, angle: float = 0, scale: float = 1, shift: tuple[float, float] = (0, 0)
    ) -> torch.Tensor:
        drawn = {"angle": torch.tensor([angle]), "scale": torch.tensor([scale]), "shift": torch.tensor([shift])}
        return Affine().apply(picture, TARGETS, drawn)[0]

    square = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert torch.allclose(of(square, math.pi / 2), square.rot90(1, (2, 3)), atol=1e-4)
    moved = of(PICTURE, shift=(0.25, 0.2))  # down by 1 of 4, right by 1 of 5
    assert torch.allclose(moved[0, 0, 1:, 1:], PICTURE[0, 0, :-1, :-1], atol=1e-4)
    assert torch.allclose(moved[0, 0, 0, 1:], PICTURE[0, 0, 0, :-1], atol=1e-4), "the border is repeated"
    # A linear ramp seen at twice the size is half as steep.
    ramp = torch.arange(8.0).repeat(1, 1, 8, 1)
    assert torch.allclose(of(ramp, scale=2).diff(dim=3)[..., 1:-1], torch.tensor(0.5), atol=1e-4)
    drawn = Affine(scale=1).draw(np.random.default_rng(0), batch_of("images", 500))
    assert 0.5 <= drawn["scale"].min() < 0.52 and 1.9 < drawn["scale"].max() <= 2


def test_cutout_sets_a_square_to_0() -> None:
    cut, _ = Cutout(size=0.5).apply(torch.ones(1, 2, 8, 8), TARGETS, {"centre": torch.tensor([[2.0, 6.0]])})
    assert (cut == 0).sum() == 2 * 16 and (cut[0, :, 0:4, 4:8] == 0).all()


def test_mixup_mixes_inputs_and_targets_alike() -> None:
    inputs, targets = torch.tensor([[0.0], [10.0]]), torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    drawn = {"share": torch.tensor([0.75, 1.0]), "offset": torch.tensor([1, -1])}
    mixed, soft = Mixup().apply(inputs, targets, drawn)
    assert mixed.tolist() == [[2.5], [10.0]] and soft.tolist() == [[[0.75, 0.25]], [[0.0, 1.0]]]


def test_specaugment_masks_bands_by_the_mean() -> None:
    frames = torch.rand(1, 10, 6)
    drawn = {"time": torch.tensor([[[2, 4], [9, 9]]]), "frequency": torch.tensor([[[5, 6]]])}
    masked, _ = SpecAugment().apply(frames, TARGETS, drawn)
    changed = masked != frames
    assert changed.sum() == 2 * 6 + 10 - 2 and changed[0, 2:4].all() and changed[0, :, 5].all()
    assert torch.allclose(masked[changed], frames.mean())
    drawn_masks = SpecAugment(time_width=0.5).draw(np.random.default_rng(0), batch_of("audio", 300))["time"]
    assert set(np.diff(drawn_masks).ravel()) == set(range(7)) and drawn_masks.min() == 0 and drawn_masks.max() == 12


def test_shift_repeats_the_first_frame() -> None:
    frames = torch.arange(6.0).reshape(1, 3, 2)
    assert Shift().apply(frames, TARGETS, {"by": torch.tensor([1])})[0].tolist() == [[[0, 1], [0, 1], [2, 3]]]


def test_token_dropout_replaces_the_share_that_is_asked_for() -> None:
    tokens = torch.ones(50, 200, dtype=torch.int64)
    drawn = {"seed": torch.as_tensor(seeds(np.random.default_rng(0), 50))}
    dropped, _ = TokenDropout(probability=0.3, token=7).apply(tokens, tokens, drawn)
    assert abs((dropped == 7).float().mean() - 0.3) < 0.025  # five deviations of 10,000 coins
    assert set(dropped.unique().tolist()) == {1, 7}


def test_noise_is_normal_and_independent() -> None:
    seed = torch.as_tensor(seeds(np.random.default_rng(0), 200))
    noise = normal(seed, 500)
    assert noise.isfinite().all() and abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02
    assert abs((noise**4).mean() - 3) < 0.25
    assert torch.corrcoef(noise[:, :2].T)[0, 1].abs() < 0.3 and torch.corrcoef(noise[:2])[0, 1].abs() < 0.2
    numbers = uniform(seed, 500)
    counts = torch.histc(numbers, 10, 0, 1)
    assert (counts - 10_000).abs().max() < 500
    # Planted: the same seed is the same number on every machine.
    assert uniform(torch.tensor([1]), 2)[0].tolist() == pytest.approx(PLANTED, abs=1e-7)
    assert Noise(deviation=2).apply(torch.zeros(200, 500), TARGETS, {"seed": seed})[0].std() == pytest.approx(
        2, rel=0.02
    )


#: By the definition of the hash, in Python's whole numbers.
def _mixed(x: int) -> int:
    x = ((x ^ (x >> 16)) * 0x21F0AAAD) % 2**32
    x = ((x ^ (x >> 15)) * 0x735A2D97) % 2**32
    return x ^ (x >> 15)


PLANTED = [(_mixed((_mixed(1) + position) % 2**32) + 0.5) / 2**32 for position in range(2)]
