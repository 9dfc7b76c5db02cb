"""A folder of images or sound files by class: ``cat/1.png``, or ``train/cat/1.png`` and ``test/cat/2.png``."""

from __future__ import annotations

from pathlib import Path

from harness.data.dataset import Kind
from harness.data.settings import DataSettings
from harness.data.sources import pictures, waves
from harness.data.sources.found import Found, side
from harness.errors import DataError


def fits(path: Path, kind: Kind) -> bool:
    """Whether this is a folder with files of the kind in folders of it."""
    return kind in ("images", "audio") and path.is_dir() and any(_files(path, kind))


def read(path: Path, settings: DataSettings, kind: Kind) -> Found:
    """Each file with the name of its folder as its class; folders ``train`` and ``test`` above those make the split.

    Raises:
        DataError: files lie on other levels too, or a sound file is damaged.
    """
    files = _files(path, kind)
    parts = [file.relative_to(path).parts for file in files]
    has_split = all(side(part[0]) and len(part) == 3 for part in parts) and len({side(part[0]) for part in parts}) > 1
    for part in parts:
        if len(part) != (3 if has_split else 2):
            wanted = "CLASS/FILE, or train/CLASS/FILE and test/CLASS/FILE for all"
            raise DataError(f"lies at {'/'.join(part)}; wanted is {wanted}", source=path)
    names = ["/".join(part) for part in parts]
    found = Found(
        inputs=files,
        names=names,
        labels=[part[-2] for part in parts],
        title=path.name,
        split=[side(part[0]) or "" for part in parts] if has_split else None,
        split_rule="train and test by the names of the folders",
    )
    if kind == "audio":
        sounds = [waves.decoded(file, name) for file, name in zip(files, names, strict=True)]
        found.inputs, found.rates = [wave for wave, _ in sounds], [rate for _, rate in sounds]
    return found


def _files(path: Path, kind: Kind) -> list[Path]:
    suffixes = pictures.SUFFIXES if kind == "images" else waves.SUFFIXES
    return sorted(file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.parent != path)
