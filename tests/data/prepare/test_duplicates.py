"""Planted copies are found, in training and across the split, and different examples are left alone."""

from __future__ import annotations

import numpy as np
from planted_data import planted

from harness.data.prepare.duplicates import Duplicates, NearDuplicates
from harness.data.prepare.near import difference_hash, minhash

RNG = np.random.default_rng(0)
WORDS = [f"w{i}" for i in range(500)]


def text(n: int = 60) -> list[str]:
    return [WORDS[i] for i in RNG.integers(500, size=n)]


def test_exact_copies() -> None:
    train, held_out = planted("text", ["a", "b", "a", "c", "b"]), planted("text", ["c", "d", "d"])
    kept, evaluation, (change,) = Duplicates().apply(train, held_out, RNG)
    assert kept.inputs == ["a", "b"] and evaluation is held_out
    assert (change.split, change.removed, change.note) == ("train", 3, "1 of them of held-out examples")


def test_near_images() -> None:
    images = RNG.integers(256, size=(40, 1, 16, 16)).astype(float)
    images[5] = images[3] + RNG.normal(0, 2, size=(1, 16, 16))  # in training twice, nearly
    images[30] = images[36] + 1  # held out, nearly
    pictures = np.clip(images, 0, 255).round().astype(np.uint8)
    train, held_out = planted("images", pictures[:35]), planted("images", pictures[35:])
    kept, _, (change,) = NearDuplicates().apply(train, held_out, RNG)
    assert {f"x:{i + 1}" for i in range(35)} - set(kept.names) == {"x:6", "x:31"}
    assert (change.removed, change.note) == (2, "1 of them of held-out examples")


def test_plain_images_of_one_shape_are_not_near() -> None:
    # All have the hash of an image without edges; what tells them apart is how bright they are.
    plain = planted("images", np.stack([np.full((1, 8, 8), value, dtype=np.uint8) for value in (0, 40, 80)]))
    kept, _, _ = NearDuplicates().apply(plain.take(np.array([0, 1])), plain.take(np.array([2])), RNG)
    assert len(kept) == 2


def test_near_texts() -> None:
    first, second, third = text(), text(), text()
    changed = [*first[:30], "other", *first[31:]]
    shouted = " ".join(second).upper() + "!"
    train = planted("text", [" ".join(words) for words in (first, third, changed)])
    kept, _, (change,) = NearDuplicates().apply(train, planted("text", [shouted]), RNG)
    assert len(kept) == 2 and change.removed == 1
    kept, _, (change,) = NearDuplicates(similarity=1.0).apply(train, planted("text", [" ".join(third)]), RNG)
    assert kept.names == ["x:1", "x:3"] and change.note == "1 of them of held-out examples"


def test_minhash_estimates_the_jaccard_similarity() -> None:
    words = text(200)
    one, other = words[:150], words[50:]
    sets = [{tuple(each[i : i + 3]) for i in range(len(each) - 2)} for each in (one, other)]
    jaccard = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
    a, b = minhash([" ".join(one), " ".join(other)])
    assert abs((a == b).mean() - jaccard) < 0.15  # four standard errors of 128 hashes


def test_near_sounds() -> None:
    waves = [RNG.normal(size=2000).astype(np.float32) for _ in range(4)]
    train = planted("audio", [*waves[:3], waves[1] * np.float32(0.99)], sample_rate=8000)
    kept, _, _ = NearDuplicates().apply(train, planted("audio", [waves[3]], sample_rate=8000), RNG)
    assert kept.names == ["x:1", "x:2", "x:3"]


def test_the_difference_hash_knows_light_from_left_to_right() -> None:
    ramp = np.tile(np.arange(27.0), (24, 1))
    assert not difference_hash(ramp).any() and difference_hash(-ramp).all()
    assert difference_hash(np.ones((3, 3))).shape == (64,)
