"""A law of the user's own, in a folder of their own: by command and from Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import run
from own_tables import done

OWN_LAW = """
import numpy as np
from harness.analysis.fitting.laws import Law


class Saturating(Law):
    name = "saturating"
    formula = "E + A exp(-x / x0)"
    parameters = ("E", "A", "x0")
    log_parameters = frozenset({"A", "x0"})
    ranges = {"E": (0, 10), "A": (1e-2, 1e2), "x0": (1e3, 1e9)}

    def value(self, t, theta):
        floor, log_a, log_x0 = (theta[..., i, None] for i in range(3))
        return np.log(floor + np.exp(log_a - np.exp(t[..., 0, :] - log_x0)))
"""

OWN_SCRIPT = """
import pandas as pd

import harness
from own_law import Saturating

runs = pd.read_csv("runs.csv")
by_name = harness.ScalingLaw("own_law.Saturating").fit(runs["x"], runs["loss"])
by_instance = harness.ScalingLaw(Saturating()).fit(runs["x"], runs["loss"])
print(by_name.status_, by_name.params_ == by_instance.params_, by_name.params_["x0"])
"""

FIT = ("fit", "runs.csv", "--x", "x", "--y", "loss", "--law")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.delitem(sys.modules, "own_law", raising=False)
    (tmp_path / "own_law.py").write_text(OWN_LAW)
    x = np.repeat(np.geomspace(1e4, 3e6, 12), 3)
    noise = np.exp(0.003 * np.random.default_rng(0).standard_normal(36))
    pd.DataFrame({"x": x, "loss": (1.5 + 2 * np.exp(-x / 3e5)) * noise}).to_csv("runs.csv", index=False)
    return tmp_path


def test_fit_recovers_what_was_planted(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *FIT, "own_law.Saturating")
    assert found["law"] == "saturating" and found["formula"] == "E + A exp(-x / x0)" and found["status"] == "converged"
    # Standard errors: .0011 of E, and .6 % of x0: bounds at six and five of them.
    assert found["params"]["E"] == pytest.approx(1.5, abs=0.007)
    assert found["params"]["x0"] == pytest.approx(3e5, rel=0.03)
    low, high = found["intervals"]["x0"]
    assert low < 3e5 < high and "saturating: E + A exp(-x / x0)" in ran.out


def test_forecast_takes_it_too_and_a_picture_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    forecast = ("forecast", "runs.csv", "--x", "x", "--y", "loss", "--at", "x=1e7", "--law", "own_law.Saturating")
    found, _ = done(capsys, *forecast)
    assert found["weights"] == {"saturating": 1.0}
    assert found["forecasts"][0]["low"] < 1.5 < found["forecasts"][0]["high"]
    assert run(capsys, *FIT, "own_law.Saturating", "--plot", "fit.png").code == 0 and Path("fit.png").exists()


def test_from_python_by_name_and_by_instance(folder: Path) -> None:
    (folder / "own_script.py").write_text(OWN_SCRIPT)
    ran = subprocess.run([sys.executable, "own_script.py"], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    status, same, x0 = ran.stdout.split()
    assert (status, same) == ("converged", "True") and float(x0) == pytest.approx(3e5, rel=0.03)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("own_law.Saturated", ("--law=own_law.Saturated", "no attribute 'Saturated'")),
        ("nowhere.Law", ("--law=nowhere.Law cannot be imported", "No module named 'nowhere'")),
        ("own_law.np", ("--law=own_law.np", "is no Law")),
        ("saturating", ("--law", "allowed is one of best")),
    ],
)
def test_a_name_that_leads_to_no_law_is_refused(
    name: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, *FIT, name).refused(*words)


def test_its_columns_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    refused = run(capsys, "fit", "runs.csv", "--x", "x,loss", "--y", "loss", "--law", "own_law.Saturating")
    assert refused.refused("--x x,loss: 2 columns; saturating is a law of 1: x")
