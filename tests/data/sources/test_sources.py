"""Sources by name, those of the user's own among them, and labels as classes."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from harness.data.dataset import MISSING, UNKNOWN
from harness.data.settings import DataSettings
from harness.data.sources import read
from harness.data.sources.found import Found
from harness.data.sources.labels import numbered
from harness.errors import UserError


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
