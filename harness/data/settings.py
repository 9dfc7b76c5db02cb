"""The settings of data: where they come from, how they are split, prepared and augmented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.data.steps import Steps
from harness.errors import SettingError
from harness.ranges import Checked, ListOf, Range, Text, between, one_of, or_null, setting, whole

_COLUMN = Text("the name of a column")
_NAMED = ListOf(Text("names"))
SOURCES = "embedded:NAME, path:FILE_OR_FOLDER, hf:NAME or module.function:ARGUMENT"


@dataclass(frozen=True)
class Selection(Range):
    """Examples by the groups that they are of, or by patterns of the names of their files."""

    def check(self, setting: str, value: Any, owner: Any = None) -> Any:
        if not isinstance(value, Mapping) or not value or not set(value) <= {"groups", "files"}:
            raise SettingError(setting, value, self.words())
        return {str(name): _NAMED.check(f"{setting}.{name}", named) for name, named in value.items()}

    def words(self, owner: Any = None) -> str:
        return "names: {groups: [NAME, ...]}, {files: [PATTERN, ...]} or both"


@dataclass
class DataSettings(Checked):
    """Where data come from, how they are split, prepared and augmented.

    They are part of a task that reads them, and so of the identity of its runs; other tasks leave them unread.
    """

    settings_group = "data"

    source: str | None = setting(
        None,
        "where the data are",
        or_null(Text(SOURCES, lambda source: all(source.partition(":")[::2])), "a task that makes its own"),
    )
    name: str | None = setting(
        None, "what to call them", or_null(Text("text"), "what the source calls them"), in_identity=False
    )
    licence: str | None = setting(
        None, "their licence, for the record", or_null(Text("text"), "what the source says"), in_identity=False
    )
    answers: str = setting(
        "classes", "what labels are: classes, or values to be predicted", one_of("classes", "values")
    )
    classes: Any = setting(
        None,
        "names of the classes, in order; a label that is none of them is out of range",
        or_null(ListOf(Text("names")), "those of the source, or those found, in alphabetical or numerical order"),
    )
    label_columns: Any = setting(
        None,
        "of a table: the column of the class or the right answer, or those of the values",
        or_null(ListOf(_COLUMN), "label, labels, target, class or y; answer, label or answerKey of questions"),
    )
    input_columns: Any = setting(
        None,
        "of a table: the columns of features; the one of texts, images or files; or that of questions, then those of "
        "choices",
        or_null(ListOf(_COLUMN), "all other columns of features; else the one with the kind's usual name"),
    )
    group_column: str | None = setting(
        None, "of a table: the column of groups", or_null(_COLUMN, "group or speaker, where there is one")
    )
    split_column: str | None = setting(
        None,
        "of a table: the column that says train or test (or eval, validation)",
        or_null(_COLUMN, "split, where there is one"),
    )
    split: str | None = setting(
        None,
        "how training and evaluation are told apart: by the source, by a hash of each example, or with whole groups "
        "held out by a hash of their names",
        or_null(one_of("source", "hash", "groups"), "source where it has a split, else hash"),
    )
    eval_fraction: float = setting(
        0.2, "probability that an example (a group, with split=groups) is held out", between(0.01, 0.9)
    )
    split_seed: int = setting(0, "seed of the hash that splits, and of draws during preparation", whole(0))
    reserve: Any = setting(
        None,
        "examples that are neither trained nor evaluated on, but for shifts: those of these groups, or of files whose "
        "names match",
        or_null(Selection(), "none"),
        default_in_identity=False,
    )
    evaluate_on: Any = setting(
        None,
        "examples to evaluate on, of those that are not trained on; shifts of groups and files set it",
        or_null(Selection(), "all that are held out"),
        default_in_identity=False,
    )
    image_size: Any = setting(
        None,
        "height and width in pixels that images are resized to; one number for squares",
        or_null(ListOf(whole(1, 4096)), "that of the files, which must agree"),
    )
    channels: int | None = setting(
        None, "1 for grey images, 3 for colours", or_null(whole(1, 3), "those of the files, which must agree")
    )
    sample_rate: int | None = setting(
        None, "rate in Hz that audio is resampled to", or_null(whole(1), "that of the files, which must agree")
    )
    prepare: Any = setting(
        [], "steps of preparation, in order, fitted on the training examples", Steps("harness.data.prepare")
    )
    augment: Any = setting([], "steps of augmentation of training batches, in order", Steps("harness.data.augment"))

    def __post_init__(self) -> None:
        if isinstance(self.classes, list | tuple):  # a number is a name too
            self.classes = [str(one) if type(one) in (int, float) else one for one in self.classes]
        super().__post_init__()
        for name in ("classes", "label_columns", "input_columns"):
            listed = getattr(self, name) or []
            if len(set(listed)) < len(listed):
                raise SettingError(f"data.{name}", listed, "names that differ from each other")
        if self.image_size is not None and len(self.image_size) > 2:
            raise SettingError("data.image_size", self.image_size, "one number, or height and width")
        if self.channels == 2:
            raise SettingError("data.channels", self.channels, "1 or 3")

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) that images are resized to, or None."""
        return None if self.image_size is None else (self.image_size[0], self.image_size[-1])
