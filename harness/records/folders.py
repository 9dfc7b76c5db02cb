"""Where results folders are: by path, or by name under ./results."""

from __future__ import annotations

from pathlib import Path

from harness.errors import DataError, nearest

#: Where results folders are looked for by name.
RESULTS = Path("results")


def is_results(path: Path | str) -> bool:
    """Whether a path means a results folder rather than a file."""
    return Path(path).is_dir() or (RESULTS / path).is_dir()


def find_folder(path: Path | str) -> Path:
    """The results folder that `path` means: a folder, or the name of one under ./results.

    Raises:
        DataError: there is none.
    """
    for found in (Path(path), RESULTS / path):
        if found.is_dir():
            return found
    known = [folder.name for folder in RESULTS.glob("*") if folder.is_dir()]
    raise DataError(f"{path}: no such results folder{nearest(str(path), known)}")
