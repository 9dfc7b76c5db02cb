"""Classes of texts: answered at the end of each, whatever is behind it; or by counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harness.data.settings import DataSettings
from harness.data.tokens import vocabulary_of
from harness.errors import UserError
from harness.families.base import Shape
from harness.families.transformer import Transformer
from harness.settings import ParametrizationSettings
from harness.tasks.text_classification import TextClassification

DATA = DataSettings(source="planted_texts.documents:60", eval_fraction=0.5)


def test_the_class_is_answered_at_the_end_of_the_text() -> None:
    task = TextClassification(DATA, context=400)
    batch, texts = task.eval_batch(), task.examples.evaluation
    assert batch.inputs.shape == batch.targets.shape == (len(texts), 400)
    for row, text in enumerate(texts.inputs):
        (place,) = np.flatnonzero(batch.scored[row])
        assert bytes(batch.inputs[row, :place].tolist()).decode() == text[:399]
        assert (batch.inputs[row, place:] == 256).all()
        assert texts.classes[batch.targets[row, place]] == ("cats" if int(texts.names[row]) % 2 else "dogs")
    assert (task.signature.n_outputs, task.signature.vocab_size) == (2, 257)
    assert list(task.subtasks) == ["cats", "dogs"]
    assert task.chance("loss") == pytest.approx(math.log(2)) and task.chance("accuracy") == 0.5


def test_what_is_behind_the_end_counts_for_nothing() -> None:
    task = TextClassification(DATA, context=500)
    batch = task.eval_batch().rows(slice(3))
    torch.manual_seed(0)
    family = Transformer(zero_head=False)
    model = family.build(Shape(8, 1, 1), task.signature, ParametrizationSettings())
    inputs = torch.from_numpy(batch.inputs)
    ends = torch.from_numpy(batch.scored).int().argmax(dim=1)
    other = inputs.clone()
    other[torch.arange(500)[None] > ends[:, None]] = 7
    rows = torch.arange(3)
    with torch.no_grad():
        torch.testing.assert_close(model(inputs)[rows, ends], model(other)[rows, ends])


def test_texts_that_are_cut_are_counted() -> None:
    lengths = {side: [len(text) for text in getattr(TextClassification(DATA).examples, side).inputs]
               for side in ("train", "evaluation")}  # fmt: skip
    task = TextClassification(DATA, context=301)
    cut, n = (int(np.sum(np.array(lengths["train"]) > 300)), len(lengths["train"]))
    assert 0 < cut < n and task.versions["texts_cut"].startswith(f"{cut} of {n} to train on")
    assert task.eval_batch().scored.sum(axis=1).tolist() == [1] * len(lengths["evaluation"])


def test_counts_of_a_bpe() -> None:
    task = TextClassification(DATA, vocabulary=280, form="counts")
    batch = task.eval_batch()
    assert task.signature.kind == "features" and batch.inputs.shape[1:] == (280,)
    (encoded,) = vocabulary_of(task.examples, 280).encoded(task.examples.evaluation.inputs[:1])
    assert np.expm1(batch.inputs[0]).sum() == pytest.approx(len(encoded), rel=1e-5)
    assert "texts_cut" not in task.versions and task.versions["tokenizer_sha256"]


@pytest.mark.parametrize(
    ("data", "changes", "message"),
    [
        ({"source": "embedded:stdlib"}, {}, "no labels; see data.label_columns"),
        ({"answers": "values"}, {}, "data.answers=values: allowed is classes"),
        ({"augment": ["token_dropout"]}, {"form": "counts"}, r"data.augment=.*: allowed is \[\] with task.form=counts"),
        ({}, {"form": "words"}, "task.form=words: allowed is"),
        ({}, {"context": 1}, "task.context=1: allowed is"),
    ],
)
def test_what_is_refused(data: dict, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        TextClassification(DataSettings(**{"source": DATA.source, "eval_fraction": 0.5} | data), **changes).eval_batch()
