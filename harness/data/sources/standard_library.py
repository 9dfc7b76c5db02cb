"""The sources of Python's standard library, which every machine has."""

from __future__ import annotations

import sysconfig
from pathlib import Path

#: Code that was not written to be read (tables, installers), or that some distributions of Python lack.
LEFT_OUT = {
    "__pycache__", "dist-packages", "distutils", "encodings", "ensurepip", "idlelib", "lib2to3", "pydoc_data",
    "site-packages", "sitecustomize.py", "test", "tests", "tkinter", "turtledemo",
}  # fmt: skip
LEFT_OUT_PREFIXES = ("_sysconfigdata", "config-")


def root() -> Path:
    """The folder of the library."""
    return Path(sysconfig.get_path("stdlib"))


def sources(folder: Path) -> list[Path]:
    """Its files of Python, without those in `LEFT_OUT`."""
    found = []
    for path in folder.iterdir():
        if path.name in LEFT_OUT or path.name.startswith(LEFT_OUT_PREFIXES):
            continue
        if path.is_dir():
            found += sources(path)
        elif path.suffix == ".py":
            found.append(path)
    return found
