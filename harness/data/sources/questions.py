"""Questions with choices from the columns that benchmarks have: MMLU, ARC, HellaSwag, PIQA and their like."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from harness.data.dataset import Question
from harness.data.sources.answers import Asked, right_choices
from harness.data.sources.cells import as_text, is_listed, is_missing
from harness.errors import DataError

#: Usual names of the columns of questions, of lists of choices, and of the right answer.
QUESTIONS = ("question", "ctx", "goal", "query", "prompt")
CHOICES = ("choices", "endings", "options")
ANSWERS = ("answer", "label", "answerKey", "target", "gold")


def questions(
    texts: Sequence[Any], choices: Mapping[str, Sequence[Any]], answers: Sequence[Any], names: Sequence[str]
) -> list[Question]:
    """The questions of n rows.

    Args:
        texts: the questions; n cells.
        choices: by the name of its column, n cells with a choice each; or one column of n lists of choices, or of n
            mappings of `text` and `label`, the lists of choices and of what they are called.
        answers: the right ones, as `answers.right_choices` reads them.
        names: where each row is from, for errors.

    Raises:
        DataError: fewer than two choices, lists of unequal length, or answers that cannot be read; names the row.
    """
    rows = [
        Asked(*_choices(dict(zip(choices, cells, strict=True)), name), answer, name)
        for *cells, answer, name in zip(*choices.values(), answers, names, strict=True)
    ]
    return [
        Question(as_text(text), row.choices, right)
        for text, row, right in zip(texts, rows, right_choices(rows), strict=True)
    ]


def _choices(cells: Mapping[str, Any], name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Choices and their labels, or ()."""
    (column, cell), *others = cells.items()
    if others:
        for column, cell in cells.items():
            if is_listed(cell) or isinstance(cell, Mapping):
                problem = f"column {column} holds a list, and {' and '.join(c for c in cells if c != column)} another"
                wanted = "one column of lists, or a column for each choice"
                raise DataError(
                    f"{problem} choice; data.input_columns has {wanted} after that of questions", source=name
                )
        return tuple(map(as_text, cells.values())), ()
    if is_missing(cell):
        raise DataError(f"no choices (column {column} is empty)", source=name)
    texts, labels = (cell.get("text"), cell.get("label", ())) if isinstance(cell, Mapping) else (cell, ())
    if texts is None or not is_listed(texts) or not is_listed(labels):
        wanted = "a list of choices, or a mapping of two lists, text and label"
        raise DataError(f"column {column} holds {reprlib.repr(cell)}; wanted is {wanted}", source=name)
    written, called = tuple(map(as_text, texts)), tuple(map(as_text, labels))
    if len(written) < 2:
        raise DataError(f"{len(written)} choice{'s' * (len(written) != 1)}; wanted are at least 2", source=name)
    if called and len(called) != len(written):
        raise DataError(f"{len(called)} labels for {len(written)} choices", source=name)
    if len(set(called)) < len(called):
        raise DataError(f"two choices are called alike, {', '.join(called)}", source=name)
    return written, called
