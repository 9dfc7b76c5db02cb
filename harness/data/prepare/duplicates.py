"""Steps that remove copies from the training examples, of others in training and of those held out alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.data.dataset import TRAIN, Dataset
from harness.data.prepare.base import Change, Step
from harness.data.prepare.near import near_earlier, near_images, near_sounds, near_texts
from harness.ranges import between, setting, whole


@dataclass
class Duplicates(Step):
    """Removes exact copies: of several in training the first stays, and one that is held out too leaves training."""

    def apply(
        self, train: Dataset, evaluation: Dataset, rng: np.random.Generator
    ) -> tuple[Dataset, Dataset, list[Change]]:
        digests = train.digests()
        held_out = np.isin(digests, evaluation.digests())
        repeated = np.ones(len(train), dtype=bool)
        repeated[np.unique(digests, return_index=True)[1]] = False
        copies = repeated | held_out
        return train.take(~copies), evaluation, [_change(copies, held_out)]


@dataclass
class NearDuplicates(Step):
    """Removes from training what is nearly a held-out example, or nearly one that stands before it in training.

    Images, as grey ones of 8 x 9 mean pixels, have a difference hash of 64 bits: whether a pixel is brighter than its
    right neighbour (Krawetz 2013, "Kind of like that"). They are near where at most `bits` of them differ and the root
    mean square difference of their pixels is at most `difference`, without which all images of one plain shape would
    be near. Sounds are near by the hash alone, of the logarithm of their spectrogram. Texts are near where the sets of
    their runs of three words, in lower case and without punctuation, have a Jaccard similarity of at least
    `similarity`, estimated by MinHash with 128 hashes (Broder 1997, "On the resemblance and containment of documents").
    """

    kinds = ("images", "text", "audio")

    bits: int = setting(2, "bits in which images or sounds may differ, of 64", whole(0, 16))
    difference: float = setting(0.03, "root mean square difference of pixels, as a share of their range", between(0, 1))
    similarity: float = setting(0.8, "Jaccard similarity from which texts are near", between(0.5, 1))

    def apply(
        self, train: Dataset, evaluation: Dataset, rng: np.random.Generator
    ) -> tuple[Dataset, Dataset, list[Change]]:
        first = len(evaluation)
        if train.kind == "images":
            compared = near_images(np.concatenate([evaluation.inputs, train.inputs]), self.bits, self.difference)
        elif train.kind == "audio":
            compared = near_sounds([*evaluation.inputs, *train.inputs], self.bits)
        else:
            compared = near_texts([*evaluation.inputs, *train.inputs], self.similarity)
        copies, of_held_out = (mask[first:] for mask in near_earlier(*compared, first))
        return train.take(~copies), evaluation, [_change(copies, of_held_out)]


def _change(copies: np.ndarray, of_held_out: np.ndarray) -> Change:
    note = f"{int(of_held_out.sum())} of them of held-out examples" if of_held_out.any() else ""
    return Change(TRAIN, removed=int(copies.sum()), note=note)
