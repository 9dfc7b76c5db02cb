"""Images, decoded by Pillow, as one array."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.data.settings import DataSettings
from harness.errors import DataError, UserError

if TYPE_CHECKING:
    from PIL import Image

#: What Pillow is asked to open, of the files in a folder.
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


def of_one_shape(images: Any, names: Sequence[str], settings: DataSettings) -> tuple[np.ndarray, str]:
    """(n, C, H, W) uint8, and what of the images was ignored, in a phrase.

    Images of a palette and of four channels become RGB; transparency and all frames but the first are ignored.
    `data.channels` and `data.image_size` convert and resize (bilinear, over all source pixels of a target pixel).

    Args:
        images: see `Found.inputs`.

    Raises:
        DataError: a damaged image, images of two sizes or numbers of channels, or values that are no 8-bit pixels.
        UserError: Pillow is not installed.
    """
    if isinstance(images, np.ndarray):
        whole = _channels_first(images, names)
        if settings.size in (None, whole.shape[2:]) and settings.channels in (None, whole.shape[1]):
            return whole, ""
        pillow = _pillow()
        images = [pillow.fromarray(one[0] if len(one) == 1 else one.transpose(1, 2, 0)) for one in whole]
    arrays: list[np.ndarray] = []
    ignored = Counter[str]()
    for image, name in zip(images, names, strict=True):
        opened = _opened(image, name)
        ignored.update(_ignored(opened))
        arrays.append(_array(_converted(opened, name, settings)))
        if arrays[-1].shape != arrays[0].shape:
            raise DataError(
                f"{_size(arrays[-1])}, and {names[0]} is {_size(arrays[0])}; data.image_size=[HEIGHT,WIDTH] "
                "resizes them all, data.channels=1 or 3 makes all grey or coloured",
                source=name,
            )
    return np.stack(arrays), "; ".join(f"{what} ignored in {count:,} images" for what, count in ignored.items())


def _channels_first(images: np.ndarray, names: Sequence[str]) -> np.ndarray:
    if images.ndim not in (3, 4):
        raise DataError(f"an array of shape {images.shape} is no images: (n, H, W) with channels before or after H, W")
    if images.dtype != np.uint8:
        wrong = ~((images >= 0) & (images <= 255) & (images == np.floor(images))).reshape(len(images), -1).all(axis=1)
        if wrong.any():
            raise DataError("pixels are not whole numbers from 0 to 255", source=names[int(wrong.argmax())])
        images = images.astype(np.uint8)
    if images.ndim == 3:
        return images[:, None]
    if images.shape[1] in (1, 3):
        return images
    if images.shape[3] in (1, 3):
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    raise DataError(f"images of shape {images.shape[1:]} have no side of 1 or 3 channels")


def _opened(image: Any, name: str) -> Image.Image:
    pillow = _pillow()
    if isinstance(image, pillow.Image):
        return image
    try:
        opened = pillow.open(image if isinstance(image, Path) else io.BytesIO(image))
        opened.load()
    except pillow.DecompressionBombError as error:
        problem = f"too large an image; Pillow opens up to {2 * pillow.MAX_IMAGE_PIXELS:,} pixels"
        raise DataError(problem, source=name) from error
    except (OSError, SyntaxError, ValueError, TypeError) as error:
        # Pillow tells the file or the buffer once more; the first words say what is wrong.
        said = "not an image that Pillow knows" if "cannot identify" in str(error) else str(error)
        raise DataError(f"damaged image ({said})", source=name) from error
    return opened


def _ignored(image: Image.Image) -> list[str]:
    """What the pixels of an image without alpha and motion do not tell."""
    found = []
    if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
        found.append("transparency")
    if getattr(image, "n_frames", 1) > 1:
        found.append("frames after the first")
    return found


def _converted(image: Image.Image, name: str, settings: DataSettings) -> Image.Image:
    from PIL import ImageOps

    if image.mode.startswith(("I", "F")):
        raise DataError(f"an image of mode {image.mode}; wanted are 8 bits a channel", source=name)
    image = ImageOps.exif_transpose(image)
    grey = image.mode in ("1", "L", "LA") if settings.channels is None else settings.channels == 1
    image = image.convert("L" if grey else "RGB")
    if settings.size and image.size != settings.size[::-1]:
        image = image.resize(settings.size[::-1], _pillow().Resampling.BILINEAR)
    return image


def _array(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _size(pixels: np.ndarray) -> str:
    channels, height, width = pixels.shape
    return f"{height} x {width} pixels of {channels} channel{'s' if channels > 1 else ''}"


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise UserError("images need Pillow: pip install 'scaling-harness[images]'") from error
    return Image
