"""Trials that are kept between commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.settings import Settings
from harness.sweeping import timings
from harness.sweeping.plan import cells
from harness.sweeping.timings import keep_trial, key_of, read_trial
from harness.sweeping.trials import Trial

TRIAL = Trial(0.5, 1e-3, 0.25, 4e8)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    return tmp_path / "trials"


def test_a_trial_is_kept_for_the_same_size_on_the_same_machine(study: Settings) -> None:
    jobs = cells(study)
    key = key_of(jobs[0], "cpu", 2)
    assert read_trial(key) is None
    keep_trial(key, TRIAL)
    assert read_trial(key) == TRIAL
    # The first rung at its second duration takes steps of the same kind; other sizes and workers do not.
    assert read_trial(key_of(jobs[1], "cpu", 2)) == TRIAL
    for job, beside in ((jobs[2], 2), (jobs[0], 1), (replace(jobs[0], members=jobs[0].members[:1]), 2)):
        assert read_trial(key_of(job, "cpu", beside)) is None


def test_what_changes_a_step_changes_the_key_and_nothing_else_does(study: Settings) -> None:
    key = key_of(cells(study)[0], "cpu", 2)
    same = replace(study, study="other", seeds=2, first_seed=7, optimizer=replace(study.optimizer, lr=[0.3, 0.5, 0.7]))
    assert key_of(cells(same)[0], "cpu", 2) == key
    for name, change in {
        "optimizer": {"kind": "sgd"},
        "training": {"precision": "bfloat16"},
        "launcher": {"threads": 2},
        "ladder": {"batch_size": 7},
    }.items():
        other = replace(study, **{name: replace(getattr(study, name), **change)})
        assert key_of(cells(other)[0], "cpu", 2) != key, name


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"{",
        b'{"trial": {}}',
        b"[]",
        b"\xff\xfe",
        b'{"trial": {"setup_s": 1, "step_s": -1, "evaluation_s": 1, "bytes": 1}}',
    ],
)
def test_a_damaged_file_is_named_in_a_line(study: Settings, cache: Path, spoilt: bytes) -> None:
    key = key_of(cells(study)[0], "cpu", 2)
    keep_trial(key, TRIAL)
    (path,) = cache.iterdir()
    path.write_bytes(spoilt)
    with pytest.raises(UserError) as raised:
        read_trial(key)
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"{path}: a damaged record of how fast this machine trains: ")
    assert line.endswith("; remove it")
    path.unlink()
    assert read_trial(key) is None


def test_where_nothing_can_be_kept_nothing_is(study: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = key_of(cells(study)[0], "cpu", 2)
    (tmp_path / "file").write_text("")
    for place in ("", str(tmp_path / "file")):
        monkeypatch.setenv("HARNESS_CACHE", place)
        keep_trial(key, TRIAL)
        assert place or read_trial(key) is None


def test_the_oldest_go_first(study: Settings, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timings, "MAX_FILES", 2)
    keys = [key_of(cells(study)[0], "cpu", beside) for beside in range(1, 5)]
    for key in keys:
        keep_trial(key, TRIAL)
    assert len(list(cache.iterdir())) == 2
    assert read_trial(keys[-1]) == TRIAL
