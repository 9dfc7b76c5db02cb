"""Arrays are made once, whatever process asks, and again where anything that they follow from is another."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from harness.analysis.emergence import calibration, disk_cache, orthants
from harness.analysis.emergence.bounded_cache import BoundedCache
from harness.analysis.emergence.ladder_design import LadderDesign
from harness.analysis.emergence.null_draws import null_draws


class Maker:
    """Counts how often it makes its arrays."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.made += 1
        return {"group.name": np.arange(3.0), "other": np.array([np.nan, -0.0])}


@pytest.fixture
def make() -> Maker:
    return Maker()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


def kept(make: Maker, asked: object = (8, b"sizes")) -> dict[str, np.ndarray]:
    found = dict(disk_cache.kept(calibration.__name__, asked, make))
    np.testing.assert_equal(found, Maker()())
    return found


def test_made_once_for_each_question(make: Maker) -> None:
    for _ in range(3):
        kept(make)
    assert make.made == 1
    kept(make, (8, b"others"))
    assert make.made == 2


def test_made_anew_with_other_constants_or_code(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(make)
    monkeypatch.setattr(calibration, "N_CURVES", 7)
    kept(make)
    assert make.made == 2
    monkeypatch.setattr(orthants, "_NODES", 9)  # of a module behind it
    kept(make)
    assert make.made == 3
    monkeypatch.setattr(disk_cache, "_code", lambda: b"other")
    kept(make)
    assert make.made == 4


def test_a_damaged_file_is_written_anew(make: Maker, folder: Path) -> None:
    kept(make)
    (file,) = folder.iterdir()
    for damaged in (b"", b"PK\x03\x04", file.read_bytes()[:200], b"no arrays"):
        file.write_bytes(damaged)
        before = make.made
        kept(make)
        kept(make)
        assert make.made == before + 1
    assert list(folder.iterdir()) == [file]


@pytest.mark.parametrize("place", ["", "a file/kept"])
def test_without_a_folder_arrays_are_made_each_time(
    make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / place) if place else "")
    kept(make)
    kept(make)
    assert make.made == 2


def test_the_files_not_used_for_longest_go(make: Maker, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_cache, "MAX_FILES", 2)
    times = iter(range(1_000, 2_000))
    for asked in ("a", "b"):
        kept(make, asked)
    for file in folder.iterdir():
        os.utime(file, (next(times),) * 2)
    kept(make, "a")  # used now
    kept(make, "c")
    assert make.made == 3 and len(list(folder.iterdir())) == 2
    kept(make, "a")
    assert make.made == 3
    kept(make, "b")
    assert make.made == 4


def test_a_calibration_is_the_same_from_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "N_CURVES", 40)
    draws = null_draws(LadderDesign(np.arange(5.0), np.repeat(np.arange(5), 2), np.tile(np.arange(2), 5)))
    found = []
    for _ in range(2):
        monkeypatch.setattr(calibration, "_KEPT", BoundedCache(2**20))
        found.append(calibration.calibration_of_means(draws).arrays())
    assert len(list(folder.iterdir())) == 1 and len(found[0]) == 9
    np.testing.assert_equal(found[0], found[1])
