"""What may follow a verb that takes settings, and what is said of words that cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.command_words import told_apart
from harness.errors import UserError


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_words_are_told_apart() -> None:
    told = told_apart("plan", ["experiment=quickstart", "--check", "~name", "+seeds=3"])
    assert (told.flags, told.rest, told.for_hydra) == (
        {"--check": True},
        ("experiment=quickstart", "~name", "+seeds=3"),
        False,
    )
    told = told_apart("sweep", ["-m", "seeds=1,2", "--cfg", "job", "-p", "ladder", "--package=seeds"])
    assert told.for_hydra and told.commands() == [
        ["-m", "seeds=1,2", "--cfg", "job", "-p", "ladder", "--package=seeds"]
    ]
    told = told_apart("plan", ["--cluster", "nodes=1,gpus=8,kind=h100", "--no-trial", "seeds=3"])
    assert (told.flags, told.rest) == ({"--cluster": "nodes=1,gpus=8,kind=h100", "--no-trial": True}, ("seeds=3",))
    assert told_apart("plan", ["--cluster=nodes=1"]).flags == {"--cluster": "nodes=1"}
    assert told_apart(None, ["-sc", "query=bash"]).rest == ("-sc", "query=bash")


@pytest.mark.parametrize("verb", ["verify", "collect", "analyze"])
def test_results_folders_are_taken_by_path_or_name(verb: str, tmp_path: Path) -> None:
    (tmp_path / "results" / "mine").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    told = told_apart(verb, ["results/mine", "mine", str(tmp_path / "elsewhere"), "analysis.alpha=0.1"])
    assert told.commands() == [
        ["analysis.alpha=0.1", "results='results/mine'"],
        ["analysis.alpha=0.1", "results='results/mine'"],
        ["analysis.alpha=0.1", f"results='{tmp_path / 'elsewhere'}'"],
    ]
    with pytest.raises(UserError, match="mien: no such results folder; did you mean 'mine'"):
        told_apart(verb, ["mien"])
    with pytest.raises(UserError, match="name=b: the results folder is results/mine already; give one of the two"):
        told_apart(verb, ["mine", "name=b"])
    with pytest.raises(UserError, match="the name of a results folder is empty"):
        told_apart(verb, [""])
    (file := tmp_path / "elsewhere" / "runs.parquet").touch()
    with pytest.raises(UserError, match=r"runs.parquet: is a file, .* did you mean .*elsewhere\?"):
        told_apart(verb, [str(file)])


@pytest.mark.parametrize(
    ("verb", "words", "says"),
    [
        ("plan", ["--experiment", "quickstart"], "--experiment: settings are written .*: experiment=quickstart"),
        ("plan", ["--experiment=quickstart"], "--experiment: .*: experiment=quickstart"),
        ("sweep", ["--seeds", "3"], "--seeds: .*: seeds=3"),
        ("sweep", ["-seeds", "name=x"], "-seeds: .*: seeds=VALUE"),
        ("sweep", ["--lr", ".1"], r"--lr: .*: optimizer\.lr=\.1"),
        ("sweep", ["--batch-size=8"], r"--batch-size: .*: ladder\.batch_size=8"),
        ("sweep", ["--dry-run"], "--dry-run is not a flag: `harness plan`"),
        ("sweep", ["--check"], r"--check is not a flag of sweep.*\(see harness sweep --help\)"),
        ("plan", ["--chek"], "--chek is not a flag of plan; did you mean '--check'"),
        ("plan", ["-n"], r"-n is not a flag of plan \(see"),
        ("redo", ["--yes=true"], "--yes=true: --yes takes no value"),
        (None, ["--colour"], "--colour is not a flag.*harness --help"),
        ("plan", ["quickstart"], "quickstart: write experiment=quickstart"),
        ("plan", ["experiment", "quickstart"], "experiment: a value is wanted, experiment=VALUE"),
        ("plan", ["seeds=", "3"], "3: settings are written NAME=VALUE, without spaces"),
        ("plan", ["results/quickstart"], "results/quickstart: plan takes the settings.*verify, collect, analyze"),
        ("redo", ["results/a"], "results/a: redo takes the settings of its sweep .*, or family=NAME, task=NAME"),
        ("data", ["speech"], "speech: write task=speech$"),
        ("plan", ["parity"], "parity: write task=parity$"),
        ("plan", ["mlp"], "mlp: write family=mlp$"),
    ],
)
def test_words_that_cannot_be_meant(verb: str | None, words: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        told_apart(verb, words)
