"""Tables of features, texts, images and sounds; what is wrong with a cell is named with file and row."""

from __future__ import annotations

import datetime
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from data_files import source_of
from PIL import Image

from harness.data.sources.waves import decoded
from harness.errors import DataError

CSV = "a,b,label,speaker,split\n1,2,cat,ann,train\n3,,dog,bob,test\n5,6,cat,bob,validation\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_features_labels_groups_and_split(tmp_path: Path, suffix: str) -> None:
    file = write(tmp_path / "table.csv", CSV)
    frame = pd.read_csv(file)
    file = tmp_path / f"table{suffix}"
    if suffix == ".jsonl":
        frame.to_json(file, orient="records", lines=True)
    elif suffix == ".parquet":
        frame.to_parquet(file)
    found = source_of(file, "features")
    np.testing.assert_array_equal(found.inputs, [[1, 2], [3, np.nan], [5, 6]])
    assert found.labels is not None and found.groups is not None and found.split is not None
    assert found.labels.tolist() == [0, 1, 0] and found.classes == ("cat", "dog")
    assert found.groups.tolist() == ["ann", "bob", "bob"] and found.split.tolist() == ["train", "eval", "eval"]
    assert found.names[1] == f"table{suffix}, {'line' if suffix == '.jsonl' else 'row'} 2"
    assert found.features == ("a", "b") and found.take(np.array([2, 0])).features == ("a", "b")


def test_lines_of_json_are_those_of_the_file(tmp_path: Path) -> None:
    found = source_of(write(tmp_path / "t.jsonl", '\n{"a": 1}\n\n{"a": 2}\n'), "features")
    assert found.names == ["t.jsonl, line 2", "t.jsonl, line 4"]


def test_columns_can_be_named_and_labels_be_values(tmp_path: Path) -> None:
    found = source_of(
        write(tmp_path / "t.csv", CSV), "features", input_columns=["a"], label_columns=["b", "a"], answers="values"
    )
    assert found.labels is not None and found.inputs.shape == (3, 1) and found.labels.shape == (3, 2)
    assert np.isnan(found.labels[1, 0]) and found.labels[2].tolist() == [6, 5]


def test_several_files_make_train_and_test(tmp_path: Path) -> None:
    for name, rows in (("train-0", "x,0\ny,1"), ("train-1", "z,0"), ("test", "u,1")):
        write(tmp_path / f"{name}.csv", f"text,label\n{rows}\n")
    found = source_of(tmp_path, "text")
    assert found.inputs == ["x", "y", "z", "u"] and found.names[3] == "test.csv, row 1"
    assert found.split is not None and found.split.tolist() == ["train"] * 3 + ["eval"]


def test_images_as_bytes_in_parquet_and_as_files_in_csv(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(2, 3, 4), dtype=np.uint8)
    encoded = []
    for i, each in enumerate(pixels):
        buffer = io.BytesIO()
        Image.fromarray(each).save(buffer, "png")
        encoded.append(buffer.getvalue())
        (tmp_path / f"{i}.png").write_bytes(encoded[-1])
    pd.DataFrame({"image": [{"bytes": b, "path": None} for b in encoded]}).to_parquet(tmp_path / "a.parquet")
    listed = write(tmp_path / "b.csv", "file,label\n0.png,x\n1.png,y\n")
    for file in (tmp_path / "a.parquet", listed):
        np.testing.assert_array_equal(source_of(file, "images").inputs[:, 0], pixels)
    (tmp_path / "1.png").write_bytes(encoded[1][:45])
    with pytest.raises(DataError, match=r"^b\.csv, row 2: damaged image"):
        source_of(listed, "images")


def test_sounds_of_two_rates_need_a_rate(tmp_path: Path) -> None:
    for name, rate in (("a", 8000), ("b", 16000)):
        wave = np.sin(2 * np.pi * 440 * np.arange(rate // 10) / rate)
        soundfile.write(tmp_path / f"{name}.wav", np.stack([wave, wave], axis=1) / 2, rate)
    table = write(tmp_path / "list.csv", "file,label,speaker\na.wav,x,ann\nb.wav,y,bob\n")
    with pytest.raises(
        DataError, match=r"^list\.csv, row 2: 16000 Hz, and list\.csv, row 1 is of 8000 Hz; data\.sample_rate"
    ):
        source_of(table, "audio")
    found = source_of(tmp_path, "audio", sample_rate=8000)
    assert found.sample_rate == 8000 and [len(wave) for wave in found.inputs] == [800, 800]
    # Away from the ends, where the filter sees silence, both are the same tone.
    np.testing.assert_allclose(found.inputs[0][50:-50], found.inputs[1][50:-50], atol=2e-3)
    assert found.groups is not None and found.groups.tolist() == ["ann", "bob"]
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"^list\.csv, row 2: damaged audio"):
        source_of(tmp_path, "audio", sample_rate=8000)


@pytest.mark.parametrize(
    ("name", "text", "settings", "says"),
    [
        ("t.csv", "a,label\n1,x\n2,y,z\n", {}, r"t\.csv: line 3 has 3 cells for 2 columns"),
        ("t.csv", 'a,label\n1,"x\n', {}, r"t\.csv: line 2 cannot be read \(unexpected end of data\)"),
        ("t.csv", "a,label\n1,x\ntwo,y\n", {}, r"t\.csv, row 2: column a: 'two' is no number"),
        (
            "t.csv",
            "a,label\n1,x\n",
            {"label_columns": "klass"},
            r"no column klass \(data\.label_columns\); it has a, label",
        ),
        ("t.csv", "a,label\n1,x\n", {"input_columns": ["c"]}, r"no column c \(data\.input_columns\); it has a, label"),
        ("t.csv", "a,label\n1,x\n", {"group_column": "who"}, r"no column who \(data\.group_column\)"),
        ("t.csv", "a,y,split\n1,x,holdout\n", {}, r"t\.csv, row 1: split 'holdout'; allowed is train, test"),
        ("t.csv", "a,y\n1,x\n", {"answers": "values"}, r"t\.csv, row 1: label 'x' is no number"),
        (
            "t.csv",
            "a,y\n1,-2.3003434\n2,4\n3,\n",
            {},
            r"^column y: 2 different numbers, such as -2\.3; data\.answers=values \(with loss=mse\) predicts them",
        ),
        ("t.csv", "a,label\n", {}, r"holds no examples"),
        ("t.jsonl", '{"a": 1}\n{"a": 1\n', {}, r"t\.jsonl: line 2 is no JSON"),
        ("t.jsonl", "[1]\n", {}, r"t\.jsonl: line 1 is no object"),
        ("t.parquet", "PAR1", {}, r"t\.parquet: cannot be read"),
        (
            "t.csv",
            "a,b\n1,2\n1e39,3\n",
            {},
            r"t\.csv.*2: column a: 1e\+39 is too large for 32 bits",
        ),
        ("t.csv", "a,y\n1,1e300\n", {"answers": "values"}, r"t\.csv.*1: label 1e\+300 is too large for 32 bits"),
        ("t.csv", "a;y\n1;2\n", {}, r"t\.csv: one column, 'a;y'; it looks separated by ';', not commas"),
        ("t.csv", "a,a,y\n1,2,x\n", {}, r"t\.csv: two columns are called a"),
        ("t.jsonl", '{"a": 1, "a": 2}\n', {}, r"t\.jsonl: line 1: a is there twice"),
        ("t.jsonl", '{"a": [1, 2]}\n', {}, r"t\.jsonl.*1: column a: \[1, 2\] is no number"),
        ("t.jsonl", '{"a": 1, "y": [1]}\n', {}, r"t\.jsonl.*1: label \[1\] is neither a name nor a number of a class"),
        ("t.jsonl", '{"a": 1, "y": {"b": 1}}\n', {}, r"t\.jsonl.*1: label \{'b': 1\} is neither a name"),
        ("t.jsonl", '{"a": 1, "y": [1]}\n', {"answers": "values"}, r"t\.jsonl.*1: label \[1\] is no number"),
        ("t.jsonl", '{"a": 1, "y": Infinity}\n', {}, r"t\.jsonl.*1: label inf is neither a name nor a number"),
        ("t.jsonl", '{"a": 1, "group": [1]}\n', {}, r"t\.jsonl.*1: column group: \[1\] is a list or mapping"),
        ("t.jsonl", f'{{"a": 1{"0" * 400}}}\n', {}, r"t\.jsonl.*1: column a: 1000+\.\.\.0+ is no number"),
        ("t.jsonl", f'{{"a": 1{"0" * 5000}}}\n', {}, r"t\.jsonl: line 1: .*4300 digits"),
        ("t.jsonl", '{"a": 1, "y": "\\ud800"}\n', {}, r"t\.jsonl: line 1 has '\\ud800', half a character"),
        ("t.jsonl", "[" * 100_000, {}, r"t\.jsonl: line 1 is nested too deeply"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, text: str, settings: dict[str, object], says: str) -> None:
    with pytest.raises(DataError, match=says) as raised:
        source_of(write(tmp_path / name, text), "features", **settings)
    assert len(str(raised.value).splitlines()) == 1


def test_a_date_is_no_number(tmp_path: Path) -> None:
    for column in (
        pd.to_datetime(["2020-02-01", "2020-02-02"]),
        [datetime.date(2020, 2, 1), datetime.date(2020, 2, 2)],
    ):
        pd.DataFrame({"when": column, "y": ["a", "b"]}).to_parquet(tmp_path / "t.parquet")
        with pytest.raises(DataError, match=r"1: column when: 2020-02-01.*, a date, is no number"):
            source_of(tmp_path / "t.parquet", "features")


def test_the_one_column_of_texts_has_to_be_clear(tmp_path: Path) -> None:
    file = write(tmp_path / "t.jsonl", json.dumps({"question": "?", "answer": "!"}))
    with pytest.raises(DataError, match=r"give the one column of text as data\.input_columns .* question, answer"):
        source_of(file, "text")
    assert source_of(file, "text", input_columns="answer").inputs == ["!"]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_nothing_is_an_empty_text_and_a_number_is_as_it_is_written(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    if suffix == ".parquet":
        pd.DataFrame({"text": ["2", None], "label": ["a", "b"]}).to_parquet(file)
    else:
        write(
            file,
            {".jsonl": '{"text": 2, "label": "a"}\n{"text": null, "label": "b"}\n'}.get(
                suffix, "text,label\n2,a\n,b\n"
            ),
        )
    assert source_of(file, "text").inputs == ["2", ""]


def test_cells_keep_their_ends_of_lines_and_tables_have_no_byte_order_mark(tmp_path: Path) -> None:
    for name, content in (
        ("t.csv", 'text,label\r\n"a\r\nb",x\r\n'),
        ("t.jsonl", '{"text": "a\\r\\nb", "label": "x"}\r\n'),
    ):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + content.encode())
        assert source_of(tmp_path / name, "text").inputs == ["a\r\nb"]


@pytest.mark.parametrize("inside", [True, False])
def test_a_sound_that_was_cut_off(tmp_path: Path, inside: bool) -> None:
    """Whether it lies in a file of its own or in a cell."""
    whole = tmp_path / "a.wav"
    soundfile.write(whole, np.zeros(4000), 8000, subtype="PCM_16")
    content = whole.read_bytes()[:2001]
    with pytest.raises(DataError, match=r"^here: cut off: 978 frames, of which its header promises 4,000"):
        whole.write_bytes(content)
        decoded(content if inside else whole, "here")


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_a_sound_that_was_streamed_is_read_to_its_end(tmp_path: Path, size: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(4000), 8000, subtype="PCM_16")
    head, data, rest = (tmp_path / "a.wav").read_bytes().partition(b"data")
    wave, rate = decoded(head + data + size.to_bytes(4, "little") + rest[4:], "here")
    assert (len(wave), rate) == (4000, 8000)
