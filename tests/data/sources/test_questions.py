"""Questions with choices: the layouts of common benchmarks, made ones, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from data_files import source_of

from harness.data.dataset import Question
from harness.data.settings import DataSettings
from harness.data.sources import read
from harness.data.sources.number_questions import in_words
from harness.errors import DataError, UserError

WANTED = [Question("2 + 2?", ("3", "4"), 1), Question("sky?", ("red", "green", "blue"), 2)]
LAYOUTS = {
    "mmlu": [
        {"question": "2 + 2?", "choices": ["3", "4"], "answer": 1},
        {"question": "sky?", "choices": ["red", "green", "blue"], "answer": 2},
    ],
    "arc": [
        {"question": "2 + 2?", "choices": {"text": ["3", "4"], "label": ["A", "B"]}, "answerKey": "B"},
        {"question": "sky?", "choices": {"text": ["red", "green", "blue"], "label": ["1", "2", "3"]}, "answerKey": "3"},
    ],
    "hellaswag": [
        {"ctx": "2 + 2?", "endings": ["3", "4"], "label": "1"},
        {"ctx": "sky?", "endings": ["red", "green", "blue"], "label": "2"},
    ],
    "written out": [
        {"question": "2 + 2?", "options": ["3", "4"], "target": "4"},
        {"question": "sky?", "options": ["red", "green", "blue"], "target": "blue"},
    ],
}


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_benchmarks(tmp_path: Path, layout: str, suffix: str) -> None:
    file = tmp_path / f"table{suffix}"
    if suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in LAYOUTS[layout]))
    else:
        pd.DataFrame(LAYOUTS[layout]).to_parquet(file)
    found = source_of(file, "questions")
    assert found.inputs == WANTED and found.labels is None
    assert found.names[0] == f"table{suffix}, {'line' if suffix == '.jsonl' else 'row'} 1"


def test_a_column_for_each_choice(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("q,A,B,right,split\n2 + 2?,3,4,B,train\nsky?,blue,red,A,test\n")
    found = source_of(tmp_path / "q.csv", "questions", input_columns=["q", "A", "B"], label_columns="right")
    assert found.inputs == [WANTED[0], Question("sky?", ("blue", "red"), 0)]
    assert found.split is not None and found.split.tolist() == ["train", "eval"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "?", "choices": ["a", "b"], "answer": 2}, r"q.jsonl, line 1: answer 2 is none of the 2 choices"),
        ({"question": "?", "choices": ["a", "b"], "answer": None}, "answer None is none"),
        ({"question": "?", "choices": ["a"], "answer": 0}, "1 choices, of which at least 2"),
        ({"question": "?", "answer": 0}, "give the columns of choices, after that of questions, as data.input_columns"),
        ({"choices": ["a", "b"], "answer": 0}, "give the column of questions as data.input_columns"),
        ({"question": "?", "choices": ["a", "b"]}, "give the column of right answers as data.label_columns"),
    ],
)
def test_what_is_refused(tmp_path: Path, row: dict, message: str) -> None:
    (tmp_path / "q.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=message):
        source_of(tmp_path / "q.jsonl", "questions")


def test_a_number_is_a_place_and_a_word_a_choice(tmp_path: Path) -> None:
    rows = [{"question": "?", "choices": ["2", "1", "0"], "answer": answer} for answer in (0, "0")]
    pd.DataFrame(rows).astype({"answer": object}).to_json(tmp_path / "q.jsonl", orient="records", lines=True)
    assert [one.right for one in source_of(tmp_path / "q.jsonl", "questions").inputs] == [0, 2]


def test_made_questions_are_right_and_all_different() -> None:
    found = read(DataSettings(source="embedded:numbers"), "questions")
    values = {in_words(number): number for number in range(100)}
    assert len(values) == 100 and values["forty-two"] == 42
    assert len({one.text for one in found.inputs}) == len(found) == 4099
    assert found.groups is not None
    for one, kind in zip(found.inputs, found.groups, strict=True):
        right = values[one.choices[one.right]]
        said = [values[word] for word in one.text.rstrip("?").replace(",", "").split() if word in values]
        assert right == {"sum": sum(said), "next": said[0] + 1, "largest": max(said)}[kind]
        assert len(set(one.choices)) == 4
    places = [one.right for one in found.inputs]
    assert all(900 < places.count(i) < 1150 for i in range(4))


def test_questions_are_no_text() -> None:
    with pytest.raises(UserError, match="has questions, and the task reads text"):
        read(DataSettings(source="embedded:numbers"), "text")


ROW = {"question": "?", "choices": ["a", "b"], "answer": 0}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"question": "?", "choises": ["a", "b"], "answer": 0}, "has no choices, only question, answer, choises"),
        ({"Question": "?", "choices": ["a", "b"], "answer": 0}, "has no question, only choices, answer, Question"),
        ({"question": "?", "choices": ["a", "b"], "anser": 0}, "has no answer, only question, choices, anser"),
    ],
)
def test_a_line_without_a_key_names_those_it_has_and_those_that_are_wanted(
    row: dict[str, object], says: str, tmp_path: Path
) -> None:
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, [ROW, ROW, row])) + "\n")
    with pytest.raises(DataError, match=f"q.jsonl, line 3: {says}; wanted are question, choices, answer"):
        source_of(tmp_path / "q.jsonl", "questions")


def test_other_keys_are_ignored_and_said(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text(json.dumps(ROW | {"id": 7, "group": "g"}) + "\n" + json.dumps(ROW) + "\n")
    found = source_of(tmp_path / "q.jsonl", "questions")
    assert found.note == "ignored: id" and len(found.inputs) == 2


def test_a_file_without_questions_is_named(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text(json.dumps({"q": "?", "choices": ["a", "b"], "answer": 0}) + "\n")
    with pytest.raises(DataError, match=r"q\.jsonl: give the column of questions as data\.input_columns .*it has q, "):
        source_of(tmp_path / "q.jsonl", "questions")
