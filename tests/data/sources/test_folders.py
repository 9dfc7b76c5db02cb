"""Folders: images and sounds by class, text files, and what else may lie at a path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from data_files import source_of
from PIL import Image

from harness.errors import DataError


def picture(path: Path, size: tuple[int, int] = (4, 3), mode: str = "L", value: int = 7) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size[::-1], value if mode == "L" else (value, 0, 0)).save(path)


def test_images_by_class(tmp_path: Path) -> None:
    for i, name in enumerate(("dog/1.png", "cat/2.png", "cat/3.png")):
        picture(tmp_path / name, value=i)
    found = source_of(tmp_path, "images")
    assert found.classes == ("cat", "dog") and found.names == ["cat/2.png", "cat/3.png", "dog/1.png"]
    assert found.labels is not None and found.labels.tolist() == [0, 0, 1] and found.split is None
    assert found.inputs.shape == (3, 1, 4, 3) and found.inputs[:, 0, 0, 0].tolist() == [1, 2, 0]


def test_train_and_test_above_the_classes(tmp_path: Path) -> None:
    for name in ("train/a/1.png", "train/b/2.png", "test/a/3.png"):
        picture(tmp_path / name)
    found = source_of(tmp_path, "images")
    assert found.split is not None and found.split.tolist() == ["eval", "train", "train"]
    assert found.classes == ("a", "b")
    picture(tmp_path / "train/4.png")
    with pytest.raises(DataError, match=r"lies at train/4\.png|lies at test/a/3\.png; wanted is CLASS/FILE"):
        source_of(tmp_path, "images")


def test_images_of_two_sizes_or_colours_are_refused_or_made_alike(tmp_path: Path) -> None:
    picture(tmp_path / "a/1.png")
    picture(tmp_path / "a/2.png", size=(8, 6), value=9)
    with pytest.raises(DataError, match=r"^a/2\.png: 8 x 6 pixels of 1 channel, and a/1\.png is 4 x 3 pixels"):
        source_of(tmp_path, "images")
    found = source_of(tmp_path, "images", image_size=[2, 3])
    assert found.inputs.shape == (2, 1, 2, 3) and found.inputs[1].max() == 9
    picture(tmp_path / "a/2.png", mode="RGB")
    with pytest.raises(DataError, match=r"^a/2\.png: .* of 3 channels, .*data\.channels=1 or 3"):
        source_of(tmp_path, "images")
    assert source_of(tmp_path, "images", channels=3).inputs.shape == (2, 3, 4, 3)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "a/1.png")
    (tmp_path / "a" / "2.png").write_bytes(b"GIF, or not")
    with pytest.raises(DataError, match=r"^a/2\.png: damaged image \(not an image that Pillow knows\)$"):
        source_of(tmp_path, "images")


def test_what_is_left_out_of_folders_is_counted_and_links_are_followed(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "cat" / "1.png")
    picture(tmp_path / "elsewhere" / "2.png")
    (tmp_path / "data" / "dog").symlink_to(tmp_path / "elsewhere")
    picture(tmp_path / "data" / "3.png")
    for name in ("cat/notes.txt", "readme.md", ".hidden"):
        (tmp_path / "data" / name).write_text("?")
    found = source_of(tmp_path / "data", "images")
    assert found.classes == ("cat", "dog") and found.names == ["cat/1.png", "dog/2.png"]
    assert found.note == "images outside a class left out: 1; files that are no images left out: 2"


@pytest.mark.parametrize(
    ("name", "to", "says"),
    [
        ("b", None, r"b: a folder without images; each folder is a class"),
        ("a/again", "..", r"a/again: a link that leads back to a folder that it is in"),
        ("a/2.png", "nowhere.png", r"a/2\.png: a link to nothing"),
    ],
)
def test_folders_and_links_that_hold_nothing(tmp_path: Path, name: str, to: str | None, says: str) -> None:
    picture(tmp_path / "a/1.png")
    if to is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).symlink_to(to)
    with pytest.raises(DataError, match=says):
        source_of(tmp_path, "images")


def test_transparency_and_motion_that_are_ignored_are_said(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name, alpha in (("1", 0), ("2", 255)):
        Image.new("RGBA", (3, 3), (9, 9, 9, alpha)).save(tmp_path / "a" / f"{name}.png")
    frames = [Image.new("RGB", (3, 3), (value, 0, 0)) for value in (0, 255)]
    frames[0].save(tmp_path / "a" / "3.gif", save_all=True, append_images=frames[1:])
    note = source_of(tmp_path, "images").note
    assert note == "transparency ignored in 1 images; frames after the first ignored in 1 images"


def test_an_image_too_large_to_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "a/1.png", size=(9, 9))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    with pytest.raises(DataError, match=r"a/1\.png: too large an image; Pillow opens up to 80 pixels"):
        source_of(tmp_path, "images")


def test_a_path_that_is_a_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"link: a link to nothing"):
        source_of(tmp_path / "link", "images")


def test_sounds_by_class(tmp_path: Path) -> None:
    for name, value in (("no/1.wav", 0.25), ("yes/2.wav", -0.5)):
        (tmp_path / name).parent.mkdir()
        soundfile.write(tmp_path / name, np.full(10, value), 8000)
    found = source_of(tmp_path, "audio")
    assert found.classes == ("no", "yes") and found.sample_rate == 8000
    assert [wave[3] for wave in found.inputs] == [0.25, -0.5] and found.inputs[0].dtype == np.float32


def test_a_folder_of_texts_and_a_file_of_paragraphs(tmp_path: Path) -> None:
    for name, text in (("b.txt", "second\n"), ("a/x.md", "first"), (".git/config", "hidden")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = source_of(tmp_path, "text")
    assert found.inputs == ["first", "second\n"] and found.names == ["a/x.md", "b.txt"] and found.labels is None
    file = tmp_path / "c.txt"
    file.write_text("\none\ntwo\n \n\nthree")
    found = source_of(file, "text")
    assert found.inputs == ["one\ntwo\n", "three"] and found.names == ["c.txt, line 2", "c.txt, line 6"]
    file.write_bytes(b"good\n\xff\n")
    with pytest.raises(DataError, match=r"c\.txt: line 2 is not UTF-8"):
        source_of(file, "text")


def test_texts_are_the_bytes_of_their_files(tmp_path: Path) -> None:
    """CRLF, a byte order mark and all, in documents and in the paragraphs of one file."""
    for name, content in (("a.txt", b"one\r\ntwo\r\n"), ("b.txt", b"\xef\xbb\xbfone\ntwo\r")):
        (tmp_path / name).write_bytes(content)
    assert [text.encode() for text in source_of(tmp_path, "text").inputs] == [
        b"one\r\ntwo\r\n",
        b"\xef\xbb\xbfone\ntwo\r",
    ]
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\r\n\r\nthree\r\n")
    found = source_of(tmp_path / "a.txt", "text")
    assert found.inputs == ["one\r\ntwo\r\n", "three\r\n"] and found.names == ["a.txt, line 1", "a.txt, line 4"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("fashion-mnist", r"fashion-mnist: no such file or folder; apt install dataset-fashion-mnist"),
        ("mnist", r"mnist: no such file or folder; put MNIST's four files there, \{train,t10k\}-images-idx3-ubyte"),
        ("mine", r"mine: no such file or folder; nothing is fetched"),
        ("", r"holds \.log, other; images are read from IDX files"),
        ("x.log", r"x\.log: is a \.log file; images are read from IDX files"),
    ],
)
def test_nothing_that_could_be_read(tmp_path: Path, path: str, says: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "x.log").write_text("?")
    with pytest.raises(DataError, match=says):
        source_of(tmp_path / path, "images")
