"""Data sets of Hugging Face, made and saved here; nothing is asked of a network."""

from __future__ import annotations

import io
import os
from pathlib import Path
from urllib.error import URLError

import datasets
import numpy as np
import pytest
from PIL import Image

from harness.data.dataset import Kind
from harness.data.settings import DataSettings
from harness.data.sources import read
from harness.errors import DataError


def of(folder: Path, kind: Kind, **settings: object):
    return read(DataSettings(source=f"hf:{folder}", **settings), kind)  # type: ignore[arg-type]


def test_texts_with_names_of_classes(tmp_path: Path) -> None:
    labelled = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    parts = {
        name: datasets.Dataset.from_dict({"text": texts, "label": labels}, features=labelled)
        for name, texts, labels in (("train", ["a", "b"], [1, 0]), ("test", ["c"], [-1]), ("validation", ["d"], [1]))
    }
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
    found = of(tmp_path / "saved", "text")
    assert found.inputs == ["a", "b", "c"] and found.classes == ("bad", "good")
    assert found.labels is not None and found.labels.tolist() == [1, 0, -2]  # -1 is no class
    assert found.split is not None and found.split.tolist() == ["train", "train", "eval"]
    assert found.names[2] == "test, row 1" and found.provenance.split_rule == "train and test (validation unused)"


def test_images_and_features_of_one_split(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(2, 4, 4), dtype=np.uint8)
    data = datasets.Dataset.from_dict(
        {"image": [Image.fromarray(p) for p in pixels], "label": [3, 5], "weight": [0.5, 1.5]},
        features=datasets.Features(
            {"image": datasets.Image(), "label": datasets.Value("int64"), "weight": datasets.Value("float64")}
        ),
    )
    data.save_to_disk(str(tmp_path / "saved"))
    found = of(tmp_path / "saved", "images")
    np.testing.assert_array_equal(found.inputs[:, 0], pixels)
    assert found.classes == ("3", "5") and found.split is None
    assert of(tmp_path / "saved", "features", input_columns="weight").inputs.tolist() == [[0.5], [1.5]]


def test_neither_in_the_cache_nor_on_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise ConnectionError("Couldn't reach 'nobody/nothing' on the Hub (OfflineModeIsEnabled)\nand more")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    says = r"^hf:nobody/nothing: neither in the cache nor to be had: Couldn't reach .*\(OfflineModeIsEnabled\)$"
    with pytest.raises(DataError, match=says):
        read(DataSettings(source="hf:nobody/nothing"), "text")


@pytest.mark.parametrize("answers", [True, False])
def test_a_hub_that_does_not_answer_is_not_asked_again(monkeypatch: pytest.MonkeyPatch, answers: bool) -> None:
    def opened(address: str, timeout: float) -> io.BytesIO:
        assert address == "https://hub.invalid" and timeout <= 5
        if answers:
            return io.BytesIO()
        raise URLError("no network")

    monkeypatch.setenv("HF_HUB_OFFLINE", "")  # so that it is as it was after the test
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.invalid")
    monkeypatch.setattr("urllib.request.urlopen", opened)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_: {"all": datasets.Dataset.from_dict({"text": ["a"]})})
    assert read(DataSettings(source="hf:nobody/nothing"), "text").inputs == ["a"]
    assert os.environ.get("HF_HUB_OFFLINE") == (None if answers else "1")


def test_splits_that_are_no_train_and_test(tmp_path: Path) -> None:
    one = datasets.Dataset.from_dict({"text": ["a"]})
    datasets.DatasetDict({"first": one, "second": one}).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(DataError, match=r"has the splits first, second; wanted are train and test"):
        of(tmp_path / "saved", "text")
