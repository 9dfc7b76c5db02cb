"""Questions with choices from the columns that benchmarks have: MMLU, ARC, HellaSwag, PIQA and their like."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.data.dataset import Question
from harness.errors import DataError

#: Usual names of the columns of questions, of lists of choices, and of the right answer.
QUESTIONS = ("question", "ctx", "goal", "query", "prompt")
CHOICES = ("choices", "endings", "options")
ANSWERS = ("answer", "label", "answerKey", "target", "gold")


def question(text: Any, cells: Sequence[Any], answer: Any, name: str) -> Question:
    """The question of one row.

    Args:
        text: the question.
        cells: the choices, a cell each; or one cell with a list of them, or with a mapping of `text` and `label`, the
            lists of choices and of what they are called.
        answer: the right one: its place from 0, its label, its letter, or itself.
        name: where the row is from, for errors.

    Raises:
        DataError: fewer than two choices, or the answer is none of them.
    """
    choices, labels = list(cells), []
    if len(cells) == 1 and isinstance(cells[0], Mapping):
        choices, labels = list(cells[0].get("text", ())), list(map(str, cells[0].get("label", ())))
    elif len(cells) == 1 and isinstance(cells[0], list | tuple | np.ndarray):
        choices = list(cells[0])
    if len(choices) < 2:
        raise DataError(f"{len(choices)} choices, of which at least 2 are wanted", source=name)
    written = tuple("" if one is None else str(one) for one in choices)
    return Question("" if text is None else str(text), written, _right(answer, written, labels, name))


def _right(answer: Any, choices: tuple[str, ...], labels: Sequence[str], name: str) -> int:
    is_number = isinstance(answer, int | float | np.integer | np.floating) and not isinstance(answer, bool)
    word = str(int(answer)) if is_number and answer == answer and answer == int(answer) else str(answer)
    # A number is a place. A word is looked for among labels and choices before it is read as a place or letter.
    known = [] if is_number and not labels else [labels, choices]
    letters = string.ascii_uppercase[: len(choices)]
    for names in (*known, [str(i) for i in range(len(choices))], list(letters)):
        if word in names:
            return list(names).index(word)
    allowed = f"a number from 0 to {len(choices) - 1}, a letter from A to {letters[-1]}, or a choice as it is written"
    raise DataError(f"answer {answer!r} is none of the {len(choices)} choices; allowed is {allowed}", source=name)
