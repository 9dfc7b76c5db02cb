"""`harness settings` prints what can be pasted; help of every verb is its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from command import loaded_after, run

from harness.choices import config_groups
from harness.command_words import told_apart
from harness.config import compose
from harness.data.steps import Steps
from harness.parts_reference import STEPS, parts
from harness.rules.reading import RULES, rule_of
from harness.settings import GROUPS
from harness.settings_reference import group_names
from harness.settings_verb import MUST_BE_GIVEN
from harness.verbs import STUDY_VERBS, VERBS


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_all_settings_are_printed_as_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "settings")
    assert shown.code == 0
    documents = list(yaml.safe_load_all(shown.out))
    assert len(documents) == len(group_names())
    assert documents[0]["seeds"] == 3 and documents[1]["ladder"]["batch_size"] == 64


@pytest.mark.parametrize("group", ["top", *GROUPS, "task=parity", "family=mlp"])
def test_a_group_that_is_pasted_into_an_experiment_changes_nothing(
    group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = run(capsys, "settings", group)
    assert shown.code == 0, shown.err
    pasted = shown.out if "defaults:" in shown.out else "defaults:\n" + shown.out
    choices = "".join(
        f"  - override /{name}: {choice}\n"
        for name, choice in (("family", "mlp"), ("task", "parity"))
        if f"/{name}:" not in shown.out
    )
    Path("conf/experiment").mkdir(parents=True)
    text = "# @package _global_\n" + pasted.replace("defaults:\n", "defaults:\n" + choices, 1)
    Path("conf/experiment/pasted.yaml").write_text(text)
    assert compose("experiment=pasted", "ladder.steps=5") == compose("family=mlp", "task=parity", "ladder.steps=5")


def test_a_setting_has_its_meaning_and_range_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "settings", "optimizer").out
    assert "\n  beta1: 0.9  # decay of Adam's average of gradients [a number of at least 0 and below 1]\n" in shown
    rule = "or a list of them, each once, or {rule: NAME, ...}"
    assert f"[a number above 0, {rule}; default 0.001 with optimizer=adam, " in shown
    assert "0.1 with optimizer=sgd]" in shown
    assert "#   sgd    Stochastic gradient descent" in shown


@pytest.mark.parametrize("name", parts())
def test_a_step_or_rule_is_explained_and_what_is_pasted_is_one_with_its_defaults(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = run(capsys, "settings", name)
    assert shown.code == 0, shown.err
    ((group, settings),) = yaml.safe_load(shown.out).items()
    ((own, written),) = settings.items()
    if f"{group}.{own}" in STEPS:
        (built,) = Steps(f"harness.{group}.{own}").build(f"{group}.{own}", written)
        assert built == STEPS[f"{group}.{own}"][name]()
    else:
        needed = {key: 0.5 for key, value in written.items() if value == MUST_BE_GIVEN}
        assert rule_of(f"{group}.{own}", written | needed) == RULES[name](**needed)
        assert ("must be given" in shown.out) == bool(needed)
    for row in parts()[name].rows:
        assert row.meaning and row.allowed and f"  {row.name.partition('.')[2]}: " in shown.out


def test_settings_of_data_name_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "settings", "data").out.splitlines()
    for setting, known in STEPS.items():
        (line,) = [line for line in lines if line.startswith(f"  {setting.partition('.')[2]}: ")]
        assert ", ".join(known) in line and "harness settings STEP explains each" in line


def test_a_rule_with_the_name_of_a_setting_says_where_that_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert "# ladder.tokens, a setting of this name: harness settings ladder\n" in run(capsys, "settings", "tokens").out


@pytest.mark.parametrize("group", config_groups())
def test_what_can_be_chosen_is_listed(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "settings", group)
    assert shown.code == 0 and f"# {group}=NAME chooses one of\n#   " in shown.out


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("laddr", ["laddr", "did you mean 'ladder'"]),
        ("task=partiy", ["'task=parity'"]),
        ("zzzz", ["zzzz", "ladder", "task=NAME"]),
        ("missng", ["did you mean 'missing'"]),
        ("lr", ["lr", "harness settings optimizer explains optimizer.lr"]),
        ("--all", ["--all", "harness settings --help"]),
    ],
)
def test_groups_that_are_not_there(word: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "settings", word).refused(*words)


# --------------------------------------------------------------------------------------------------------------- help


def test_the_overview_has_a_line_for_each_verb_and_what_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([], ["--help"], ["-h"]):
        shown = run(capsys, *argv)
        assert shown.code == 0
        for verb in VERBS:
            assert f"\n  {verb:<9}  " in shown.out, verb
        for word in ("experiment=  ", "task=  ", "transformer", "harness sweep experiment=quickstart"):
            assert word in shown.out
        assert max(map(len, shown.out.splitlines())) <= 120


@pytest.mark.parametrize("verb", STUDY_VERBS)
def test_help_of_a_verb_is_its_own(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, verb, "experiment=quickstart", "--help")
    assert shown.code == 0 and shown.out.startswith(f"usage: harness {verb} ")
    about = STUDY_VERBS[verb]
    assert about.purpose.split()[0] in shown.out and len(about.examples) >= 2
    for flag in about.flags:
        assert f"[{flag}]" in shown.out and f"  {flag}  " in shown.out
    assert shown.out == run(capsys, verb, "-h").out
    assert "harness settings GROUP" in run(capsys, verb, "--help").out


@pytest.mark.parametrize(
    "command", [command for verb in STUDY_VERBS.values() for command in verb.examples if "results/" not in command]
)
def test_examples_compose(command: str) -> None:
    _, verb, *words = command.split()
    assert compose(*(word for word in told_apart(verb, words).rest if "=" in word and ",0" not in word))


@pytest.mark.parametrize("verb", STUDY_VERBS)
def test_settings_that_matter_are_settings(verb: str) -> None:
    known = {"experiment=NAME", "or family=NAME and task=NAME", "seeds", "rung", "seed", "by", "launcher.workers"}
    named = {part.strip() for names in STUDY_VERBS[verb].settings for part in names.split(",")}
    assert named <= known | set(GROUPS)


def test_help_and_mistakes_in_a_verb_load_nothing_slow() -> None:
    commands = (["--help"], ["sweep", "--help"], ["settings", "--help"], ["sweeep"])
    assert loaded_after(*commands).endswith("[0, 0, 0, 2] set()\n")
