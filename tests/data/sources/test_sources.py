"""Sources by name, those of the user's own among them, and labels as classes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from data_files import source_of

from harness.data.dataset import MISSING, UNKNOWN, Kind, Question
from harness.data.settings import DataSettings
from harness.data.sources import read
from harness.data.sources.found import Found
from harness.data.sources.labels import numbered
from harness.errors import SettingError, UserError


def planted(argument: str, settings: DataSettings, kind: str) -> Found:
    return Found(inputs=np.eye(3), names=["a", "b", "c"], title=argument, labels=["x", "y", "x"], licence="MIT")


def test_embedded_data() -> None:
    digits = read(DataSettings(source="embedded:digits"), "images")
    assert digits.inputs.shape == (1797, 1, 8, 8) and len(digits.classes) == 10
    assert digits.class_counts().min() > 170 and digits.provenance.licence == "CC BY 4.0"
    library = read(DataSettings(source="embedded:stdlib"), "text")
    assert "functools.py" in library.names and all(library.inputs)


def test_a_source_of_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mine", sys.modules[__name__])
    found = read(DataSettings(source="mine.planted:first", name="Mine"), "features")
    assert found.provenance.name == "Mine" and found.provenance.licence == "MIT" and found.classes == ("x", "y")
    other = read(DataSettings(source="mine.planted:second", classes=["y", "x"]), "features")
    assert found.provenance.sha256 != other.provenance.sha256, "labels are part of the content"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (None, r"data\.source=null: allowed is embedded:NAME, path:"),
        ("embeded:digits", r"data\.source=embeded:digits: allowed is .*did you mean 'embedded'"),
        (
            "embedded:digit",
            r"data\.source=embedded:digit: allowed is one of digits, .*; did you mean 'digits'",
        ),
        ("embedded:digits", r"embedded:digits: has images or features, and the task reads text"),
        ("nowhere.read:x", r"data\.source=nowhere\.read cannot be imported"),
        ("math.floor:3", r"data\.source=math\.floor:3: .*; wanted is a function \(argument, settings, kind\)"),
        ("os.getcwd:ls", r"data\.source=os\.getcwd:ls: .*; wanted is a function"),
        ("os.sep:ls", r"data\.source=os\.sep:ls: .*not callable; wanted is a function"),
        ("builtins.print:x", r"data\.source=builtins\.print:x: gave NoneType; wanted is a Found"),
    ],
)
def test_sources_that_are_not_there(source: str | None, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read(DataSettings(source=source), "text")


def mistaken(argument: str, settings: DataSettings, kind: str) -> Found:
    return len(3)  # type: ignore[arg-type,return-value]


def test_a_mistake_in_a_source_of_the_users_own_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mine", sys.modules[__name__])
    with pytest.raises(TypeError, match="has no len"):
        read(DataSettings(source="mine.mistaken:x"), "features")


@pytest.mark.parametrize(
    ("written", "settings", "labels", "classes"),
    [
        (np.array([7, 3, 7]), {}, [1, 0, 1], ("3", "7")),
        ([2.0, np.nan, 10.0], {}, [0, MISSING, 1], ("2", "10")),
        (["b", "", "a"], {}, [1, MISSING, 0], ("a", "b")),
        (["b", None, "c"], {"classes": ["b", "a"]}, [0, MISSING, UNKNOWN], ("b", "a")),
        (np.array([0, 1, 2]), {"classes": ["no", "yes"]}, [0, 1, UNKNOWN], ("no", "yes")),
        ([1.5, 2.0], {"classes": ["1.5", "2"]}, [0, 1], ("1.5", "2")),
        (["1.5", "unknown"], {}, [0, 1], ("1.5", "unknown")),
        (np.array([5, 0, 3]), {"classes": ["3", "5"]}, [1, UNKNOWN, 0], ("3", "5")),
    ],
)
def test_labels_are_classes_by_name_or_by_number(
    written: object, settings: dict[str, object], labels: list[int], classes: tuple[str, ...]
) -> None:
    found, known = numbered(written, DataSettings(**settings), None, ["r"] * 3)  # type: ignore[arg-type]
    assert found is not None and found.tolist() == labels and known == classes


def asked(argument: str, settings: DataSettings, kind: str) -> Found:
    inputs = {"right": [Question("?", ("a", "b"), 2)], "one": [Question("?", ("a",), 0)], "none": [None]}[argument]
    return Found(inputs=inputs, names=["first"], title="mine")


@pytest.mark.parametrize(
    ("argument", "kind", "says"),
    [
        ("right", "questions", "first: choice 2 of 2 is right; wanted are two or more, counted from 0"),
        ("one", "questions", "first: choice 0 of 1 is right"),
        ("none", "questions", "first: None is of type NoneType; wanted is questions"),
        ("none", "text", "first: None is of type NoneType; wanted is text"),
    ],
)
def test_what_a_source_of_the_users_own_gives_is_checked(
    monkeypatch: pytest.MonkeyPatch, argument: str, kind: Kind, says: str
) -> None:
    monkeypatch.setitem(sys.modules, "mine", sys.modules[__name__])
    with pytest.raises(UserError, match=says):
        read(DataSettings(source=f"mine.asked:{argument}"), kind)


@pytest.mark.parametrize(
    ("name", "kind", "settings", "says"),
    [
        (
            "notes",
            "text",
            {"classes": ["a", "b"]},
            "data.classes=.*allowed is null: text without labels from .* reads no",
        ),
        ("notes", "text", {"label_columns": "foo"}, r"data\.label_columns=\['foo'\]: allowed is null: text from"),
        (
            "q.csv",
            "questions",
            {"answers": "values"},
            "data.answers=values: allowed is classes: questions from .* reads ",
        ),
        (
            "q.csv",
            "questions",
            {"classes": ["a", "b"]},
            r"allowed is null: questions from .* reads data\.label_columns",
        ),
        ("q.csv", "questions", {"channels": 1}, "data.channels=1: allowed is null: questions from"),
        ("list.csv", "audio", {"channels": 1}, "data.channels=1: allowed is null: audio from .*data.sample_rate"),
        ("list.csv", "audio", {"image_size": 8}, "data.image_size="),
        ("q.csv", "text", {"sample_rate": 8000, "input_columns": "question"}, "data.sample_rate=8000"),
    ],
)
def test_settings_that_nothing_reads(
    tmp_path: Path, name: str, kind: Kind, settings: dict[str, object], says: str
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a note")
    (tmp_path / "q.csv").write_text("question,A,B,answer\n?,x,y,A\n")
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8000)
    (tmp_path / "list.csv").write_text("file,label\na.wav,x\n")
    columns = {"input_columns": ["question", "A", "B"]} if kind == "questions" else {}
    with pytest.raises(SettingError, match=says):
        source_of(tmp_path / name, kind, **{**columns, **settings})


def test_a_file_that_is_listed_under_two_labels(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8000)
    (tmp_path / "list.csv").write_text("file,label\na.wav,x\n./a.wav,x\na.wav,y\n")
    with pytest.raises(UserError, match=r"^list\.csv, row 3: a\.wav has the label y, and list\.csv, row 1 gives .* x$"):
        source_of(tmp_path / "list.csv", "audio")
