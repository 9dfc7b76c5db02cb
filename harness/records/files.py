"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from harness.errors import UnwritableError

#: What `write_whole` calls a file that is not complete; no other program's file matches it.
_UNFINISHED = re.compile(r"\..+\.(?P<pid>\d+)\.harness\.tmp")


def file_name(name: str, signs: str = "-_=.") -> str:
    """A name as that of a file or folder: users name studies, subtasks and metrics, and none may leave its folder.

    Args:
        signs: what is kept beside letters and digits; all else becomes an underscore.
    """
    return "".join(letter if letter.isalnum() or letter in signs else "_" for letter in name).lstrip(".") or "_"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, its folder made where it does not exist.

    Raises:
        UnwritableError: it cannot be written (no permission, disk full, ...); what stood at `path` before still does.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.harness.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise UnwritableError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove from a folder, not from those inside it, what `write_whole` had not completed when its process died."""
    for path in folder.glob(".*.tmp"):
        if (ours := _UNFINISHED.fullmatch(path.name)) and not _alive(int(ours["pid"])):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True
