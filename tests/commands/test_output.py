from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

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
