"""An object store as results need it: objects that appear whole, and some that only one process can make.

Stores differ in what they call an error. Here each is an OSError whose text is a line for people, FileNotFoundError and
FileExistsError where these are meant.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.errors import SettingError, UserError

#: Scheme of a URL -> the package that opens it; None where fsspec does so alone.
PACKAGES: Mapping[str, str | None] = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "memory": None,  # of one process, for tests
}

_ONE_SLASH = re.compile(r"(?P<scheme>[A-Za-z0-9]+):/?(?!/)")
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<place>.*)", re.DOTALL)

#: Objects that are asked for at once, so that memory is bounded by as many pieces.
_TOGETHER = 256


def is_url(path: Path | str) -> bool:
    """Whether a results folder is named by a URL.

    Raises:
        SettingError: it is meant to be, and a slash is missing.
    """
    if not isinstance(path, str):
        return False
    if (meant := _ONE_SLASH.match(path)) is not None and meant["scheme"].lower() in PACKAGES:
        raise SettingError("results", path, f"a folder, or {meant['scheme']}://BUCKET/PATH with two slashes")
    return _URL.fullmatch(path) is not None


@dataclass(frozen=True)
class Stamp:
    """What tells an object from another of its name.

    Attributes:
        tag: changes with every writing.
        changed: when it was written, by the store's clock, in seconds since the epoch; None where the store does not
            say.
    """

    tag: str
    changed: float | None


@dataclass(frozen=True)
class ObjectStore:
    """The objects below one URL; names are relative to it.

    Attributes:
        url: without a slash at its end.
    """

    url: str

    @classmethod
    def at(cls, url: str) -> ObjectStore:
        """The store that a URL names.

        Raises:
            SettingError: its scheme is not known, or it names no bucket.
            UserError: the package of its scheme is not installed.
        """
        found = _URL.fullmatch(url)
        scheme, place = (found["scheme"].lower(), found["place"].strip("/")) if found else ("", "")
        if scheme not in PACKAGES:
            known = ", ".join(f"{name}://" for name, package in PACKAGES.items() if package)
            raise SettingError("results", url, f"a folder, or a URL of {known}")
        if "/" not in place or "?" in place or "#" in place or ".." in place.split("/"):
            raise SettingError("results", url, f"{scheme}://BUCKET/PATH, without ?, # and ..")
        store = cls(f"{scheme}://{place}")
        try:
            _ = store.filesystem
        except ImportError:
            package, extra = PACKAGES[scheme], "'scaling-harness[s3]'" if scheme == "s3" else PACKAGES[scheme]
            raise UserError(f"results={url}: needs the package {package}, pip install {extra}") from None
        return store

    @property
    def filesystem(self) -> Any:
        """Asked for anew each time: fsspec keeps one for each process, for none survives a fork."""
        import fsspec

        return fsspec.filesystem(self.url.partition(":")[0], use_listings_cache=False)

    @property
    def _root(self) -> str:
        return self.url.partition("://")[2] if not self.url.startswith("memory:") else f"/{self.url[9:]}"

    def check(self) -> None:
        """Raise UserError where the store cannot be asked, for want of credentials or a bucket, say."""
        try:
            with self._errors():
                with suppress(FileNotFoundError):  # nothing is below the URL yet
                    self.filesystem.ls(self._root, detail=False)
                    return
                if not self.url.startswith("memory:"):
                    self.filesystem.ls(self._root.partition("/")[0], detail=False)
        except FileNotFoundError:
            raise UserError(f"results={self.url}: there is no bucket {self._root.partition('/')[0]}") from None
        except PermissionError as error:
            if self._root.count("/"):  # a user may be allowed to see a part of a bucket alone
                return
            raise UserError(f"results={self.url}: {error.strerror}") from None
        except OSError as error:
            raise UserError(f"results={self.url}: {error.strerror}") from None

    def check_creates(self, name: str) -> None:
        """Make an object for a moment, and see that it cannot be made twice.

        Raises:
            OSError: it cannot be made.
            UserError: the store makes it twice, so that no process can claim a run there.
        """
        self.create(name, b"")
        try:
            self.create(name, b"")
        except FileExistsError:
            return
        finally:
            self.remove([name])
        raise UserError(f"results={self.url}: this store makes an object that exists, so no run can be claimed")

    def listed(self, folder: str, below: bool = False) -> dict[str, Stamp]:
        """The objects in a folder, and `below` it in others, by name; none where there is no such folder."""
        place = f"{self._root}/{folder}".rstrip("/")
        with self._errors():
            try:
                fs = self.filesystem
                found = fs.find(place, detail=True).values() if below else fs.ls(place, detail=True)
            except FileNotFoundError:
                return {}
        start = len(self._root) + 1
        return {
            info["name"][start:]: _stamp(info)
            for info in found
            if info["type"] == "file" and info["name"].startswith(f"{place}/") and info["name"] != f"{place}/"
        }

    def stamp(self, name: str) -> Stamp:
        """Raises FileNotFoundError where there is no such object."""
        with self._errors():
            return _stamp(self.filesystem.info(f"{self._root}/{name}"))

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError where there is no such object."""
        with self._errors():
            return bytes(self.filesystem.cat_file(f"{self._root}/{name}"))

    def read_many(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Many objects, asked for side by side; without those that have gone meanwhile."""
        left = list(names)
        while left:
            paths, left = [f"{self._root}/{name}" for name in left[:_TOGETHER]], left[_TOGETHER:]
            with self._errors():
                found = self.filesystem.cat(paths, on_error="return")
                for failed in (each for each in found.values() if isinstance(each, Exception)):
                    if not isinstance(failed, FileNotFoundError):
                        raise failed
            for path, content in found.items():
                if isinstance(content, bytes):
                    yield path[len(self._root) + 1 :], content

    def write(self, name: str, content: bytes) -> None:
        """Put an object in place of whatever has its name."""
        with self._errors():
            self.filesystem.pipe_file(f"{self._root}/{name}", content)

    def upload(self, name: str, path: Path) -> None:
        """The same with a file, which may be larger than memory."""
        with self._errors():
            self.filesystem.put_file(str(path), f"{self._root}/{name}")

    def download(self, name: str, path: Path) -> None:
        """Raises FileNotFoundError where there is no such object."""
        with self._errors():
            self.filesystem.get_file(f"{self._root}/{name}", str(path))

    def create(self, name: str, content: bytes) -> None:
        """Make an object that must not exist yet: of several processes that try, one does.

        Raises:
            FileExistsError: it exists.
        """
        try:
            with self._errors():
                self.filesystem.pipe_file(f"{self._root}/{name}", content, mode="create")
        except FileExistsError:
            raise
        except OSError as error:
            if "condition" in str(error.strerror):  # S3's answer to one of two that try at the same moment
                raise FileExistsError(errno.EEXIST, error.strerror, self.url) from None
            raise

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects, those that have gone meanwhile excepted."""
        with self._errors():
            for name in names:
                with suppress(FileNotFoundError, KeyError):
                    self.filesystem.rm_file(f"{self._root}/{name}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Whatever a store's package raises, as an OSError of one line."""
        try:
            yield
        except Exception as error:
            text = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
            raise OSError(_number(error), text, self.url) from error  # of the kind that its number says


def _number(error: Exception) -> int:
    numbers = {FileNotFoundError: errno.ENOENT, FileExistsError: errno.EEXIST, PermissionError: errno.EACCES}
    return next((number for kind, number in numbers.items() if isinstance(error, kind)), errno.EIO)


def _stamp(info: Mapping[str, Any]) -> Stamp:
    changed = next(
        (info[name] for name in ("LastModified", "last_modified", "updated", "created") if name in info), None
    )
    if isinstance(changed, str):
        with suppress(ValueError):
            changed = datetime.fromisoformat(changed)
    if isinstance(changed, datetime):
        changed = changed.timestamp()
    tag = next((info[name] for name in ("ETag", "etag") if name in info), changed)
    return Stamp(f"{tag} {info.get('size')}", changed if isinstance(changed, float) else None)
