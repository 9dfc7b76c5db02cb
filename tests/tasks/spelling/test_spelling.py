"""Spelling to sound, on a planted language in which each letter has one sound, said twice if it is a vowel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from answered import answers, prompt

from harness.errors import DataError, SettingError
from harness.tasks.spelling.spelling import Spelling

SOUNDS = {"a": "AH1 AH0", "b": "B", "c": "K", "d": "D", "e": "EH1 EH0"}
LETTERS = "abcde'"


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory):
    words = ["".join(word) for n in (2, 3, 4, 5) for word in itertools.product(SOUNDS, repeat=n)]
    file = tmp_path_factory.mktemp("lexicon") / "planted.dict"
    file.write_text(
        "".join(f"{word} {' '.join(SOUNDS[letter] for letter in word)}\n" for word in words) + "a-b AH1 B\n"
    )
    return str(file)


@pytest.fixture
def task(lexicon):
    return Spelling(lexicon=lexicon, letters=LETTERS, max_letters=4, length_bins=[2], train_fraction=0.7)


def spelt(task, batch, row):
    """The word asked for and the phonemes answered."""
    signs = {task.n_answers + 1 + i: sign for i, sign in enumerate(task.letters)}
    *letters, separator = prompt(batch, row)
    *sounds, end = answers(batch, row)
    assert (separator, end) == (task.n_answers, task.n_answers - 1)
    return "".join(signs[token] for token in letters), [task.words.phonemes[token] for token in sounds]


def all_spelt(task, batch):
    return [spelt(task, batch, row) for row in range(len(batch.inputs))]


@pytest.mark.parametrize("stress", [False, True])
def test_letters_then_phonemes(lexicon, stress):
    task = Spelling(lexicon=lexicon, letters=LETTERS, max_letters=4, length_bins=[2, 3], stress=stress)
    assert task.words.phonemes == (
        ("AH0", "AH1", "B", "D", "EH0", "EH1", "K") if stress else ("AH", "B", "D", "EH", "K")
    )
    for batch in (task.train_batch(np.random.default_rng(0), 200), task.eval_batch()):
        for row, (word, sounds) in enumerate(all_spelt(task, batch)):
            expected = " ".join(SOUNDS[letter] for letter in word)
            assert " ".join(sounds) == (expected if stress else expected.replace("0", "").replace("1", ""))
            assert batch.inputs[row, 1:].tolist() == batch.targets[row, :-1].tolist()
            assert batch.subtask[row] == len(word) - 2
    assert task.subtasks == ["01 to 02 letters", "03 to 03 letters", "04 to 04 letters"]


def test_each_word_is_on_one_side_whatever_the_settings(task, lexicon):
    train, held_out = all_spelt(task, task.first_examples(task.n_train)), all_spelt(task, task.eval_batch())
    words = [word for word, _ in train + held_out]
    assert len(words) == len(set(words)) == 25 + 125 + 625
    assert abs(len(train) / 775 - 0.7) < 5 * np.sqrt(0.21 / 775)
    drawn = {word for word, _ in all_spelt(task, task.train_batch(np.random.default_rng(0), 3000))}
    assert drawn <= {word for word, _ in train}
    longer = Spelling(lexicon=lexicon, letters=LETTERS, max_letters=5, length_bins=[2], train_fraction=0.7, stress=True)
    still = {word for word, _ in all_spelt(longer, longer.first_examples(longer.n_train))}
    assert {word for word, _ in train} == {word for word in still if len(word) <= 4}


def test_fewer_evaluation_words(task, lexicon):
    some = Spelling(
        lexicon=lexicon, letters=LETTERS, max_letters=4, length_bins=[3], train_fraction=0.7, n_eval=50, eval_seed=3
    )
    chosen = {word for word, _ in all_spelt(some, some.eval_batch())}
    assert len(chosen) == 50
    assert chosen < {word for word, _ in all_spelt(task, task.eval_batch())}


def test_chance_goes_by_the_lengths_of_answers(task):
    lengths = task.eval_batch().scored.sum(axis=1)
    assert task.chance("exact_match") == pytest.approx((6.0**-lengths).mean())
    assert task.chance("answer_log_likelihood") is None, "no one number for answers of different lengths"


def test_what_is_recorded(task, lexicon):
    versions = task.versions
    assert versions["data_name"] == "planted" and versions["data_split_rule"] == "hash of each word: 0.3 held out"
    assert versions["data_words"] == "775 of 3,901"
    other = Spelling(lexicon=lexicon, letters=LETTERS, max_letters=4, length_bins=[2], stress=True).versions
    assert other["data_sha256"] != versions["data_sha256"]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"max_letters": 7}, r"task.length_bins=\[5, 7\]: allowed is rising numbers below 7"),
        ({"length_bins": [4, 3]}, r"task.length_bins=\[4, 3\]"),
        ({"letters": "aba"}, r"task.letters='aba': allowed is letters, none of them twice"),
        ({"max_letters": 1}, "task.max_letters=1"),
    ],
)
def test_settings_out_of_range(values, problem):
    with pytest.raises(SettingError, match=problem):
        Spelling(**values)


def test_too_few_words_are_left(lexicon):
    with pytest.raises(DataError, match=r"planted: 12 words of at most 3 letters.*; 200 are needed"):
        Spelling(lexicon=lexicon, letters="xyzab", max_letters=3, length_bins=[2]).eval_batch()


def test_a_bin_without_words(lexicon):
    task = Spelling(lexicon=lexicon, letters=LETTERS, max_letters=4, length_bins=[1])
    with pytest.raises(SettingError, match="none has 01 to 01 letters"):
        task.eval_batch()
