"""What verbs leave in files."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from command import start, wait
from own_curves import FEW_SIZES, TOLD, write_curves
from own_tables import AT, FIT, FORECAST, write_tables

from harness.commands.output import check_plot, write_json
from harness.errors import SettingError, UserError


def test_what_json_cannot_hold(tmp_path: Path) -> None:
    content = {"x": np.float64("inf"), "y": [np.nan, np.int64(3)], 4: np.array([1.5, -np.inf]), "z": np.bool_(True)}
    write_json(str(tmp_path / "out" / "found.json"), content)
    written = json.loads((tmp_path / "out" / "found.json").read_text())
    assert written == {"x": "inf", "y": [None, 3], "4": [1.5, "-inf"], "z": True}
    assert float(written["x"]) == np.inf
    write_json(None, content)


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(UserError, match=r"out/found\.json cannot be written"):
        write_json(str(tmp_path / "out" / "found.json"), {})
    assert (tmp_path / "out").read_text() == "in the way"


def test_pictures_are_png() -> None:
    check_plot(None)
    check_plot("a/b.png")
    with pytest.raises(SettingError, match=r"--plot=a.pdf: allowed is a name that ends in .png"):
        check_plot("a.pdf")


@pytest.mark.parametrize(
    "command",
    [
        (*TOLD, *FEW_SIZES, "--plot", "out/found.png"),
        ("compare", *TOLD[1:], *FEW_SIZES, "--plot", "out/found.png"),
        (*FIT, "--plot", "out/found.png"),
        (*FORECAST, *AT),
        ("allocate", *FORECAST[1:], "--compute", "1e22"),
    ],
    ids=lambda command: command[0],
)
def test_files_are_whole_though_nobody_reads_what_is_printed(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`harness emergence ... --json found.json | head -1` lost the file."""
    monkeypatch.chdir(tmp_path)
    write_curves()
    write_tables()
    process = start(*command, "--json", "out/found.json", cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    ran = wait(process)
    assert ran.code == 128 + signal.SIGPIPE and "Traceback" not in ran.err
    assert json.loads((tmp_path / "out" / "found.json").read_text())["settings"]
    assert (tmp_path / "out" / "found.png").exists() == ("--plot" in command)
