"""Plain text: a file of paragraphs, or a folder of documents."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from harness.data.dataset import Kind
from harness.data.settings import DataSettings
from harness.data.sources.found import Found, side
from harness.errors import DataError


def fits(path: Path, kind: Kind) -> bool:
    """Text is read from anything."""
    return kind == "text"


def read(path: Path, settings: DataSettings, kind: Kind) -> Found:
    """Each paragraph of a file, which blank lines set apart, or each file in a folder and the folders in it.

    Texts are the bytes of the files: ends of lines, CRLF too, and a byte order mark stay as they are.

    Folders ``train`` and ``test`` (or eval, validation) in the folder make the split. Hidden files are left out.

    Raises:
        DataError: a file is not UTF-8, or cannot be read.
    """
    if path.is_file():
        paragraphs = list(_paragraphs(_text(path)))
        names = [f"{path.name}, line {line}" for line, _ in paragraphs]
        return Found(inputs=[text for _, text in paragraphs], names=names, title=path.stem)
    files = sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p.relative_to(path)))
    names = [file.relative_to(path).as_posix() for file in files]
    split = [side(name.partition("/")[0]) if "/" in name else None for name in names]
    return Found(
        inputs=[_text(file) for file in files],
        names=names,
        title=path.name,
        split=[one or "" for one in split] if all(split) and len(set(split)) > 1 else None,
        split_rule="train and test by the names of the folders",
    )


def _paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """The number of its first line, from 1, and the text of each."""
    number = 1
    for blank, lines in itertools.groupby(text.splitlines(keepends=True), key=lambda line: not line.strip()):
        paragraph = list(lines)
        if not blank:
            yield number, "".join(paragraph)
        number += len(paragraph)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError as error:
        row = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(f"line {row} is not UTF-8", source=file) from error
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or error})", source=file) from error
