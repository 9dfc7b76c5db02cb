"""Working copies of results folders that are on an object store.

A copy is an ordinary results folder in the harness's cache folder, so that whoever works in it keeps its paths; its
path says which store it is of, in any process. What others need is put into the store when it is written, and fetched
before it is read; of a folder that is no copy nothing is. Of runs and tables the store has the truth, and the copy may
be removed at any time; states of training may be newer in the copy.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path

from harness.cache_folder import cache_folder
from harness.errors import UnwritableError, UserError, warn_of_runs
from harness.records.files import make_own_folder, write_whole
from harness.records.machine import MACHINE
from harness.records.object_store import ObjectStore
from harness.wording import counted

#: Where copies are, in the cache folder: a folder for each URL, which holds the copy and the two files below.
_COPIES = "object_stores"
#: Which store it is; and which objects the copy has, by `_Have`.
_NOTE, _INDEX = "store.json", "index.json"
#: Beside a copy, the runs that it had and that have gone from the store.
_GONE = "gone"

#: name -> the tag of the object that a file of the copy is of, and the file's size in bytes and time of change in ns.
_Have = dict[str, list[str | int]]


def working_copy(url: str) -> Path:
    """The working copy of the results at a URL; made where there is none, and nothing is fetched yet.

    Raises:
        UserError: a URL that cannot be used, a store that cannot be asked, or no cache folder.
    """
    store = ObjectStore.at(url)
    _check(store.url)
    if (cache := cache_folder()) is None:
        raise UserError(f"results={url}: needs a folder for its working copy, and HARNESS_CACHE is empty")
    home = cache.absolute() / _COPIES / hashlib.sha256(store.url.encode()).hexdigest()[:16]
    if not (home / _NOTE).exists():
        write_whole(home / _NOTE, json.dumps({"url": store.url}).encode())
    copy = home / (store.url.rpartition("/")[2].lstrip(".") or "results")
    try:
        make_own_folder(copy)
    except OSError as error:
        raise UnwritableError(f"{copy} cannot be written: {error.strerror or error}") from error
    return copy


@lru_cache
def _check(url: str) -> None:
    ObjectStore(url).check()


def copy_of(path: Path) -> tuple[ObjectStore, Path] | None:
    """The store, and its working copy, that a folder or file is in; None for any other."""
    parts = path.parts
    if _COPIES not in parts or len(parts) < (start := parts.index(_COPIES)) + 3:
        return None
    url = _url(Path(*parts[: start + 2]))
    return None if url is None else (ObjectStore(url), Path(*parts[: start + 3]))


def store_of(results: Path) -> ObjectStore | None:
    """The store of a results folder that is a working copy; None for any other."""
    found = copy_of(results)
    return None if found is None else found[0]


def place_of(results: Path) -> str:
    """Where results are, for people: the URL of a working copy, else the folder."""
    store = store_of(results)
    return str(results) if store is None else store.url


@lru_cache
def _url(home: Path) -> str | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((home / _NOTE).read_text())["url"])
    return None


def pull(folder: Path, names: Collection[str] | None = None, keeps_gone: bool = False) -> None:
    """Fetch the objects of a folder that its copy lacks or has of before; remove those that have gone from the store.

    What this copy has and the store never had stays.

    Args:
        folder: a working copy, or a folder in one; not the folders in it.
        names: of the files; None for all.
        keeps_gone: of a folder of runs, each of which was put into the store before it stood here: those that the store
            lacks have gone from there; they are kept beside the copy, and a warning says so.

    Raises:
        UserError: the store cannot be asked, or the copy not be written.
    """
    if (found := copy_of(folder)) is None:
        return
    store, copy = found
    index = copy.parent / _INDEX
    # Before the store is asked: what is written meanwhile has not gone from there.
    before, here = _read_index(index), set(folder.glob("*.parquet")) if keeps_gone else set()
    with _told(f"{store.url} cannot be read"):
        at_store = {
            copy / name: stamp
            for name, stamp in store.listed(_name(copy, folder)).items()
            if names is None or name.rpartition("/")[2] in names
        }
        have = {copy / name: had for name, had in before.items()}
        wanted = [path for path, stamp in at_store.items() if not _is_of(path, have.get(path), stamp.tag)]
        for name, content in store.read_many(_name(copy, path) for path in wanted):
            path = copy / name
            if not _holds(path, content):
                write_whole(path, content, lasting=False)
            have[path] = [at_store[path].tag, *_size_and_time(path)]
        gone = [path for path in {*have, *here} if path.parent == folder and path not in at_store]
        for path in gone if names is None else [path for path in gone if path.name in names]:
            had = have.pop(path, None)
            if keeps_gone:
                _keep_gone(path, copy.parent / _GONE)
            elif had is not None and _is_of(path, had, had[0]):
                path.unlink(missing_ok=True)
        if keeps_gone and gone:
            told = f"{counted(len(gone), 'run')} of this copy {'is' if len(gone) == 1 else 'are'} in the store no more"
            warn_of_runs(f"{store.url}: {told}, removed or set aside; what there was is in {copy.parent / _GONE}")
        if (now := {_name(copy, path): had for path, had in have.items()}) != before:
            write_whole(index, json.dumps(now).encode(), lasting=False)


def _keep_gone(path: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.replace(path, folder / path.name)


def pull_missing(folder: Path) -> None:
    """Fetch the files of a folder, and of those in it, that its copy does not have at all; raises as `pull`.

    For large files that never change.
    """
    for path in listed(folder):
        if not path.exists():
            pull_large(path)


def pull_large(path: Path, to: Path | None = None) -> bool:
    """Fetch one file, which may be larger than memory; False where the store has none.

    Args:
        to: where it is put; by default where it belongs.

    Raises:
        UserError: as `pull`.
    """
    if (found := copy_of(path)) is None:
        return False
    store, copy = found
    temporary = path.with_name(f".{path.name}.{MACHINE}.{os.getpid()}.harness.tmp")
    with _told(f"{store.url} cannot be read"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            store.download(_name(copy, path), temporary)
            os.replace(temporary, to or path)
        except FileNotFoundError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
    return True


def pull_file(path: Path) -> None:
    """Fetch one file, where the store has it and it differs; raises as `pull`."""
    if (found := copy_of(path)) is not None:
        store, copy = found
        with _told(f"{store.url} cannot be read"), contextlib.suppress(FileNotFoundError):
            content = store.read(_name(copy, path))
            if not _holds(path, content):
                write_whole(path, content, lasting=False)


def push(path: Path) -> None:
    """Put a file of a working copy into the store.

    Raises:
        UnwritableError: that cannot be done.
    """
    if (found := copy_of(path)) is not None:
        store, copy = found
        with _told(f"{store.url} cannot be written"):
            store.upload(_name(copy, path), path)


def push_content(path: Path, content: bytes) -> None:
    """Put into the store what a file of a working copy is about to hold; raises as `push`."""
    if (found := copy_of(path)) is not None:
        store, copy = found
        with _told(f"{store.url} cannot be written"):
            store.write(_name(copy, path), content)


def push_changed(*paths: Path) -> None:
    """Put files of one working copy into the store that are others than what was put there, or fetched; as `push`."""
    if not paths or (found := copy_of(paths[0])) is None:
        return
    store, copy = found
    index = copy.parent / _INDEX
    have = _read_index(index)
    for path in paths:
        name = _name(copy, path)
        if path.exists() and not (name in have and _is_of(path, have[name], have[name][0])):
            push(path)
            with _told(f"{store.url} cannot be read"):
                have[name] = [store.stamp(name).tag, *_size_and_time(path)]
    write_whole(index, json.dumps(have).encode(), lasting=False)


def discard(*paths: Path) -> None:
    """Remove from the store the objects of files that a working copy has removed; raises as `push`."""
    for path in paths:
        if (found := copy_of(path)) is not None:
            store, copy = found
            with _told(f"{store.url} cannot be written"):
                store.remove([_name(copy, path)])


def listed(folder: Path) -> list[Path]:
    """The files that the store has of a folder of a working copy and of those in it; raises as `pull`."""
    if (found := copy_of(folder)) is None:
        return []
    store, copy = found
    with _told(f"{store.url} cannot be read"):
        return [copy / name for name in store.listed(_name(copy, folder), below=True)]


def _read_index(path: Path) -> _Have:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        stated = json.loads(path.read_text())
        if isinstance(stated, dict):
            return {name: had for name, had in stated.items() if isinstance(had, list) and len(had) == 3}
    return {}


def _name(copy: Path, path: Path) -> str:
    """The name of an object, of the file that a working copy has of it."""
    return "" if path == copy else path.relative_to(copy).as_posix()


def _is_of(path: Path, had: list[str | int] | None, tag: str | int) -> bool:
    """Whether a file is that of an object with this tag, as the index has it, and was not touched since."""
    with contextlib.suppress(OSError):
        return had is not None and had == [tag, *_size_and_time(path)]
    return False


def _size_and_time(path: Path) -> list[str | int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _holds(path: Path, content: bytes) -> bool:
    with contextlib.suppress(OSError):
        return path.stat().st_size == len(content) and path.read_bytes() == content
    return False


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwritableError(f"{what}: {error.strerror or error}") from error
