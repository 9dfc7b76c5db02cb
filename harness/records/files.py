"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
import time
from pathlib import Path
from typing import IO

from harness.errors import UnwritableError
from harness.records.machine import MACHINE, is_running

#: What `write_whole` calls a file that is not complete; no other program's file matches it. Without a machine: the name
#: that an earlier harness gave it.
_UNFINISHED = re.compile(r"\..+?(\.(?P<machine>[0-9a-f]{8}))?\.(?P<pid>\d+)\.harness\.tmp")
#: Seconds after which a file that is not complete is not being written any more, wherever its writer runs.
_ABANDONED_S = 24 * 3600

#: Bytes of a name that stand in that of its file. Four names in one, with what `write_whole` adds meanwhile, are within
#: the 255 that file systems allow.
_MOST_BYTES = 43
#: What `file_name` adds to a name that it has changed.
_DIGEST = re.compile(r"-[0-9a-f]{10}")


def file_name(*names: str, dots: bool = False) -> str:
    """Names as that of a file or folder: users name studies, subtasks and metrics, and none may leave its folder.

    Different names give different files. A name of letters, digits, ``-``, ``_`` and ``=`` stands as it is; of any
    other, or of a long one, as much as can, and a digest of the whole.

    Args:
        names: joined by dots.
        dots: whether a single name keeps its own.
    """
    return ".".join(_part(name, "-_=." if dots else "-_=") for name in names)


def _part(name: str, signs: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in signs else "_" for letter in name).lstrip(".")
    kept = kept.encode()[:_MOST_BYTES].decode(errors="ignore")
    if kept == name != "" and not _DIGEST.fullmatch(name[-11:]):
        return name
    return f"{kept or '_'}-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:10]}"


def open_own(path: Path, mode: str) -> IO[str]:
    """Open a file of a results folder for text, not through a link: whoever made the folder may have put one there.

    Raises:
        OSError: as `open` does; also where `path`, or the folder that it lies in, is a symbolic link, or `path` is no
            regular file.
    """
    return open(path, mode, opener=_no_link)


def check_is_file(path: Path) -> None:
    """Raise OSError unless `path` leads to a regular file: whoever reads a pipe waits for ever."""
    _check_regular(os.stat(path), path)


def _check_regular(found: os.stat_result, path: Path) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "a pipe or a device; a file is wanted", str(path))


def make_own_folder(folder: Path) -> None:
    """Make a folder inside a results folder, where it does not exist.

    Raises:
        OSError: it cannot be made, or is a symbolic link, so that what is written there would be elsewhere.
    """
    if folder.is_symlink():
        raise _is_link(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, f"{folder.name} is no folder", str(folder)) from None


def _no_link(path: str, flags: int) -> int:
    if os.path.islink(path):
        raise _is_link(Path(path))
    if os.path.islink(folder := os.path.dirname(path)):
        raise _is_link(Path(folder))
    # Without O_NONBLOCK a pipe would be waited for here already.
    descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)
    try:
        _check_regular(os.fstat(descriptor), Path(path))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _is_link(path: Path) -> OSError:
    return OSError(errno.ELOOP, f"{path.name} is a symbolic link", str(path))


def write_whole(path: Path, content: bytes, lasting: bool = True) -> None:
    """Write a file that is there whole or not at all, its folder made where it does not exist.

    Args:
        lasting: whether it is to survive a loss of power, for which the disk is waited for.

    Raises:
        UnwritableError: it cannot be written (no permission, disk full, ...); what stood at `path` before still does.
    """
    temporary = path.with_name(f".{path.name}.{MACHINE}.{os.getpid()}.harness.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        with open(temporary, "xb") as file:  # never through a link of that name
            file.write(content)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if lasting:
            sync_folder(path.parent)
    except OSError as error:
        raise UnwritableError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, so that a file that was renamed into it survives a loss of power.

    Raises:
        OSError: the disk refuses.
    """
    if os.name != "posix":  # where a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_unfinished(folder: Path) -> None:
    """Remove from a folder, not from those inside it, what `write_whole` had not completed when its process died.

    Whether a process of another machine lives cannot be known: its files go when they are a day old.
    """
    for path in folder.glob(".*.tmp"):
        if ours := _UNFINISHED.fullmatch(path.name):
            with contextlib.suppress(OSError):
                is_here = ours["machine"] in (None, MACHINE)
                if not is_running(int(ours["pid"])) if is_here else time.time() - path.stat().st_mtime > _ABANDONED_S:
                    path.unlink(missing_ok=True)
