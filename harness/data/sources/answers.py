"""Which choice is right: a column of answers is read in one way for all of its rows.

An answer may be the label of a choice, its place from 0, its letter from A, or its text. Choices may be numbers or
letters themselves, so that one cell can mean two things; what it means is decided by the whole column, and in the same
way for every format of files. A column that can be read throughout in two ways that differ is refused.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.data.sources.cells import as_text, is_missing
from harness.errors import DataError

#: A whole number as it is written, with the zeros that a table of numbers with gaps puts after it.
_WHOLE = re.compile(r"(0|[1-9][0-9]*)(?:\.0+)?")


@dataclass(frozen=True)
class Asked:
    """The choices of a row and the answer as it is written.

    Attributes:
        choices: as text, two or more.
        labels: what they are called, where the row says so, else ().
        answer: the cell.
        name: where the row is from.
    """

    choices: tuple[str, ...]
    labels: tuple[str, ...]
    answer: Any
    name: str


def right_choices(rows: Sequence[Asked]) -> list[int]:
    """The right choice of each row, from 0.

    Labels that rows give are what answers mean wherever all answers are among them. Otherwise a column holds places,
    letters or texts.

    Raises:
        DataError: an answer that is missing or none of the choices, a column that mixes places, letters and texts, or
            one that can be read in two ways which differ; with file and row.
    """
    for row in rows:
        if is_missing(row.answer):
            raise DataError(f"no answer; allowed is {_allowed(row)}", source=row.name)
    if rows and None not in (labelled := [_among(row.labels, row) for row in rows]):
        return [place for place in labelled if place is not None]
    readings = {what: [read(row) for row in rows] for what, read in _READINGS.items()}
    whole = {what: [one for one in found if one is not None] for what, found in readings.items() if None not in found}
    if not whole:
        raise _mixed(rows, readings)
    (first, chosen), *others = whole.items()
    for what, other in others:
        for row, one, two in zip(rows, chosen, other, strict=True):
            if one != two:
                means = f"choice {row.choices[one]!r} if answers are {first}, and {row.choices[two]!r} if {what}"
                problem = f"answer {as_text(row.answer)!r} means {means}, and all rows can be read in both ways"
                raise DataError(f"{problem}; {_REMEDY[first]}", source=row.name)
    return chosen


def _place(row: Asked) -> int | None:
    found = _WHOLE.fullmatch(as_text(row.answer))
    return int(found[1]) if found and len(found[1]) < 9 and int(found[1]) < len(row.choices) else None


def _letter(row: Asked) -> int | None:
    return _among(tuple(string.ascii_uppercase[: len(row.choices)]), row)


def _text(row: Asked) -> int | None:
    return _among(row.choices, row)


def _among(names: tuple[str, ...], row: Asked) -> int | None:
    """Where the answer stands among names; 3.0 is 3 where there is no 3.0."""
    word = as_text(row.answer)
    for written in (word, found[1] if (found := _WHOLE.fullmatch(word)) else word):
        if written in names:
            return names.index(written)
    return None


#: What answers may be besides labels -> how a row is read so. The first two never both hold.
_READINGS = {"places from 0": _place, "letters": _letter, "texts": _text}
#: How to write answers that could be of this kind and texts alike.
_REMEDY = {"places from 0": "write answers as letters from A", "letters": "write answers as numbers from 0"}


def _mixed(rows: Sequence[Asked], readings: dict[str, list[int | None]]) -> DataError:
    """Of the first row that cannot be read at all, else of the first that is not read as most are."""
    for i, row in enumerate(rows):
        if all(found[i] is None for found in readings.values()):
            problem = f"answer {row.answer!r} is none of the {len(row.choices)} choices; allowed is {_allowed(row)}"
            return DataError(problem, source=row.name)
    counts = {what: sum(place is not None for place in found) for what, found in readings.items()}
    most = max(counts, key=lambda what: counts[what])
    i = readings[most].index(None)
    problem = (
        f"answer {as_text(rows[i].answer)!r} is none of the {most} that {counts[most]:,} of {len(rows):,} answers are"
    )
    return DataError(f"{problem}; wanted is one kind of answer in all rows", source=rows[i].name)


def _allowed(row: Asked) -> str:
    n = len(row.choices)
    last = string.ascii_uppercase[:n][-1]
    return f"a number from 0 to {n - 1}, a letter from A to {last}, or a choice as it is written"
