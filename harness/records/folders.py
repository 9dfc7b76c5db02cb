"""Where results folders are: by path, or by name under ./results."""

from __future__ import annotations

from pathlib import Path

from harness.errors import DataError, nearest

#: Where results folders are looked for by name.
RESULTS = Path("results")


def is_results(path: Path | str) -> bool:
    """Whether a path means a results folder rather than a file."""
    return bool(str(path)) and (Path(path).is_dir() or (RESULTS / path).is_dir())


def find_folder(path: Path | str) -> Path:
    """The results folder that `path` means: a folder, or the name of one under ./results.

    Raises:
        DataError: there is none.
    """
    if not str(path).strip():
        raise DataError("the name of a results folder is empty")
    for found in (Path(path), RESULTS / path):
        if found.is_dir():
            return found
    if Path(path).is_file():
        raise DataError(f"{path}: is a file, and a results folder is wanted{_around(Path(path))}")
    known = [folder.name for folder in RESULTS.glob("*") if folder.is_dir()]
    raise DataError(f"{path}: no such results folder{nearest(str(path), known)}")


def _around(file: Path) -> str:
    """The folder that a file of results lies in, as what may be meant."""
    return f"; did you mean {file.parent}?" if file.name.startswith(("runs.", "measurements.")) else ""
