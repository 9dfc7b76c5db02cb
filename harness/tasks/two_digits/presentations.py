"""How a digit is put before a model: patches of an image, frames of a spoken word, or its symbol.

Of images and of spoken words a part is held out for evaluation: other images, and other voices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from harness.data.dataset import Dataset
from harness.data.load import Prepared, prepared
from harness.data.log_mel import frames
from harness.data.settings import DataSettings
from harness.data.sources.spoken_words import WORDS
from harness.errors import SettingError, UserError
from harness.tasks.speech import Speech
from harness.tasks.two_digits.questions import BASE

#: Images that come with the package, where `data.source` names no others.
SHIPPED = "embedded:digits"
#: Voices are held out, not single clips. Nineteen of twenty words end before the clip does.
VOICES = DataSettings(
    source="embedded:spoken_words", classes=list(WORDS[:BASE]), split="groups", eval_fraction=0.3, sample_rate=11025
)
CLIP_S, RATE = 0.64, 11025


@dataclass(frozen=True, eq=False)
class Presented:
    """Examples of every digit in one kind, in order of their digits.

    Attributes:
        features: (n, P, F) float32, P positions of F features each, standardised over the training examples.
        starts: (11,) where the examples of each digit begin; the last is n.
    """

    features: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, labels: np.ndarray) -> Presented:
        order = np.argsort(labels, kind="stable")
        return cls(features[order].astype(np.float32), np.searchsorted(labels[order], np.arange(BASE + 1)))

    def of_digits(self, digits: np.ndarray, places: np.ndarray) -> np.ndarray:
        """(..., P, F) an example of each digit; `places` in [0, 1) choose among those of a digit."""
        first, count = self.starts[digits], np.diff(self.starts)[digits]
        return self.features[first + (places * count).astype(np.int64)]


# ------------------------------------------------------------------------------------------------------------- shown


def images(settings: DataSettings) -> Prepared:
    """The images of `data`, or those that come with the package.

    Raises:
        UserError: they cannot be read, or their classes are not the ten digits.
    """
    if settings.answers != "classes":
        raise SettingError("data.answers", settings.answers, "classes, which are the digits")
    if settings.augment:
        raise SettingError("data.augment", settings.augment, "[] with task=two_digits, whose inputs are sequences")
    found = prepared(replace(settings, source=settings.source or SHIPPED), "images")
    if found.train.classes != tuple(map(str, range(BASE))):
        classes = ", ".join(found.train.classes[: BASE + 1])
        raise UserError(f"data.source={settings.source}: its classes are {classes}; task=two_digits shows 0 to 9")
    return found


def patches_of(found: Prepared, patch: int) -> tuple[int, int]:
    """(positions, features) of an image that is cut into squares of `patch` pixels.

    Raises:
        SettingError: the squares do not fill the image.
    """
    channels, height, width = found.train.inputs.shape[1:]
    if height % patch or width % patch:
        raise SettingError("task.patch", patch, f"a divisor of {height} and of {width}, the pixels of an image")
    return (height // patch) * (width // patch), channels * patch * patch


@lru_cache(maxsize=4)
def shown(found: Prepared, patch: int) -> tuple[Presented, Presented]:
    """Training and evaluation images as patches, row by row; all pixels share one mean and one deviation."""
    size = patches_of(found, patch)
    pixels = [np.asarray(side.inputs, dtype=np.float64) for side in (found.train, found.evaluation)]
    mean, deviation = pixels[0].mean(), pixels[0].std() or 1.0

    def presented(images: np.ndarray, side: Dataset) -> Presented:
        n, channels, height, width = images.shape
        cut = images.reshape(n, channels, height // patch, patch, width // patch, patch).transpose(0, 2, 4, 1, 3, 5)
        assert side.labels is not None
        return Presented.of((cut.reshape(n, *size) - mean) / deviation, side.labels)

    return presented(pixels[0], found.train), presented(pixels[1], found.evaluation)


# ------------------------------------------------------------------------------------------------------------- spoken


def frames_of(frame_ms: float, n_mels: int) -> tuple[int, int]:
    """(positions, features) of a spoken digit; known without the synthesiser."""
    window = _samples(frame_ms)
    return frames(_samples(1e3 * CLIP_S), window, window), n_mels


@lru_cache(maxsize=4)
def spoken(frame_ms: float, n_mels: int) -> tuple[Presented, Presented]:
    """Training and evaluation words as log-mel frames side by side, standardised band by band as in `task=speech`.

    Raises:
        UserError: the synthesiser is not installed.
    """
    speech = _speech(frame_ms, n_mels)
    found = voices()
    train, held_out = speech.inputs_of_both(found.train, found.evaluation)
    assert found.train.labels is not None and found.evaluation.labels is not None
    return Presented.of(train, found.train.labels), Presented.of(held_out, found.evaluation.labels)


def voices() -> Prepared:
    """The ten words by every voice.

    Raises:
        UserError: the synthesiser is not installed.
    """
    try:
        return prepared(VOICES, "audio")
    except UserError as error:
        raise UserError(f"task.kinds.spoken: {error}") from error


def _speech(frame_ms: float, n_mels: int) -> Speech:
    return Speech(data=VOICES, seconds=CLIP_S, window_ms=frame_ms, hop_ms=frame_ms, n_mels=n_mels)


def _samples(milliseconds: float) -> int:
    return round(RATE * milliseconds / 1e3)
