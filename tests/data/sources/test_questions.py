"""Questions with choices: the layouts of common benchmarks, made ones, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from data_files import source_of

from harness.data.dataset import Question
from harness.data.load import prepared
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
        (
            {"question": "?", "choices": ["a", "b"], "answer": None},
            "line 1: no answer; allowed is a number from 0 to 1",
        ),
        ({"question": "?", "choices": ["a"], "answer": 0}, "line 1: 1 choice; wanted are at least 2"),
        ({"question": "?", "choices": None, "answer": 0}, r"line 1: no choices \(column choices is empty\)"),
        ({"question": "?", "choices": "a|b", "answer": 0}, "column choices holds 'a|b'; wanted is a list of choices"),
        ({"question": "?", "choices": {"text": ["a", "b"], "label": ["A"]}, "answer": "A"}, "1 labels for 2 choices"),
        (
            {"question": "?", "choices": {"text": ["a", "b"], "label": ["A", "A"]}, "answer": "A"},
            "two choices are called",
        ),
        ({"question": "?", "answer": 0}, "give the columns of choices, after that of questions, as data.input_columns"),
        ({"choices": ["a", "b"], "answer": 0}, "give the column of questions as data.input_columns"),
        ({"question": "?", "choices": ["a", "b"]}, "give the column of right answers as data.label_columns"),
    ],
)
def test_what_is_refused(tmp_path: Path, row: dict, message: str) -> None:
    (tmp_path / "q.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=message):
        source_of(tmp_path / "q.jsonl", "questions")


def written_both_ways(folder: Path, rows: list[tuple[list, object]]) -> list[Path]:
    """Files of the same choices and answers, as JSON lines and as CSV."""
    columns = "ABC"[: len(rows[0][0])]
    cells = [
        {"question": f"{i}?", **dict(zip(columns, choices, strict=True)), "answer": answer}
        for i, (choices, answer) in enumerate(rows)
    ]
    (folder / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in cells))
    pd.DataFrame(cells, dtype=object).to_csv(folder / "q.csv", index=False)
    return [folder / "q.jsonl", folder / "q.csv"]


@pytest.mark.parametrize(
    ("rows", "right"),
    [
        ([([2, 1, 0], 0), ([5, 6, 7], 2)], [0, 2]),
        ([([2, 1, 0], "0"), ([5, 6, 7], "2")], [0, 2]),
        ([([2, 1, 0], 0), ([5, 6, 7], 7)], [2, 2]),
        ([(["B", "A", "C"], "A"), (["x", "y", "z"], "C")], [0, 2]),
        ([(["B", "A", "C"], "A"), (["x", "y", "z"], "x")], [1, 0]),
        ([([0, 1, 2], 1), ([0, 1, 2], 2)], [1, 2]),
        ([(["1.0", "2.5", "3"], 1.0), (["1.0", "2.5", "3"], 2.5)], [0, 1]),
    ],
)
def test_what_an_answer_means_is_decided_by_its_column(tmp_path: Path, rows: list, right: list[int]) -> None:
    for file in written_both_ways(tmp_path, rows):
        found = source_of(file, "questions", input_columns=["question", "A", "B", "C"])
        assert [one.right for one in found.inputs] == right, file


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [([0, 1, 2], 0), ([2, 1, 0], 0)],
            "2: answer '0' means choice '2' if answers are places from 0, and '0' if texts, .*write answers as letters",
        ),
        (
            [(["B", "A", "C"], "A")],
            "1: answer 'A' means choice 'B' if answers are letters, and 'A' if texts, .*as numbers from 0",
        ),
        (
            [(["x", "y"], 0), (["x", "y"], 1), (["x", "y"], "A")],
            "3: answer 'A' is none of the places from 0 that 2 of 3",
        ),
    ],
)
def test_a_column_of_two_meanings_is_refused(tmp_path: Path, rows: list, message: str) -> None:
    columns = ["question", *"ABC"[: len(rows[0][0])]]
    for file in written_both_ways(tmp_path, rows):
        with pytest.raises(DataError, match=rf"^{file.name}, (row|line) {message}"):
            source_of(file, "questions", input_columns=columns)


def test_labels_are_what_answers_mean(tmp_path: Path) -> None:
    row = {"question": "?", "choices": {"text": ["2", "1"], "label": ["1", "2"]}, "answer": 1}
    (tmp_path / "q.jsonl").write_text(json.dumps(row) + "\n")
    assert source_of(tmp_path / "q.jsonl", "questions").inputs[0].right == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"label_columns": ["answer", "question"]},
            r"label_columns=\['answer', 'question'\]: one column has the right",
        ),
        (
            {"input_columns": ["question", "choices", "answer"]},
            "column answer is both the right answer and a question or",
        ),
        ({"input_columns": ["question", "choices", "more"]}, "line 1: column choices holds a list, and more another"),
    ],
)
def test_columns_that_cannot_be_meant(tmp_path: Path, settings: dict, message: str) -> None:
    row = {"question": "?", "choices": ["a", "b", "c"], "more": "d", "answer": 1}
    (tmp_path / "q.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=message):
        source_of(tmp_path / "q.jsonl", "questions", **settings)


BROKEN = [
    {"question": None, "A": 1, "B": 2, "answer": "A"},
    {"question": "?", "A": 1, "B": None, "answer": "A"},
    {"question": "?", "A": "x", "B": "x", "answer": "A"},
]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize("broken", range(len(BROKEN)))
def test_empty_cells_and_choices_alike_are_refused_and_can_be_dropped(tmp_path: Path, broken: int, suffix: str) -> None:
    rows = [{"question": f"{i}?", "A": 1, "B": 2, "answer": "B"} for i in range(20)]
    rows.insert(3, BROKEN[broken])
    frame, file = pd.DataFrame(rows, dtype=object), tmp_path / f"q{suffix}"
    if suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif suffix == ".csv":
        frame.to_csv(file, index=False)
    else:
        frame.map(lambda cell: None if cell is None else str(cell)).to_parquet(file)
    settings = DataSettings(source=f"path:{file}", input_columns=["question", "A", "B"])
    says = "two choices alike, x, x; the step missing" if broken == 2 else "empty question or choice; the step missing"
    with pytest.raises(DataError, match=rf"^q\{suffix}, (row|line) 4: {says}"):
        prepared(settings, "questions")
    dropping = DataSettings(source=f"path:{file}", input_columns=["question", "A", "B"], prepare=["missing"])
    data = prepared(dropping, "questions")
    assert len(data.train) + len(data.evaluation) == 20
    assert {one.choices for one in data.train.inputs} == {("1", "2")}


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
