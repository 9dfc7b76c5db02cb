"""Tables with a known truth for the verbs that take a table, and the beginnings of commands on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command import Ran, run

TRUTH = {"E": 1.8, "A": 482.0, "B": 2085.0, "alpha": 0.35, "beta": 0.37}
FIT = ("fit", "sizes.csv", "--law", "power_floor", "--x", "x", "--y", "loss")
SURFACE = ("surface.csv", "--x", "N,D", "--y", "loss")
FORECAST = ("forecast", *SURFACE)
ALLOCATE = ("allocate", *SURFACE)
AT = ("--at", "N=7e9,D=1.4e11")


def surface_loss(n: Any, d: Any) -> Any:
    return TRUTH["E"] + TRUTH["A"] * n ** -TRUTH["alpha"] + TRUTH["B"] * d ** -TRUTH["beta"]


def write_tables() -> None:
    """sizes.csv: 8 sizes x 3 seeds of 1.5 + 100 x^-.5; surface.csv: 25 runs of `TRUTH`; one run scatters by .2 %."""
    rng = np.random.default_rng(0)
    x = np.repeat(np.geomspace(1e3, 1e6, 8), 3)
    loss = (1.5 + 100 * x**-0.5) * np.exp(0.002 * rng.standard_normal(24))
    pd.DataFrame({"x": x, "loss": loss, "seed": np.tile(range(3), 8)}).to_csv("sizes.csv", index=False)
    n, d = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 5e10, 5)))
    loss = surface_loss(n, d) * np.exp(0.002 * rng.standard_normal(25))
    columns = {"N": n, "D": d, "C": 6 * n * d, "loss": loss, "corpus": np.tile(["a", "b", "a", "a", "a"], 5)}
    share = 0.25 + 0.7 / (1 + np.exp((loss - 3) / 0.4)) + 0.002 * rng.standard_normal(25)
    error = 0.9 - 0.8 * np.exp(-0.9 * loss) + 0.002 * rng.standard_normal(25)
    pd.DataFrame(columns | {"share": share, "error": error}).to_csv("surface.csv", index=False)


def done(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[dict[str, Any], Ran]:
    """The JSON that a command wrote, and what it printed."""
    ran = run(capsys, *argv, "--json", "out/found.json")
    assert ran.code == 0 and ran.err == "", ran.err
    return json.loads(Path("out/found.json").read_text()), ran


def change_row(row: int, **cells: Any) -> None:
    """sizes.csv, with other cells in a row (counted from 1)."""
    frame = pd.read_csv("sizes.csv").astype(object)
    frame.loc[row - 1, list(cells)] = list(cells.values())
    frame.to_csv("sizes.csv", index=False)
