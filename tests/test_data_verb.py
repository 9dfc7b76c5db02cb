"""``harness data``: counts, what preparation removed, provenance, and a picture of each kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command import run
from data_files import write_mnist
from PIL import Image
from planted_data import planted

from harness import data_verb
from harness.report.example_plots import plot_features, plot_texts

TABLE = "x,label,split\n" + "".join(f"{i % 6},{'ab'[i % 2]},{'train' if i < 8 else 'test'}\n" for i in range(12))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TABLE)


def test_counts_steps_and_provenance(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("data.source=path:t.csv", "data.prepare=[duplicates,standardise]", "--kind", "features")
    shown = run(capsys, "data", *words, "--out", "t.png")
    assert shown.code == 0
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["a", "1", "2"] in lines and ["all", "2", "4"] in lines
    assert ["duplicates", "train", "6", "0", "2", "4", "of", "them", "of", "held-out", "examples"] in lines
    assert "licence: unknown: yours" in shown.out and "split rule: by the column split" in shown.out
    assert Image.open("t.png").size[0] == 1400


def test_numbers_far_from_unit_scale_are_cautioned_of_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.random.default_rng(0).normal([300, 50], [99, 15], size=(60, 2))
    np.savetxt(tmp_path / "v.csv", rows, delimiter=",", header="x,y", comments="")
    data = ("task=table", "data.source=path:v.csv", "data.answers=values")
    study = ("family=mlp", "loss=mse", "ladder.widths=[2,4]", "ladder.steps=2", "ladder.batch_size=4", "seeds=1")
    for words in (("data", *data), ("plan", *data, *study), ("sweep", *data, *study, "results=raw")):
        shown = run(capsys, *words)
        assert shown.code == 0, shown.err
        assert shown.err.count("the features are far from unit scale (root mean square") == 1
        assert shown.err.count("values to be predicted are far from unit scale (mean ") == 1
    for words in (
        ("sweep", *data, *study, "results=raw"),  # nothing is left to be trained
        ("plan", *data, *study, "data.prepare=[{standardise: {targets: true}}]"),
    ):
        assert "far from unit scale" not in run(capsys, *words).err


@pytest.mark.parametrize("augment", ["[]", "[flip,affine,{mixup: {alpha: 1}}]"])
def test_a_contact_sheet(augment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_mnist(tmp_path / "mnist")
    words = ("data=mnist", "data.source=path:mnist", f"data.augment={augment}", "--kind=images", "--out=sheet.png")
    assert run(capsys, "data", *words).code == 0
    rows = 2 if augment == "[]" else 3
    assert Image.open("sheet.png").size == (1400, 200 * rows + 60)


def test_a_contact_sheet_shows_every_class_alike() -> None:
    labels = np.repeat([0, 1, 2], [90, 2, 8])
    shown = data_verb._some(planted("features", np.arange(100.0)[:, None], labels), 12)
    assert shown.labels is not None and shown.labels.tolist() == [0] * 5 + [1] * 2 + [2] * 5
    assert len(set(shown.inputs[:, 0])) == 12


def test_histograms_have_the_names_of_columns_and_the_colours_of_classes() -> None:
    labels = np.array([0, 1, 1])
    figure = plot_features(np.eye(3)[:, :2], ["size", "$weight"], labels, ["light", "heavy"])
    assert [ax.get_title() for ax in figure.axes] == ["size", "$weight"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["light", "heavy"]
    colours = {bar.get_facecolor() for bar in figure.axes[0].patches}
    assert len(colours) == 2
    assert not plot_features(np.eye(3), ["a", "b", "c"], np.arange(3), [str(i) for i in range(9)]).legends


def test_histograms_of_values_to_be_predicted_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    targets = {"price": np.arange(3.0)}
    figure = plot_features(np.eye(3), ["a", "b", "c"], targets=targets)
    assert [ax.get_title() for ax in figure.axes] == ["price (to be predicted)", "a", "b", "c"]
    data = planted("features", np.eye(3), np.array([[1.0, 2], [3, 4], [5, 6]]))
    named = data_verb._targets(data, data_verb.DataSettings(label_columns=["u", "v"]))
    assert {name: values.tolist() for name, values in named.items()} == {"u": [1, 3, 5], "v": [2, 4, 6]}
    assert list(data_verb._targets(data, data_verb.DataSettings())) == ["value 0", "value 1"]
    assert not data_verb._targets(planted("features", np.eye(3), [0, 1, 1]), data_verb.DataSettings())


def test_snippets_fill_their_boxes() -> None:
    for text in ("words and words " * 8, "words and words " * 20, "words and words " * 900):
        figure = plot_texts([text] * 8, ["about words"] * 8)
        figure.set_dpi(200)  # at which pictures are saved
        figure.draw_without_rendering()
        box, (drawn,) = figure.axes[0].get_window_extent(), figure.axes[0].texts
        extent = drawn.get_window_extent()
        assert 0.7 * box.height < extent.height <= box.height
        assert 0.8 * box.width < extent.width <= box.width
    assert drawn.get_text().endswith("\n...")


def test_spectrograms_and_snippets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "s.npz", waves=np.random.default_rng(0).normal(size=(20, 400)), sample_rate=8000)
    (tmp_path / "words.txt").write_text("\n\n".join(f"paragraph {i} of $dollars_" for i in range(20)))
    sources = (
        ("path:s.npz", "--kind=audio"),
        ("path:words.txt", "task=language"),
        ("embedded:numbers", "--kind=questions"),
    )
    for place, (source, kind) in enumerate(sources):
        assert run(capsys, "data", f"data.source={source}", kind, f"--out={place}.png").code == 0
        assert np.asarray(Image.open(f"{place}.png").convert("L")).std() > 5, "not blank"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["data.source=path:t.csv"],
            "data: no task is chosen; give task=NAME (images, language, multiple_choice, speech, table, "
            "text_classification) or --kind KIND (images, text, audio, features, questions), e.g. harness data task=",
        ),
        (["data.source=path:t.csv", "task=parity"], "data: the chosen task reads no data; give task=NAME"),
        (["--kind", "text"], "data.source=null"),
        (["data=digit", "--kind=text"], "digits"),
        (["data.source=path:t.csv", "--kind=sounds"], "--kind=sounds: allowed is"),
        (
            ["data.source=path:t.csv", "--kind=features", "data.augment=[noise,specaugment]"],
            "data.augment[1]=specaugment: allowed is a step for features; specaugment is for audio",
        ),
        (["data.source=path:t.csv", "--kind"], "--kind: a value is wanted"),
        (["data.source=path:t.csv", "--kind=features", "--out=t.xyz"], "--out=t.xyz: allowed is a file that ends with"),
        (["data.source=path:gone.csv", "--kind=features"], "gone.csv: no such file or folder"),
        (["experiment=quickstart", "--kind=features"], "data shows those of one study"),
        (["t.csv", "--kind=features"], "t.csv: settings are written NAME=VALUE"),
    ],
)
def test_mistakes(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "data", *words).refused(says)


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "data", "--help")
    assert shown.code == 0 and "--out FILE" in shown.out and "harness settings data" in shown.out
