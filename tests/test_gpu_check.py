"""The check of a GPU machine: parts end on their own, packages come from wheels, and a report is always left."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from command import REPOSITORY


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "experiments" / "gpu_check" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def check() -> ModuleType:
    return load("check")


FOUND = "import json, os; open(os.environ['FOUND'], 'w').write(json.dumps({'n': 1}))"


def test_a_part_that_fails_or_hangs_takes_no_other_with_it(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The hanging part starts a process of its own, which must not outlive it.
    hang = "import subprocess; child = subprocess.Popen(['sleep', '600']); print(child.pid, flush=True); child.wait()"
    python = (sys.executable, "-c")
    parts = [
        check.Part("hangs", (*python, f"{FOUND}; {hang}"), 6),
        check.Part("fails", (*python, "raise SystemExit('a reason')"), 60),
        check.Part("passes", (*python, FOUND), 60),
    ]
    monkeypatch.setattr(check, "parts", lambda *_: parts)
    assert check.main(["--out", str(tmp_path), "--wheels", str(tmp_path)]) == 1
    report = json.loads((tmp_path / "check.json").read_text())
    assert [(part["name"], part["status"]) for part in report["parts"]] == [
        ("hangs", "timed out"),
        ("fails", "failed"),
        ("passes", "passed"),
    ]
    assert [part["found"] for part in report["parts"]] == [{"n": 1}, {}, {"n": 1}]
    log = (tmp_path / "check.log").read_text()
    assert "a reason" in log
    assert report["passed"] is False
    sleeper = next(int(line) for line in log.splitlines() if line.isdigit())
    for _ in range(100):  # until the kernel has taken the killed process away
        if not Path(f"/proc/{sleeper}").exists() or "zombie" in Path(f"/proc/{sleeper}/status").read_text():
            break
        time.sleep(0.1)
    else:
        pytest.fail("the process that the part had started still runs")

    monkeypatch.setattr(check, "parts", lambda *_: parts[2:])
    assert check.main(["--out", str(tmp_path), "--wheels", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "check.json").read_text())["passed"] is True


def test_all_limits_together_are_under_eight_minutes(check: ModuleType) -> None:
    parts = check.parts("cuda", "parity", 2.0)
    assert sum(part.limit_s for part in parts) < 480
    (tests,) = [part for part in parts if part.name == "tests"]
    assert str(REPOSITORY / "tests" / "training" / "test_device.py") in tests.command


def test_only_what_is_missing_comes_from_wheels(check: ModuleType, tmp_path: Path) -> None:
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    wheels.mkdir()
    for name in ("not_installed_here-1.0-py3-none-any", "numpy-0.1-py3-none-any", "elsewhere-1.0-cp399-cp399-linux"):
        with zipfile.ZipFile(wheels / f"{name}.whl", "w") as wheel:
            wheel.writestr(f"{name.split('-')[0]}.py", "x = 1")
    unpacked, refused = check.unpack_missing(wheels, site)
    assert unpacked == ["not_installed_here-1.0-py3-none-any.whl"]
    assert refused == ["elsewhere-1.0-cp399-cp399-linux.whl"]
    assert [path.name for path in site.iterdir()] == ["not_installed_here.py"]


def test_parts_run_on_the_cpu(check: ModuleType, tmp_path: Path) -> None:
    parts = [part for part in check.parts("cpu", "digits", 0.1) if part.name == "environment"]
    with open(tmp_path / "log", "w") as log:
        (result,) = check.run_parts(parts, tmp_path, log)
    assert result.status == "passed", (tmp_path / "log").read_text()
    assert result.found["device"] == "cpu"
    assert result.found["missing"] == []


def test_losses_are_compared_for_every_family(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parts = load("parts")
    monkeypatch.setattr(parts, "N_STEPS", 2)
    monkeypatch.setattr(parts, "COMPARED", {"mlp": ("family=mlp", "task=parity", "ladder.widths=[8]")})
    monkeypatch.chdir(tmp_path)
    found, passed = parts.losses("cpu")
    assert passed
    assert set(parts.COMPARED) == set(found["families"])
    trained = parts._trained

    def off_by_a_percent(overrides: tuple[str, ...], device: str, alone: bool) -> list[list[float]]:
        return [[loss * (1.01 if alone else 1) for loss in row] for row in trained(overrides, device, alone)]

    monkeypatch.setattr(parts, "_trained", off_by_a_percent)
    found, passed = parts.losses("cpu")
    assert not passed
    assert found["families"]["mlp"]["alone_difference"] == pytest.approx(0.01)


def test_a_captured_step_is_compared_with_a_replayed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from harness.training import ways

    parts = load("parts")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.setattr(ways, "cuda_graph", None)  # what the part puts there is taken back
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda *_, **__: None)
    monkeypatch.setattr(parts, "N_CAPTURED_STEPS", 5)
    monkeypatch.setattr(parts, "CAPTURED", {"mlp": ("family=mlp", "task=parity", "ladder.widths=[8]")})
    found, passed = parts.ways("cpu")
    assert passed and set(found["families"]) == {"mlp, 1", "mlp, 4"}
    stepped = parts._stepped
    monkeypatch.setattr(parts, "_stepped", lambda *asked: stepped(*asked) + 1e-6 * (asked[2] == "captured"))
    assert not parts.ways("cpu")[1]


def test_wheels_wanted_are_the_requirements_that_a_gpu_machine_lacks() -> None:
    wanted = load("wheels").wanted()
    assert any(line.startswith("hydra-core") for line in wanted)
    assert any(line.startswith("pytest>=") for line in wanted)
    assert not any(line.startswith(("torch", "numpy", "pandas", "pytest-xdist")) for line in wanted)
