"""A hash of source files: what code has made and kept is used by the same code alone."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path


@cache
def code_digest(*places: Path, kinds: tuple[str, ...] = ("py",)) -> str:
    """SHA-256 of files, and of the files of some kinds below folders; what is not there counts as empty."""
    digest = hashlib.sha256()
    for place in places:
        inside = sorted(path for kind in kinds for path in place.rglob(f"*.{kind}")) if place.is_dir() else [place]
        for path in inside:
            digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def digest_with(*classes: type) -> str:
    """`code_digest` of the harness, and of the files that some classes stand in, which may be a user's own."""
    return code_digest(Path(__file__).parent, *_files(classes))


def digest_of(*classes: type) -> str:
    """`code_digest` of the files that some classes stand in."""
    return code_digest(*_files(classes))


def _files(classes: Iterable[type]) -> list[Path]:
    files = (getattr(sys.modules[cls.__module__], "__file__", None) for cls in classes)
    return list(map(Path, filter(None, files)))
