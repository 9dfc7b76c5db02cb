"""One sweep a results folder: a lock that the kernel drops when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import UserError
from harness.records.files import make_own_folder, open_own, remove_unfinished
from harness.records.writer import PIECES
from harness.sweeping.progress import STATE, remove_progress


@contextmanager
def locked(results: Path) -> Iterator[None]:
    """Hold a results folder; what a killed sweep left half done is cleared away first.

    A folder that was made for it, and that nothing was written into, is removed in the end.

    Raises:
        UserError: another process holds it, or the folder cannot be written.
    """
    path = results / STATE / "lock"
    new = [folder for folder in (results, *results.parents) if not folder.exists()]
    try:
        make_own_folder(path.parent)
        file = open_own(path, "a+")  # held for as long as the lock
    except OSError as error:
        raise UserError(f"{results} cannot be written: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(f"{results} is in use by another harness, process {file.read()}") from None
        except OSError as error:
            raise UserError(f"{results} cannot be locked: {error.strerror}") from error
        if os.fstat(file.fileno()).st_nlink == 0:  # its last holder has removed the folder meanwhile
            raise UserError(f"{results} was in use by another harness; try again")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        _clear(results)
        try:
            yield
        finally:
            _clear(results)
            if new:
                _remove_empty(path, new)


def _remove_empty(lock: Path, folders: list[Path]) -> None:
    """Remove a lock and the folders made for it, innermost first, where they hold nothing else."""
    if {file for file in folders[0].rglob("*") if file.is_file()} == {lock}:
        lock.unlink()
        with suppress(OSError):  # one that holds something after all
            for folder in (lock.parent, *folders):
                folder.rmdir()


def holder(results: Path) -> int | None:
    """Process id of whoever holds a results folder; None where nobody does."""
    try:
        with open_own(results / STATE / "lock", "r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0)
    except (OSError, ValueError):
        pass
    return None


def _clear(results: Path) -> None:
    """Remove the progress of jobs that run no more, and files whose writer died before they were complete.

    Nothing else: `results` may be a folder with a user's own files in it.
    """
    remove_progress(results)
    pieces = results / PIECES
    for folder in (results, *([] if pieces.is_symlink() else [pieces])):
        remove_unfinished(folder)
