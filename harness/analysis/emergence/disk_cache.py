"""Arrays that cost more to compute than to read, kept in files between processes.

They lie in `harness.cache_folder`. A file's name is a hash of all that its arrays follow from: what was asked for, the
code of this package and its constants as they are set now, the version of numpy and the kind of processor. So no file
is ever out of date, and one that cannot be read is as good as none.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from zipfile import BadZipFile

import numpy as np

from harness.cache_folder import cache_folder
from harness.code_digest import code_digest

#: Files kept; the least recently used go first.
MAX_FILES = 400


def kept(by: str, asked: object, make: Callable[[], Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
    """The arrays that `make` gives, from a file where there is one.

    Args:
        by: name of the module that makes them. Its constants count, and those of the modules that it imports from.
        asked: what the arrays follow from, beside code and constants; its `repr` tells it from all others.
    """
    if (folder := cache_folder()) is None:
        return make()
    path = folder / f"{_hash(repr((asked, _constants(by))), _code())}.npz"
    try:
        with np.load(path, allow_pickle=False) as held:
            found: Mapping[str, np.ndarray] = dict(held)
        with suppress(OSError):
            os.utime(path)  # so that it counts as used
        return found
    except (OSError, ValueError, EOFError, BadZipFile):
        found = make()
        # A folder that cannot be written costs time, not results.
        with suppress(OSError):
            _write(path, found)
        return found


def _write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Another process sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            np.savez(file, allow_pickle=False, **arrays)
            file.close()
            os.replace(file.name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(file.name)
            raise
    oldest_first = sorted(path.parent.glob("*.npz"), key=lambda each: each.stat().st_mtime)
    for old in oldest_first[:-MAX_FILES]:
        old.unlink(missing_ok=True)


def _code() -> bytes:
    """The sources of this package, and what else decides the last digit of a number."""
    about = f"{np.__version__} {sys.version} {platform.machine()}"
    return f"{code_digest(Path(__file__).parent)} {about}".encode()


def _constants(module: str) -> list[tuple[str, str, str]]:
    """Constants behind a module, as they are now: tests and studies set some of them."""
    return [
        (behind, name, repr(value))
        for behind in _modules_behind(module)
        for name, value in sorted(vars(sys.modules[behind]).items())
        if name.isupper() and isinstance(value, int | float | str | tuple | dict)
    ]


@cache
def _modules_behind(module: str) -> list[str]:
    """A module and those of this package whose functions, classes or selves it imports, and theirs."""
    found: set[str] = set()
    left = [module]
    while left:
        found.add(name := left.pop())
        for value in vars(sys.modules[name]).values():
            origin = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if isinstance(origin, str) and origin.startswith(f"{__package__}.") and origin not in found:
                left.append(origin)
    return sorted(found)


def _hash(text: str, code: bytes) -> str:
    return hashlib.sha256(text.encode() + code).hexdigest()[:40]
