from __future__ import annotations

import pytest

from harness.records.importers.names import split_and_metric


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("eval/loss", ("eval", "loss")),
        ("val_loss", ("eval", "loss")),
        ("Loss/train", ("train", "loss")),
        ("valid.ppl", ("eval", "ppl")),
        ("test accuracy", ("eval", "test_accuracy")),
        ("train/wer", ("train", "wer")),
        ("eval/anything else", ("eval", "anything_else")),
        ("loss_epoch", ("train", "loss")),
        ("f1", ("train", "f1")),
        ("bits_per_byte", ("train", "bits_per_byte")),
        ("brier_score", ("train", "brier_score")),
        ("my_score", ("train", "my_score")),
        ("train/learning_rate", None),
        ("train/grad_norm", None),
        ("eval/runtime", None),
        ("train_loss", ("train", "loss")),
        ("gradient_flossing", None),
        ("gpu.0.terror", None),
        ("colour", None),
    ],
)
def test_split_and_metric(name: str, wanted: tuple[str, str] | None) -> None:
    assert split_and_metric(name) == wanted
