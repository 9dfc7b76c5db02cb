"""Language modelling: windows of documents, and bits per byte, by which vocabularies compare."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest

from harness.data.settings import DataSettings
from harness.errors import SettingError, UserError
from harness.metrics import ACCURACY, BITS_PER_BYTE, LOSS, Outputs
from harness.tasks.language import Language

WORDS = ["scaling", "laws", "relate", "loss", "to", "size", "and", "data", ";", "a", "jump", "of", "metric"]


@pytest.fixture
def data(tmp_path: Path) -> DataSettings:
    rng = np.random.default_rng(0)
    for side, n in (("train", 40), ("test", 10)):
        (tmp_path / side).mkdir()
        for i in range(n):
            (tmp_path / side / f"{i:02d}.txt").write_text(" ".join(rng.choice(WORDS, size=60)) + f" {side}")
    return DataSettings(source=f"path:{tmp_path}")


def text_of(tokens: np.ndarray) -> str:
    return bytes(tokens[tokens < 256].tolist()).decode()


def test_windows_are_of_their_side_and_end_documents(data: DataSettings) -> None:
    task = Language(context=32, n_eval=None, data=data)
    train, held_out = task.corpus
    assert (train == 256).sum() == 40 and (held_out == 256).sum() == 10
    assert "test" not in text_of(train) and "train" not in text_of(held_out)
    batch = task.eval_batch()
    assert len(batch.inputs) == len(held_out) // 33
    np.testing.assert_array_equal(batch.inputs[:, 1:], batch.targets[:, :-1])
    assert task.signature.n_outputs == task.signature.vocab_size == 257


@pytest.mark.parametrize("vocabulary", [None, 262])
def test_a_file_that_changed_is_tokenised_anew(tmp_path: Path, vocabulary: int | None) -> None:
    path = tmp_path / "texts.jsonl"
    task = Language(context=8, n_eval=None, vocabulary=vocabulary, data=DataSettings(source=f"path:{path}"))
    sides = []
    for text in ("the other one and the end", "that hat on the other hand"):
        path.write_text("".join(f'{{"text": "{text} {i}"}}\n' for i in range(60)))
        sides.append((task.corpus, task.versions))
    (first, before), (second, after) = sides
    assert before["data_sha256"] != after["data_sha256"]
    assert not np.array_equal(first[0], second[0])
    assert vocabulary is None or before["tokenizer_sha256"] != after["tokenizer_sha256"]


def test_a_training_set_of_windows_is_nested_and_does_not_overlap(data: DataSettings) -> None:
    task = Language(context=16, data=data)
    whole = task.first_examples(task.n_train)
    np.testing.assert_array_equal(task.first_examples(9).inputs, whole.inputs[:9])
    assert whole.inputs.size == task.n_train * 16
    train = task.corpus[0][: task.n_train * 16].reshape(-1, 16)
    np.testing.assert_array_equal(np.unique(whole.inputs, axis=0), np.unique(train, axis=0))


def uniform(task: Language) -> Outputs:
    """What a model that knows nothing says of the evaluation set."""
    batch = task.eval_batch()
    log_prob = np.full(batch.targets.shape, -np.log(task.signature.n_outputs))
    n_bytes = task.target_bytes[batch.targets]
    return Outputs(log_prob, batch.targets == 97, batch.scored, -log_prob, n_bytes)


@pytest.mark.parametrize("vocabulary", [None, 280])
def test_chance_is_what_a_uniform_model_gets(data: DataSettings, vocabulary: int | None) -> None:
    task = Language(context=16, n_eval=20, data=data, vocabulary=vocabulary)
    outputs = uniform(task)
    for metric in (LOSS, BITS_PER_BYTE):
        assert metric.score(outputs).mean() == pytest.approx(task.chance(metric.name))
    assert task.chance(ACCURACY.name) == 1 / task.signature.n_outputs


def test_bits_per_byte_are_all_nats_over_all_bytes(data: DataSettings) -> None:
    """A model of words by their frequencies gets the same bits per byte however its words are cut into tokens."""
    task = Language(context=16, n_eval=None, data=data, vocabulary=280)
    outputs = uniform(task)
    nats = np.random.default_rng(0).exponential(size=outputs.loss.shape)
    # Of the probabilities, whatever the loss of training is: a squared error is no nat.
    found = BITS_PER_BYTE.score(dataclasses.replace(outputs, log_prob=-nats, loss=0 * nats)).mean()
    decoded = sum(task.target_bytes[row].sum() for row in task.eval_batch().targets)
    assert found == pytest.approx(nats.sum() / decoded / np.log(2))


def test_versions_name_corpus_and_tokenizer(data: DataSettings) -> None:
    by_bytes, by_bpe = (Language(data=data, vocabulary=size) for size in (None, 280))
    assert len(by_bytes.versions["data_sha256"]) == 64 and "tokenizer_sha256" not in by_bytes.versions
    assert by_bpe.versions["tokenizer_sha256"] and by_bpe.versions["data_sha256"] == by_bytes.versions["data_sha256"]


def test_a_task_travels_without_its_texts(data: DataSettings) -> None:
    task = Language(context=16, n_eval=20, data=data, vocabulary=280)
    task.eval_batch()
    travelled = pickle.dumps(task)
    assert len(travelled) < 2000
    np.testing.assert_array_equal(pickle.loads(travelled).eval_batch().inputs, task.eval_batch().inputs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"vocabulary": 257},
            "task.vocabulary=257: allowed is a whole number from 258 to 1,000,000, or null for bytes",
        ),
        ({"context": 5000}, r"task.context=5000: allowed is at most \d,\d\d\d: the evaluation texts have"),
        ({"n_eval": 4000}, "task.n_eval=4000: allowed is at most"),
        ({"data": DataSettings()}, "data.source=null: allowed is embedded:NAME"),
    ],
)
def test_what_is_refused(data: DataSettings, changes: dict, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Language(**{"data": data, **changes}).eval_batch()


def test_empty_text_is_named(tmp_path: Path) -> None:
    for name, text in (("a.txt", "words"), ("b.txt", " \n"), ("c.txt", "more"), ("d.txt", "others")):
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=r"b\.txt: empty text"):
        Language(data=DataSettings(source=f"path:{tmp_path}", eval_fraction=0.5)).eval_batch()
