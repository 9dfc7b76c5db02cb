"""Columns of a table as inputs, labels, groups and split, whatever file or library the table came from."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.data.dataset import Kind, Question
from harness.data.settings import DataSettings
from harness.data.sources import questions, waves
from harness.data.sources.cells import as_text, is_missing
from harness.data.sources.found import Found, side
from harness.data.sources.labels import as_numbers
from harness.errors import DataError

LABELS = ("label", "labels", "target", "class", "y")
GROUPS = ("group", "speaker", "speaker_id")
SPLITS = ("split",)
#: Usual names of the one column of inputs; features are all other columns.
_INPUTS: dict[Kind, tuple[str, ...]] = {
    "text": ("text", "sentence", "content", "document"),
    "images": ("image", "img", "file", "path"),
    "audio": ("audio", "file", "path"),
}
#: What stands for a missing number, in lower case.
_NO_NUMBER = ("", "na", "n/a", "nan", "null", "none", "?")


class Columns:
    """A table and where it is from.

    Args:
        frame: cells are str, numbers, bytes, None, or what Hugging Face stores images and audio as,
            ``{"bytes": ..., "path": ...}``.
        names: where each row came from.
        title: what the table is called, for errors.
        folder: what paths of files in it are relative to.
    """

    def __init__(self, frame: pd.DataFrame, names: Sequence[str], title: str, folder: Path) -> None:
        self.frame, self.names, self.title, self.folder = frame, names, title, folder

    def found(self, settings: DataSettings, kind: Kind) -> Found:
        """The examples.

        Raises:
            DataError: there is no such column, or a cell is not of the kind; names the row.
        """
        labels = [] if kind == "questions" else self._listed(settings.label_columns, LABELS, "label_columns")
        group = self._optional(settings.group_column, GROUPS, "group_column")
        split = self._optional(settings.split_column, SPLITS, "split_column")
        found = Found(inputs=None, names=self.names, title=self.title, of_columns=True)
        if labels and settings.answers == "classes" and len(labels) > 1:
            raise self._error(f"data.label_columns={labels}: one column has the class; values need data.answers=values")
        if labels:
            found.labels = self.frame[labels].to_numpy() if settings.answers == "values" else self.frame[labels[0]]
        found.groups = self._scalars(group) if group else None
        if split:
            found.split = [self._side(word, row) for row, word in enumerate(self.frame[split])]
            found.split_rule = f"by the column {split}"
        if kind == "questions":
            columns = self._question_columns(settings)
            found.inputs = self._questions(columns)
            ignored = [str(name) for name in self.frame if name not in (*columns, group, split)]
            found.note = f"ignored: {', '.join(ignored)}" if ignored else ""
            return found
        if kind == "features":
            taken = {*labels, group, split}
            inputs = self._listed(settings.input_columns, (), "input_columns")
            inputs = inputs or [str(name) for name in self.frame if name not in taken]
            found.inputs, found.features = self._numbers(inputs), tuple(inputs)
            return found
        column = self._one_input(settings, kind)
        if kind == "text":
            found.inputs = [as_text(cell) for cell in self._scalars(column)]
        else:
            cells = self.frame[column].tolist()
            found.inputs = [self._file(cell, name, column) for cell, name in zip(cells, self.names, strict=True)]
            if labels:
                self._refuse_conflicts(found.inputs, labels)
        if kind == "audio":
            found.inputs, found.rates = waves.all_decoded(found.inputs, self.names)
        return found

    def _question_columns(self, settings: DataSettings) -> list[str]:
        """The first of `input_columns` has the questions, the others have the choices: all in one, or one in each; the
        last has the answers."""
        given = self._listed(settings.input_columns, (), "input_columns")
        texts = given[:1] or self._listed(None, questions.QUESTIONS, "input_columns")
        choices = given[1:] or self._listed(None, questions.CHOICES, "input_columns")
        answers = self._listed(settings.label_columns, questions.ANSWERS, "label_columns")
        for found, what, setting, usual in (
            (texts, "the column of questions", "input_columns", questions.QUESTIONS),
            (choices, "the columns of choices, after that of questions,", "input_columns", questions.CHOICES),
            (answers, "the column of right answers", "label_columns", questions.ANSWERS),
        ):
            if not found:
                has = ", ".join(map(str, self.frame.columns))
                raise self._error(f"give {what} as data.{setting} (usual: {', '.join(usual)}); it has {has}")
        if len(answers) > 1:
            raise self._error(f"data.label_columns={answers}: one column has the right answer")
        if answers[0] in (*texts, *choices):
            what = "both the right answer and a question or choice"
            raise self._error(f"column {answers[0]} is {what}; see data.input_columns and data.label_columns")
        return [*texts, *choices, *answers]

    def _questions(self, columns: Sequence[str]) -> list[Question]:
        """Of the columns of questions, of choices and of the right answers.

        Raises:
            DataError: a line of JSON has no such key, or no question can be made of a row.
        """
        if self.title.endswith(".jsonl"):
            self._refuse_lines_without(columns)
        text, *others, answer = (self.frame[column].tolist() for column in columns)
        return questions.questions(text, dict(zip(columns[1:-1], others, strict=True)), answer, self.names)

    def _refuse_lines_without(self, columns: Sequence[str]) -> None:
        for row, cells in enumerate(zip(*(self.frame[column].tolist() for column in columns), strict=True)):
            for column, cell in zip(columns, cells, strict=True):
                if _is_nan(cell):
                    has = ", ".join(str(key) for key, own in self.frame.iloc[row].items() if not _is_nan(own))
                    problem = f"has no {column}, only {has}; wanted are {', '.join(columns)}"
                    raise DataError(problem, source=self.names[row])

    def _listed(self, wanted: list[str] | None, usual: Iterable[str], setting: str) -> list[str]:
        """The columns that are wanted, or the first that has a usual name, if any."""
        has = list(self.frame.columns)
        for name in wanted or ():
            if name not in has:
                raise self._error(f"no column {name} (data.{setting}); it has {', '.join(map(str, has))}")
        return wanted or [name for name in usual if name in has][:1]

    def _optional(self, wanted: str | None, usual: Iterable[str], setting: str) -> str | None:
        return next(iter(self._listed([wanted] if wanted else None, usual, setting)), None)

    def _one_input(self, settings: DataSettings, kind: Kind) -> str:
        columns = self._listed(settings.input_columns, _INPUTS[kind], "input_columns")
        if len(columns) != 1:
            has, usual = ", ".join(map(str, self.frame.columns)), ", ".join(_INPUTS[kind])
            raise self._error(f"give the one column of {kind} as data.input_columns (usual: {usual}); it has {has}")
        return columns[0]

    def _numbers(self, columns: Sequence[str]) -> np.ndarray:
        """(n, F) float64, NaN for missing."""
        if not columns:
            raise self._error("has no columns of features")
        values = np.empty((len(self.frame), len(columns)))
        for i, column in enumerate(columns):
            cells = self.frame[column]
            values[:, i] = as_numbers(cells)
            for row in np.flatnonzero(np.isnan(values[:, i])).tolist():
                if not is_missing(cell := cells.iloc[row]) and str(cell).strip().lower() not in _NO_NUMBER:
                    what = f"{cell}, a date," if isinstance(cell, date | time | timedelta) else reprlib.repr(cell)
                    problem = f"column {column}: {what} is no number; data.input_columns lists those of features"
                    raise DataError(problem, source=self.names[row])
        return values

    def _scalars(self, column: str) -> list[Any]:
        """The cells of a column of texts, numbers and nothing."""
        cells = self.frame[column].tolist()
        for cell, name in zip(cells, self.names, strict=True):
            if isinstance(cell, list | dict | np.ndarray):
                problem = f"column {column}: {reprlib.repr(cell)} is a list or mapping; wanted is a text or number"
                raise DataError(problem, source=name)
        return cells

    def _file(self, cell: Any, name: str, column: str) -> Path | bytes:
        """The encoded file in a cell, or its path."""
        if isinstance(cell, dict):
            cell = cell.get("bytes") or cell.get("path")
        if isinstance(cell, bytes):
            return cell
        if is_missing(cell):
            raise DataError(f"column {column} is empty", source=name)
        if not (file := self.folder / str(cell)).is_file():
            raise DataError(f"column {column}: no file {file}", source=name)
        return file

    def _refuse_conflicts(self, files: Sequence[Path | bytes], labels: list[str]) -> None:
        """Refuse a file that is listed twice with two labels."""
        written = [tuple(map(as_text, row)) for row in self.frame[labels].itertuples(index=False)]
        first: dict[Path, int] = {}
        for row, file in enumerate(files):
            if not isinstance(file, Path) or (before := first.setdefault(file.resolve(), row)) == row:
                continue
            if written[row] != written[before]:
                ours, theirs = (", ".join(written[one]) for one in (row, before))
                problem = f"{file.name} has the label {ours}, and {self.names[before]} gives the same file {theirs}"
                raise DataError(problem, source=self.names[row])

    def _side(self, word: Any, row: int) -> str:
        found = side(str(word))
        if found is None:
            raise DataError(f"split {word!r}; allowed is train, test, eval or validation", source=self.names[row])
        return found

    def _error(self, problem: str) -> DataError:
        return DataError(problem, source=self.title)


def _is_nan(cell: Any) -> bool:
    """What a line of JSON has in a column that it leaves out; its null is None."""
    return isinstance(cell, float) and np.isnan(cell)
