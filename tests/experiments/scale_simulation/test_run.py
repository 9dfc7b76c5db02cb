"""The command prints every table and draws the figure."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import studies
from command import REPOSITORY


def test_tables_and_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("scale_run", REPOSITORY / "experiments/scale_simulation/run.py")
    assert spec is not None and spec.loader is not None
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    monkeypatch.setattr(run, "QUICK", studies.Scale(1, 2, 1))
    run.main(["--quick", "--figure", str(tmp_path / "figure.png")])
    printed = capsys.readouterr().out
    assert all(f"\n{name}: " in printed for name in studies.STUDIES)
    assert "RSC-1: 6.50 failures per 1,000 node-days" in printed
    assert (tmp_path / "figure.png").stat().st_size > 20_000
    with pytest.raises(SystemExit, match="2"):
        run.main(["--only", "rules", "--figure", "x.png"])
