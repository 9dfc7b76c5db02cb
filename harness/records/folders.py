"""Where results folders are: by path, by name under ./results, or by URL on an object store."""

from __future__ import annotations

from pathlib import Path

from harness.errors import DataError, nearest
from harness.records.object_store import is_url
from harness.records.working_copy import copy_of, working_copy

#: Where results folders are looked for by name.
RESULTS = Path("results")


def is_results(path: Path | str) -> bool:
    """Whether a path means a results folder rather than a file."""
    return is_url(path) or (bool(str(path)) and (Path(path).is_dir() or (RESULTS / path).is_dir()))


def find_folder(path: Path | str) -> Path:
    """The results folder that `path` means: a folder, the name of one under ./results, or the copy of a URL's.

    Raises:
        DataError: there is none.
        UserError: a URL that cannot be used, or a store that cannot be asked.
    """
    if not str(path).strip():
        raise DataError("the name of a results folder is empty")
    named, path = path, working_copy(str(path)) if is_url(path) else path
    for found in (Path(path), RESULTS / path):
        if found.is_dir():
            return _fetched(found, named)
    if Path(path).is_file():
        raise DataError(f"{path}: is a file, and a results folder is wanted{_around(Path(path))}")
    known = [folder.name for folder in RESULTS.glob("*") if folder.is_dir()]
    raise DataError(f"{path}: no such results folder{nearest(str(path), known)}")


def _around(file: Path) -> str:
    """The folder that a file of results lies in, as what may be meant."""
    return f"; did you mean {file.parent}?" if file.name.startswith(("runs.", "measurements.")) else ""


def _fetched(folder: Path, named: Path | str) -> Path:
    """A results folder; of a working copy of one on an object store, with all runs that are there now."""
    if copy_of(folder) is not None:
        from harness.records.pieces import pull_runs  # few results are on an object store

        pull_runs(folder)
        if not any(folder.iterdir()):
            raise DataError(f"{named}: no results there; `harness sweep experiment=NAME` makes them")
    return folder
