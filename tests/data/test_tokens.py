"""Vocabularies: what tokens stand for, that nothing is lost, and that a BPE is the same every time."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from harness.data import tokens
from harness.data.load import prepared
from harness.data.settings import DataSettings
from harness.data.tokens import BYTES, check_vocabulary, size_of, vocabulary_of
from harness.errors import SettingError, UserError

TEXTS = ["the cat and the hat", "naïve café, über – 東京", "then the other one\n\tand the end"]


@pytest.fixture
def settings(tmp_path: Path) -> DataSettings:
    for side in ("train", "test"):
        (tmp_path / side).mkdir()
        for i, text in enumerate(TEXTS):
            (tmp_path / side / f"{i}.txt").write_text(text + " zzzz zzzz" * (side == "test"))
    return DataSettings(source=f"path:{tmp_path}")


def test_bytes() -> None:
    assert size_of(None) == len(BYTES.n_bytes) == 257 and BYTES.end == 256
    assert [bytes(one.tolist()).decode() for one in BYTES.encoded(TEXTS)] == TEXTS
    joined = BYTES.joined(["ab", "c"])
    assert joined.tolist() == [97, 98, 256, 99, 256]
    assert BYTES.n_bytes[joined].sum() == 3


def test_tokens_of_a_bpe_hold_every_byte_of_the_text(settings: DataSettings) -> None:
    vocabulary = vocabulary_of(prepared(settings, "text"), 262)
    assert size_of(262) == len(vocabulary.n_bytes) == 262
    assert vocabulary.n_bytes[-1] == 0 and (vocabulary.n_bytes[:-1] >= 1).all()
    unseen = [*TEXTS, "never seen: \x00\x7f ☃ <|endoftext|>"]
    for text, found in zip(unseen, vocabulary.encoded(unseen), strict=True):
        assert vocabulary.n_bytes[found].sum() == len(text.encode())
        assert found.max() < vocabulary.end
    assert len(vocabulary.encoded(TEXTS)[0]) < len(TEXTS[0])


def test_it_is_trained_on_the_training_texts_alone_and_the_same_every_time(settings: DataSettings) -> None:
    first = vocabulary_of(prepared(settings, "text"), 262)
    assert vocabulary_of(prepared(settings, "text"), 262) is first
    again = tokens._bpe(TEXTS, 262)
    assert again.versions == first.versions and len(first.versions["tokenizer_sha256"]) == 64
    assert tokens._bpe([*TEXTS, " zzzz zzzz" * 9], 262).versions != first.versions


def test_more_tokens_than_pairs(settings: DataSettings) -> None:
    data = prepared(settings, "text")
    with pytest.raises(SettingError, match=r"task.vocabulary=300: allowed is at most \d\d\d, for the training texts"):
        vocabulary_of(data, 300)


@pytest.mark.parametrize("quick", [0, 4_000_000])
def test_more_tokens_than_bytes_need_no_training(
    settings: DataSettings, monkeypatch: pytest.MonkeyPatch, quick: int
) -> None:
    monkeypatch.setattr(tokens, "_QUICK", quick)
    n_bytes = sum(len(text.encode()) for text in TEXTS)
    allowed = f"allowed is below {n_bytes + 257}, for the training texts have {n_bytes} bytes to make tokens of"
    data = prepared(settings, "text")
    monkeypatch.setattr(tokens, "_library", lambda size: None)
    with pytest.raises(SettingError, match=allowed):
        check_vocabulary(data, n_bytes + 257)


def test_much_text_is_not_made_tokens_of_for_a_check(settings: DataSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_QUICK", 0)
    monkeypatch.setattr(tokens, "_bpe", None)
    check_vocabulary(prepared(settings, "text"), 300)


def test_without_the_library(settings: DataSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UserError, match=r"task.vocabulary=263: needs .* pip install 'scaling-harness\[text\]'"):
        vocabulary_of(prepared(settings, "text"), 263)


def test_joined_texts_of_a_bpe(settings: DataSettings) -> None:
    vocabulary = vocabulary_of(prepared(settings, "text"), 262)
    joined = vocabulary.joined(TEXTS)
    np.testing.assert_array_equal(
        np.split(joined, np.flatnonzero(joined == 261) + 1)[0][:-1], vocabulary.encoded(TEXTS)[0]
    )
    assert (joined == 261).sum() == len(TEXTS)
