"""The command: rows that are kept, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import run
from run import Part, Rows, main

CALLS: list[tuple[str, int, int]] = []


def planted(name: str, n: int, seed: int) -> pd.DataFrame:
    CALLS.append((name, n, seed))
    return pd.DataFrame({"name": [name] * n, "seed": seed})


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    CALLS.clear()


def test_rows_are_measured_once_for_each_seed_and_number_of_curves() -> None:
    parts = [Part(name, planted, (name,)) for name in ("a", "b c")]
    first = Rows(2, 0, 1).of(parts)
    assert first["name"].tolist() == ["a", "a", "b c", "b c"] and CALLS == [("a", 2, 0), ("b c", 2, 0)]
    assert Rows(2, 0, 1).of(parts).equals(first) and len(CALLS) == 2
    Rows(2, 1, 1).of(parts[:1])
    Rows(3, 0, 1).of(parts[:1])
    assert CALLS[2:] == [("a", 2, 1), ("a", 3, 0)]


def test_rows_go_on_where_they_stopped_and_are_made_anew_for_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [Part(name, planted, (name,)) for name in ("a", "b")]

    def interrupted(name: str, n: int, seed: int) -> pd.DataFrame:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Rows(1, 0, 1).of([parts[0], Part("b", interrupted, ("b",))])
    Rows(1, 0, 1).of(parts)
    assert CALLS == [("a", 1, 0), ("b", 1, 0)]
    monkeypatch.setattr(run, "_fingerprint", lambda: "other")
    Rows(1, 0, 1).of(parts[:1])
    assert CALLS[2:] == [("a", 1, 0)]


def test_all_that_takes_minutes_is_measured_where_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    for name in run.MEASUREMENTS:
        monkeypatch.setitem(run.MEASUREMENTS, name, lambda rows, name=name: measured.append((name, rows.n)))
    monkeypatch.setattr("sys.argv", ["run.py"])
    main()
    assert measured == [(name, run.FEW) for name in run.SHORT]
    monkeypatch.setattr("sys.argv", ["run.py", "grid"])
    main()
    assert measured[len(run.SHORT) :] == [("grid", run.CURVES)]


@pytest.mark.parametrize(
    "words", [["slope"], ["slopes", "--curves", "0"], ["pairs", "--seed", "-1"], ["--workers", "x"]]
)
def test_what_it_refuses(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["run.py", *words])
    with pytest.raises(SystemExit) as refused:
        main()
    assert refused.value.code == 2 and words[-1] in capsys.readouterr().err
