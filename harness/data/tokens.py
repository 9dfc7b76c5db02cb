"""Text as tokens: its bytes, or those of a byte-level BPE that is trained on the training texts alone.

A vocabulary ends with one token that no text holds, the end of a document. The tokens of a text are all the others:
their bytes, one after the other, are the text again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from harness.data.dataset import Dataset
from harness.data.load import Prepared
from harness.errors import SettingError, UserError
from harness.ranges import Range, or_null, whole

N_BYTES = 256

#: What `vocabulary` of a task on text may be: the bytes, a merge of two and the end of a document at the least. The
#: largest vocabularies of language models have a quarter of the most.
SIZES: Range = or_null(whole(N_BYTES + 2, 1_000_000), "bytes alone")
#: Bytes of training texts up to which a BPE is trained in a second or two.
_QUICK = 4_000_000
MEANING = "tokens of a byte-level BPE trained on the training texts, single bytes and the end of a document among them"


@dataclass(frozen=True)
class Vocabulary:
    """The tokens 0 ... V - 1.

    Attributes:
        n_bytes: (V,) int64 bytes that each token stands for; 0 for the last, the end of a document.
        encoded: texts -> for each, its tokens as int32.
        versions: what training depends on, to be recorded: the SHA-256 of a trained tokenizer, and its library.
    """

    n_bytes: np.ndarray
    encoded: Callable[[Sequence[str]], list[np.ndarray]]
    versions: dict[str, str]

    @property
    def end(self) -> int:
        """The token that ends a document."""
        return len(self.n_bytes) - 1

    def joined(self, texts: Sequence[str]) -> np.ndarray:
        """The tokens of all texts, each with its end after it."""
        end = np.array([self.end], dtype=np.int32)
        return np.concatenate([part for tokens in self.encoded(texts) for part in (tokens, end)])


def size_of(vocabulary: int | None) -> int:
    """V by the setting, without a look at the texts."""
    return N_BYTES + 1 if vocabulary is None else vocabulary


@lru_cache(maxsize=2)
def vocabulary_of(data: Prepared, vocabulary: int | None) -> Vocabulary:
    """The tokens of texts or questions, trained once in a process.

    Args:
        vocabulary: size of a BPE; None for bytes.

    Raises:
        SettingError: more tokens than the training texts have pairs to make them of.
        UserError: the library `tokenizers` is not installed.
    """
    return BYTES if vocabulary is None else _bpe(_texts(data.train), vocabulary)


def is_quick(data: Prepared, vocabulary: int | None) -> bool:
    """Whether texts become tokens in a second or two."""
    return vocabulary is None or _n_bytes(_texts(data.train)) <= _QUICK


def check_vocabulary(data: Prepared, vocabulary: int | None) -> None:
    """Refuse a size as `vocabulary_of` does; where that would take long, only one that is beyond all the bytes.

    Raises:
        SettingError, UserError: as `vocabulary_of`.
    """
    if is_quick(data, vocabulary):
        vocabulary_of(data, vocabulary)
    elif vocabulary is not None:
        _refuse_beyond(_texts(data.train), vocabulary)


def first_ends(is_end: np.ndarray) -> np.ndarray:
    """(n, T) bool, the first end token of each row, of (n, T) bool that are true at every one."""
    return np.asarray(is_end & (is_end.cumsum(axis=1) == 1))


def _bytes_of(texts: Sequence[str]) -> list[np.ndarray]:
    return [np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int32) for text in texts]


#: 256 tokens of one byte, and the end of a document.
BYTES = Vocabulary(np.array([1] * N_BYTES + [0]), _bytes_of, {})


def _texts(data: Dataset) -> list[str]:
    """What a tokenizer is trained on: texts, or questions each with its right answer."""
    if data.kind == "questions":
        return [f"{one.text} {one.choices[one.right]}" for one in data.inputs]
    return list(data.inputs)


def _bpe(texts: Sequence[str], size: int) -> Vocabulary:
    """Byte pairs that occur at least twice are merged, the most frequent first (Sennrich et al. 2016, algorithm 1)."""
    tokenizers = _library(size)
    _refuse_beyond(texts, size)
    level = tokenizers.pre_tokenizers.ByteLevel
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = level(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size - 1, min_frequency=2, initial_alphabet=level.alphabet(), show_progress=False
    )
    bpe.train_from_iterator(texts, trainer, length=len(texts))
    if (found := bpe.get_vocab_size() + 1) < size:
        raise SettingError("task.vocabulary", size, f"at most {found:,}, for the training texts have no more pairs")
    n_bytes = np.zeros(size, dtype=np.int64)
    for token, number in bpe.get_vocab().items():
        n_bytes[number] = len(token)  # each byte is written as a letter of its own

    def encoded(texts: Sequence[str]) -> list[np.ndarray]:
        # One by one: what the library knows of a text takes a hundred bytes a token.
        return [np.array(bpe.encode(text).ids, dtype=np.int32) for text in texts]

    digest = hashlib.sha256(bpe.to_str().encode()).hexdigest()
    return Vocabulary(n_bytes, encoded, {"tokenizer_sha256": digest, "tokenizers": tokenizers.__version__})


def _refuse_beyond(texts: Sequence[str], size: int) -> None:
    """Each merge makes the texts shorter by a token or more, so that there are fewer merges than bytes."""
    most = N_BYTES + 1 + _n_bytes(texts)
    if size >= most:
        allowed = f"below {most:,}, for the training texts have {most - N_BYTES - 1:,} bytes to make tokens of"
        raise SettingError("task.vocabulary", size, allowed)


def _n_bytes(texts: Sequence[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def _library(size: int) -> Any:
    try:
        import tokenizers
    except ImportError as error:
        needs = "needs Hugging Face tokenizers: pip install 'scaling-harness[text]'"
        raise UserError(f"task.vocabulary={size}: {needs}") from error
    return tokenizers
