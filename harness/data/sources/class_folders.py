"""A folder of images or sound files by class: ``cat/1.png``, or ``train/cat/1.png`` and ``test/cat/2.png``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data.dataset import Kind
from harness.data.settings import DataSettings
from harness.data.sources import pictures, waves
from harness.data.sources.found import Found, side
from harness.errors import DataError

_CALLED = {"images": "images", "audio": "sounds"}


def fits(path: Path, kind: Kind) -> bool:
    """Whether this is a folder with files of the kind in folders of it."""
    return (
        kind in _CALLED
        and path.is_dir()
        and any(_is(entry, kind) and entry.parent != path and not entry.is_dir() for entry in _entries(path))
    )


def read(path: Path, settings: DataSettings, kind: Kind) -> Found:
    """Each file with the name of its folder as its class; folders ``train`` and ``test`` above those make the split.

    Links to folders are followed, and hidden files and folders left out. The note counts files outside folders of
    classes and those of another kind.

    Raises:
        DataError: files lie on other levels too, a folder is empty or a link leads nowhere or back up, or a sound file
            is damaged.
    """
    entries = list(_entries(path))
    everything = [entry for entry in entries if not entry.is_dir()]
    of_kind = [file for file in everything if _is(file, kind)]
    files = [file for file in of_kind if file.parent != path]
    parts = [file.relative_to(path).parts for file in files]
    has_split = all(side(part[0]) and len(part) == 3 for part in parts) and len({side(part[0]) for part in parts}) > 1
    for part in parts:
        if len(part) != (3 if has_split else 2):
            wanted = "CLASS/FILE, or train/CLASS/FILE and test/CLASS/FILE for all"
            raise DataError(f"lies at {'/'.join(part)}; wanted is {wanted}", source=path)
    filled = {folder for file in files for folder in file.parents}
    for folder in entries:
        if folder.is_dir() and folder not in filled:
            raise DataError(f"a folder without {_CALLED[kind]}; each folder is a class", source=folder)
    names = ["/".join(part) for part in parts]
    outside, others = len(of_kind) - len(files), len(everything) - len(of_kind)
    found = Found(
        inputs=files,
        names=names,
        labels=[part[-2] for part in parts],
        title=path.name,
        split=[side(part[0]) or "" for part in parts] if has_split else None,
        split_rule="train and test by the names of the folders",
        note=_left_out({f"{_CALLED[kind]} outside a class": outside, f"files that are no {_CALLED[kind]}": others}),
    )
    if kind == "audio":
        found.inputs, found.rates = waves.all_decoded(files, names)
    return found


def _left_out(counts: dict[str, int]) -> str:
    return "; ".join(f"{what} left out: {count:,}" for what, count in counts.items() if count)


def _is(file: Path, kind: Kind) -> bool:
    return file.suffix.lower() in (pictures.SUFFIXES if kind == "images" else waves.SUFFIXES)


def _entries(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Files and folders below a folder in the order of their names, through links too."""
    above |= {folder.resolve()}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if not entry.exists():
            raise DataError("a link to nothing", source=entry)
        yield entry
        if entry.is_dir():
            if entry.resolve() in above:
                raise DataError("a link that leads back to a folder that it is in", source=entry)
            yield from _entries(entry, above)
