"""Mistakes in experiments' files and in settings, as a newcomer makes them: a line or two that say what to write."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import run

from harness.config import compose

HEADER = "# @package _global_\n"
CHOICES = "defaults:\n  - override /family: mlp\n  - override /task: parity\n"
BODY = "ladder: {widths: [4, 8], steps: 5}\n"
WHOLE = HEADER + CHOICES + BODY
OVERRIDE = "under defaults in an experiment's file a choice is written as\n  - override /"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("conf/experiment").mkdir(parents=True)


def write(text: str) -> None:
    Path("conf/experiment/mine.yaml").write_text(text)


#: What the file of an experiment holds -> what is said of it.
FILES: dict[str, tuple[str, list[str]]] = {
    "family in the body": (
        HEADER + "family: mlp\ntask: parity\n" + BODY,
        ["conf/experiment/mine.yaml: family: mlp: ", OVERRIDE + "family: mlp"],
    ),
    "family in defaults": (
        HEADER + "defaults:\n  - family: mlp\n" + BODY,
        ["conf/experiment/mine.yaml: - family: mlp: ", OVERRIDE + "family: mlp"],
    ),
    "family in defaults with a slash": (
        HEADER + "defaults:\n  - /family: mlp\n" + BODY,
        ["conf/experiment/mine.yaml: ", OVERRIDE + "family: mlp"],
    ),
    "override without a slash": (
        HEADER + "defaults:\n  - override family: mlp\n" + BODY,
        ["conf/experiment/mine.yaml: ", OVERRIDE + "family: NAME"],
    ),
    "defaults that are no list": (
        HEADER + "defaults:\n  family: mlp\n" + BODY,
        ["mine.yaml: ", OVERRIDE + "family: mlp"],
    ),
    "a name alone in defaults": (
        HEADER + "defaults: [parity]\n" + BODY,
        ["mine.yaml: - parity: ", OVERRIDE + "task: parity"],
    ),
    "a choice that is not there": (
        WHOLE.replace("mlp", "mpl"),
        ["family=mpl", "'mlp'", "cnn, cnn_reference, linear, mlp, mlp_reference, transformer"],
    ),
    "no header": (CHOICES + BODY, ["conf/experiment/mine.yaml: its first line must be # @package _global_"]),
    "no header and no choices": (BODY, ["mine.yaml: its first line must be # @package _global_"]),
    "header on the second line": ("# mine\n" + WHOLE, ["mine.yaml: its first line must be # @package _global_"]),
    "another header": (WHOLE.replace("_global_", "_gobal_"), ["mine.yaml: its first line must be"]),
    "another header and no choices": ("# @package global\n" + BODY, ["mine.yaml: its first line must be"]),
    "nothing": ("", ["mine.yaml: holds no settings"]),
    "no settings": ("just text\n", ["mine.yaml: holds no settings"]),
    "a tab": (WHOLE + "optimizer:\n\tlr: 0.1\n", ["mine.yaml, line 7: a tab; YAML is indented with spaces"]),
    "a setting twice": (WHOLE + "ladder: {count: 3}\n", ["mine.yaml, line 6: found duplicate key ladder"]),
    "a setting without its group": (WHOLE + "lr: 0.1\n", ["mine.yaml: lr is not a setting", "'optimizer.lr'"]),
    "a group with a value": (WHOLE + "optimizer: sgd\n", ["mine.yaml: optimizer: is a group", OVERRIDE + "optimizer"]),
    "no value": (WHOLE + "seeds:\n", ["mine.yaml: seeds=null: allowed is a whole number from 1 to 10000"]),
    "text for a number": (
        WHOLE + "seeds: many\n",
        ["mine.yaml: seeds=many: allowed is a whole number from 1 to 10000"],
    ),
    "a list in quotes": (WHOLE.replace("[4, 8]", "'[4, 8]'"), ["ladder.widths='[4, 8]': allowed is a list of whole"]),
    "an empty list": (WHOLE.replace("[4, 8]", "[]"), ["ladder.widths=[]", "with something in it"]),
    "a study that is not there": (
        HEADER + "studies: [quickstart/party]\n",
        ["conf/experiment/mine.yaml: ", "quickstart/party", "'quickstart/parity'"],
    ),
    "itself as a study": (HEADER + "studies: [mine]\n", ["mine.yaml: studies: mine: is this file itself"]),
    "a study of several studies": (
        HEADER + "studies: [quickstart]\n",
        ["mine.yaml: studies: quickstart: conf/experiment/quickstart.yaml lists studies of its own (quickstart/parity"],
    ),
}


@pytest.mark.parametrize(("text", "words"), FILES.values(), ids=FILES)
def test_mistakes_in_a_file(text: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write(text)
    assert run(capsys, "plan", "experiment=mine").refused(*words)


def test_what_is_meant_is_taken() -> None:
    """One number for a list of one, one study for a list, numbers in quotes."""
    write(WHOLE.replace("[4, 8]", "8, depths: 2") + "seeds: '3'\n")
    (study,) = compose("experiment=mine")
    assert (study.ladder.widths, study.ladder.depths, study.seeds) == ([8], [2], 3)
    assert compose("experiment=mine", "ladder.widths=[4,8]", "ladder.depths=1")[0].ladder.depths == [1]
    write(HEADER + "name: two\nstudies: quickstart/parity\n")
    assert [study.study for study in compose("experiment=mine")] == ["parity"]


#: Words after `harness plan family=mlp task=parity ladder.steps=5` -> what is said.
WORDS = {
    "lr=.1": "lr is not a setting; did you mean 'optimizer.lr'?",
    "+lr=.1": "lr is not a setting; did you mean 'optimizer.lr'?",
    "widths=[4,8]": "widths is not a setting; did you mean 'ladder.widths'?",
    "wdths=[4,8]": "wdths is not a setting; did you mean 'ladder.widths'?",
    "n_bits=12": "n_bits is not a setting; did you mean 'task.n_bits'?",
    "sedes=3": "sedes is not a setting; did you mean 'seeds'?",
    "Learning_Rate=3": "Learning_Rate is not a setting; did you mean 'optimizer.lr'?",
    "n_layers=3": "n_layers is not a setting; did you mean 'ladder.depths'?",
    "optimzer.lr=.1": "optimzer is not a setting; did you mean 'optimizer'?",
    "task.length=3": "task.length is not a setting of harness.tasks.parity.Parity; it has n_bits, k, ",
    "task.n_bit=3": "; did you mean 'task.n_bits'?",
    "task.k=a": "task.k=a: allowed is a whole number from 1 to n_bits",
    "seeds=[0,1,2]": "seeds=[0,1,2]: allowed is a whole number from 1 to 10000 (runs of every size",
    "seeds=2.5": "seeds=2.5: allowed is a whole number",
    "name=null": "name=null: allowed is a name without '/'",
    "ladder.widths=[4,": "ladder.widths=[4,: a list is written as [a,b], without spaces",
    "seeds=2 name=a": "seeds=2 name=a: holds several settings; write one string a setting: 'seeds=2', ...",
    "name=a b=c ladder.widths=[4]": "write one string a setting: 'name=a', ...",
    "optimizer.lr={rule: power, at=1}": "not a value that can be read",
    "name=a (b)": "not a value that can be read; put one with signs in quotes twice",
    "ladder.widths=(4,8)": "ladder.widths=(4,8): a list is written as [a,b]",
    "ladder.widths=[a,b]": "ladder.widths=['a', 'b']: allowed is a list of whole numbers",
    "ladder.widths={rule:power,at:8}": "ladder.widths={'rule': 'power', 'at': 8}: allowed is a list of whole numbers",
    "ladder.steps=5k": "ladder.steps=5k: allowed is a number or a list of numbers",
    "optimizer=5": "optimizer=5: one of adam, adamw, gd, muon, sgd is wanted",
    "family=[mlp,cnn]": "family=[mlp,cnn]: one choice is wanted; --multirun family=mlp,cnn takes each in turn",
    "family=MLP": "family=MLP: there is no conf/family/MLP.yaml; did you mean 'mlp'?",
    "experiment=parity": "/parity'?",
    "experiment=conf/experiment/quickstart.yaml": "; write experiment=quickstart",
    "experiment=": "choose one of ",
}


@pytest.mark.parametrize(("word", "says"), WORDS.items(), ids=WORDS)
def test_mistakes_in_a_command(word: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "plan", "family=mlp", "task=parity", "ladder.steps=5", word).refused(says)


def test_a_rule_in_place_of_a_list_is_told_what_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("ladder.widths=[2]", "ladder.widths={rule: power, at: 8}")
    says = "ladder.widths={rule: power, at: 8}: allowed is a list of whole numbers"
    assert run(capsys, "plan", "family=mlp", "task=parity", "ladder.steps=5", *words).refused(says)


def test_an_experiment_may_be_named_with_its_suffix() -> None:
    write(WHOLE)
    assert compose("experiment=mine.yaml") == compose("experiment=mine")


def test_studies_need_no_experiment_and_the_last_experiment_counts() -> None:
    assert [study.study for study in compose("studies=[quickstart/parity]")] == ["parity"]
    assert [study.study for study in compose("experiment=isoflop", "experiment=quickstart", "task=text")] == ["text"]


@pytest.mark.parametrize(
    "words",
    [
        ["sweep", "family=mlp", "task=copy", "ladder.steps=5"],
        ["sweep", "family=mlp", "task=parity", "ladder.steps=5", "training.device=abacus"],
        ["sweep", "family=mlp", "task=parity"],
        ["train", "family=mlp", "task=copy", "ladder.steps=5"],
        ["sweep", "--multirun", "family=mlp", "task=copy", "ladder.steps=5", "optimizer.lr=.1,.2"],
        ["plan", "--multirun", "family=mlp", "task=parity", "ladder.steps=5", "ladder.widths=4", "optimizer.lr=.1,.2"],
        ["refine", "family=mlp", "task=copy", "ladder.steps=5"],
        ["collect", "name=nothing"],
        ["analyze", "name=nothing"],
    ],
)
def test_a_command_that_trains_nothing_leaves_no_folder(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *words).code == (0 if words[0] == "plan" else 2)
    assert not Path("results").exists()


def test_a_folder_that_was_there_stays(capsys: pytest.CaptureFixture[str]) -> None:
    Path("results").mkdir()
    assert run(capsys, "sweep", "family=mlp", "task=copy", "ladder.steps=5").code == 2
    assert list(Path("results").iterdir()) == []


def test_studies_in_a_loop_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    write(HEADER + "studies: [other]\n")
    Path("conf/experiment/other.yaml").write_text(HEADER + "studies: [mine]\n")
    said = "conf/experiment/mine.yaml: studies: other: conf/experiment/other.yaml lists studies of its own (mine)"
    assert run(capsys, "plan", "experiment=mine").refused(said)


@pytest.mark.parametrize("content", [b"", b"- a\n- b\n", b"width: 3\n", b"# na\xefve\nwidth: 3\n"])
def test_a_file_of_a_task_that_cannot_be_used_is_named(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    Path("conf/task").mkdir()
    Path("conf/task/bad.yaml").write_bytes(content)
    why = "is not UTF-8" if b"\xef" in content else "_target_"
    assert run(capsys, "plan", "family=mlp", "task=bad").refused("conf/task/bad.yaml: ", why)
    write(HEADER + CHOICES.replace("parity", "bad"))
    assert run(capsys, "plan", "experiment=mine").refused("conf/task/bad.yaml: ", why)
    assert run(capsys, "settings").refused("conf/task/bad.yaml: ", why)
