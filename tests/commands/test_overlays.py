"""harness compare --overlay: which pictures of the compared curves are drawn, under which names."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from command import run
from own_curves import write_curves

from harness import find_jumps
from harness.commands.overlays import draw_overlays


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_curves()


def pictures() -> list[str]:
    return sorted(path.name for path in Path().glob("*.png"))


def test_a_metric_asked_for_is_one_picture(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("compare", "small.csv", "large.csv", "--x", "params", "--metrics", "em", "--where", "task == 'reverse'")
    ran = run(capsys, *argv, "--overlay", "both.png")
    assert ran.code == 0, ran.err
    assert pictures() == ["both.png"] and "both.png\nboth.svg" in ran.out
    drawn = Path("both.svg").read_text()
    assert "small: N*" in drawn and "large: N*" in drawn, "text of the legend stands in the file as a comment"


def test_metrics_in_common_and_sizes_have_a_picture_each() -> None:
    frame = pd.concat([pd.read_csv(f"{name}.csv").assign(study=name, subtask="all") for name in ("small", "large")])
    frame = frame[frame["task"] != "sum"].assign(run_id=lambda rows: rows["study"] + rows["seed"].astype(str))
    lone = frame[(frame["study"] == "small") & (frame["task"] == "copy")].assign(metric="f1", paired_metric="")
    rows = pd.concat([frame, lone])
    jumps = {x: find_jumps(rows, x) for x in ("params", "flops")}
    paths = draw_overlays(rows, ["params", "flops"], None, Path("o.png"), 0.95, jumps)
    assert pictures() == ["o.em.flops.png", "o.em.params.png", "o.tok.flops.png", "o.tok.params.png"]
    assert len(paths) == 8
    drawn = Path("o.tok.params.svg").read_text()
    assert all(f"{size}: {task}" in drawn for size in ("small", "large") for task in ("copy", "reverse"))


def test_a_metric_cannot_lead_out_of_the_folder() -> None:
    frame = pd.concat([pd.read_csv(f"{name}.csv").assign(study=name, subtask="all") for name in ("small", "large")])
    frame = frame[frame["task"] == "copy"].drop(columns="paired_metric", errors="ignore").replace("em", "../e m")
    jumps = {"params": find_jumps(frame, "params")}
    draw_overlays(frame, ["params"], ["../e m", "tok"], Path("o.png"), 0.95, jumps)
    first, second = pictures()
    assert re.fullmatch(r"o\.___e_m-\w{10}\.png", first) and second == "o.tok.png"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["small.csv", "--overlay", "a.pdf"], ["--overlay=a.pdf", ".png"]),
        (
            ["small.csv", "--where", "task == 'copy'", "--overlay", "a.png"],
            ["--overlay: no two curves have a metric in common", "--metrics"],
        ),
    ],
)
def test_refused(argv: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "compare", *argv, "--x", "params").refused(*words)
    assert not pictures()
