"""Data from settings to training examples: recorded, and refused where they cannot be trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from data_files import write_mnist

from harness.data.dataset import Kind
from harness.data.load import prepared
from harness.data.settings import DataSettings
from harness.errors import UserError


def table(tmp_path: Path, rows: str, name: str = "t.csv") -> str:
    (tmp_path / name).write_text(rows)
    return f"path:{tmp_path / name}"


def test_what_was_done_is_recorded(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist")
    source = f"path:{tmp_path / 'mnist'}"
    data = prepared(DataSettings(source=source, prepare=["duplicates", {"standardise": {"by": "channel"}}]), "images")
    assert len(data.train) == 12 and len(data.evaluation) == 6
    assert data.report["step"].tolist() == ["read", "read", "duplicates", "standardise", "standardise"]
    assert data.report["left"].tolist() == [12, 6, 12, 12, 6]
    assert json.loads(data.versions["data_prepared"])[3]["note"].startswith("mean ")
    assert data.versions["data_name"] == "mnist" and data.versions["data_licence"] == "unknown: yours"
    other = prepared(DataSettings(source=source, name="mine"), "images")
    assert other.versions["data_sha256"] == data.versions["data_sha256"] and len(data.versions["data_sha256"]) == 64


def test_data_are_read_once_in_a_process(tmp_path: Path) -> None:
    settings = DataSettings(source=table(tmp_path, "a,y,split\n1,u,train\n2,v,train\n1,u,test\n2,v,test\n"))
    assert prepared(settings, "features") is prepared(settings, "features")


def test_steps_are_applied_in_order(tmp_path: Path) -> None:
    rows = "a,y,split\n" + "1,u,train\n" * 3 + ",v,train\n3,v,train\n2,u,test\n,v,test\n5,v,test\n"
    data = prepared(
        DataSettings(source=table(tmp_path, rows), prepare=["missing", "duplicates", "standardise"]), "features"
    )
    assert data.train.inputs[:, 0].tolist() == [-1, 1] and data.evaluation.inputs[:, 0].tolist() == [0, 3]


@pytest.mark.parametrize(
    ("rows", "kind", "settings", "says"),
    [
        (
            "a,y\n1,u\nnan,u\n",
            "features",
            {},
            r"t\.csv, row 2: NaN features; the step missing \(drop or mean\) handles",
        ),
        ("text,y\nb,u\n ,u\n", "text", {}, r"t\.csv, row 2: empty text; the step missing \(drop\) handles"),
        ("a,y\n1,u\n2,\n3,\n", "features", {}, r"t\.csv, row 2: label missing \(2 such rows\); the step labels drops"),
        (
            "a,y\n1,u\n2,w\n",
            "features",
            {"classes": ["u", "v"]},
            r"t\.csv, row 2: label out of range; classes are u, v",
        ),
        ("a,y\n1,u\n2,v\n", "features", {}, r"t: class v has no evaluation examples \(split: by the column split\)"),
        ("a,y\n1,u\n", "features", {"classes": ["u", "v"]}, r"t: class v has no training examples"),
        ("a,y\n1,u\n", "features", {"split": "hash", "eval_fraction": 0.01}, r"t: no evaluation examples are left"),
        ("text,y\na,u\n", "text", {"prepare": ["standardise"]}, r"data\.prepare\[0\]=standardise: .* a step for text"),
        ("text,y\na,u\n", "text", {"prepare": [{"missing": {"how": "mean"}}]}, r"data\.prepare\[0\]: missing: text"),
        ("a,y\n1,u\n,u\n", "features", {"prepare": ["standardise", "missing"]}, r"data\.prepare\[1\]=missing: cleans"),
    ],
)
def test_what_cannot_be_trained_on_is_named(
    tmp_path: Path, rows: str, kind: Kind, settings: dict[str, object], says: str
) -> None:
    columns, *cells = rows.splitlines()
    name = columns.partition(",")[0]
    split = [f"{columns},split", *(f"{each},train" for each in cells), "1,u,test"]
    source = table(tmp_path, "\n".join(split))
    assert name in ("a", "text")
    with pytest.raises(UserError, match=says) as raised:
        prepared(DataSettings(source=source, **settings), kind)  # type: ignore[arg-type]
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("rows", "settings", "says"),
    [
        ("a,y\n1,u\n2,u\n3,u\n4,u\n", {"eval_fraction": 0.5}, r"t: one class only, u; wanted are two or more"),
        ("a,y\n1,u\n", {}, r"t: no training examples are left .*; there is only one example"),
        ("a,y\n1,u\n1,u\n", {}, r"t: no training examples are left .*; all 2 examples are the same"),
        ("a,y,speaker\n1,u,ann\n2,v,\n3,v,\n", {"split": "groups"}, r"t\.csv.*2: no group \(2 such rows\), and"),
        ("a,y\n1,u\ninf,u\n3,v\n4,v\n5,v\n6,u\n", {"eval_fraction": 0.5}, r"t\.csv.*2: infinite features; the step"),
    ],
)
def test_what_the_split_and_the_whole_need(tmp_path: Path, rows: str, settings: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says):
        prepared(DataSettings(source=table(tmp_path, rows), **settings), "features")  # type: ignore[arg-type]


def test_what_the_source_left_out_is_in_the_report(tmp_path: Path) -> None:
    x, y = np.arange(20.0)[:, None], np.arange(20) % 2
    np.savez(tmp_path / "d.npz", x=x[:10], y=y[:10], x_test=x[10:], y_test=y[10:], more=x)
    data = prepared(DataSettings(source=f"path:{tmp_path / 'd.npz'}"), "features")
    assert data.report["note"].tolist() == ["arrays left out: more", ""]


def test_examples_keep_their_rows_through_preparation(tmp_path: Path) -> None:
    rows = "a,y,split\n" + "".join(f"{i},{'uv'[i % 2]},{'train' if i < 20 else 'test'}\n" for i in range(30))
    data = prepared(DataSettings(source=table(tmp_path, rows), prepare=["balance", "scale"]), "features")
    for side in (data.train, data.evaluation):
        for name, value, label in zip(side.names, side.inputs[:, 0], side.labels, strict=True):  # type: ignore[arg-type]
            row = int(name.rpartition(" ")[2]) - 1
            np.testing.assert_allclose(value, row / 19)
            assert label == row % 2
