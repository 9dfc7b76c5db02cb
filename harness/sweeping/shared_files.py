"""Small files that the processes which sweep a results folder tell each other things by, wherever the folder is.

Of a file system, a network's included, nothing is asked but that making a file with O_CREAT and O_EXCL is one step. On
an object store they are objects, and making one is a put that is refused where there is one already.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Protocol

from harness.records.files import make_own_folder, open_own
from harness.records.object_store import ObjectStore
from harness.records.working_copy import store_of
from harness.sweeping.progress import STATE

#: Characters at most in such a file.
_LONGEST = 4096


class SharedFiles(Protocol):
    """Files of text in folders of `STATE`, named FOLDER/FILE. Every method raises OSError where that cannot be done."""

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder; none where there is no such folder."""

    def read(self, name: str) -> str:
        """Raises FileNotFoundError where there is no such file, ValueError where it is not text."""

    def create(self, name: str, content: str) -> None:
        """Make a file that must not exist yet; raises FileExistsError where it does."""

    def renew(self, name: str, content: str) -> None:
        """Write a file again, with as many characters; it is made where it has gone, unless the results have too."""

    def remove(self, name: str) -> None:
        """Remove a file."""

    def age_s(self, name: str) -> float:
        """Seconds since a file was written, by the clock of whoever keeps it."""


def shared_files(results: Path) -> SharedFiles:
    """Those of a results folder."""
    store = store_of(results)
    return LocalFiles(results) if store is None else StoredFiles(store)


class LocalFiles:
    """Files in a folder of a file system; methods as `SharedFiles` has them."""

    def __init__(self, results: Path) -> None:
        self.results = results

    def path(self, name: str) -> Path:
        return self.results / STATE / name

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(self.path(folder)))
        except OSError:
            return []

    def read(self, name: str) -> str:
        with open_own(self.path(name), "r") as file:
            return file.read(_LONGEST)

    def create(self, name: str, content: str) -> None:
        path = self.path(name)
        for attempt in range(3):
            try:
                make_own_folder(path.parent.parent)
                make_own_folder(path.parent)
                with open_own(path, "x") as file:
                    file.write(content)
                return
            except FileNotFoundError:  # whoever left last has removed the empty folder just then
                if attempt == 2:
                    raise

    def renew(self, name: str, content: str) -> None:
        path = self.path(name)
        if path.exists():
            # In place: a client of a network file system sees the change when it opens the file again, where it
            # might take a file that is renamed to this name for the one it knows.
            with open_own(path, "r+") as file:
                file.write(content)
        elif self.results.is_dir():
            self.create(name, content)

    def remove(self, name: str) -> None:
        self.path(name).unlink()

    def age_s(self, name: str) -> float:
        return time.time() - self.path(name).stat().st_mtime


class StoredFiles:
    """Objects of a store; methods as `SharedFiles` has them."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def names(self, folder: str) -> list[str]:
        return sorted(name.rpartition("/")[2] for name in self.store.listed(f"{STATE}/{folder}"))

    def read(self, name: str) -> str:
        return self.store.read(f"{STATE}/{name}").decode()[:_LONGEST]

    def create(self, name: str, content: str) -> None:
        self.store.create(f"{STATE}/{name}", content.encode())

    def renew(self, name: str, content: str) -> None:
        self.store.write(f"{STATE}/{name}", content.encode())

    def remove(self, name: str) -> None:
        self.store.remove([f"{STATE}/{name}"])

    def age_s(self, name: str) -> float:
        changed = self.store.stamp(f"{STATE}/{name}").changed
        return 0.0 if changed is None else time.time() - changed
