"""Commands and paths that the documents cite exist, with the options that they cite."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import REPOSITORY
from worked_pages import PAGES

from harness import cli, commands

DOCUMENTS = [
    *(REPOSITORY / name for name in ("README.md", "LOG.md", "CHANGELOG.md")),
    *sorted((REPOSITORY / "experiments").glob("*/README.md")),
    *PAGES,
]
EXPERIMENT = re.compile(r"experiments/(\w+)")
of_documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))


def code(document: Path) -> list[str]:
    """Code spans and the lines of code blocks, in order, each on one line."""
    pieces = re.findall(r"```.*?```|`[^`]+`", document.read_text(), flags=re.DOTALL)
    lines = (
        piece.splitlines() if piece.startswith("```") else [" ".join(piece.strip("`").split())] for piece in pieces
    )
    return [line for part in lines for line in part]


def options(experiment: str) -> dict[str, list[str]]:
    """Options of an experiment's command line, and the values that each allows; [] where it allows any."""
    found = {}
    for path in (REPOSITORY / "experiments" / experiment).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
                choices = [ast.literal_eval(word.value) for word in node.keywords if word.arg == "choices"]
                found[ast.literal_eval(node.args[0])] = list(choices[0]) if choices else []
    return found


def cited_options(document: Path) -> Iterator[tuple[str, str, list[str]]]:
    """(experiment, option, words after it): in a command, or on its own after an experiment's or LOG's command.

    README and CHANGELOG name options of the harness's verbs on their own.
    """
    of_experiment = document.parent.parent.name == "experiments"
    experiment = document.parent.name if of_experiment else ""
    for line in code(document):
        if named := EXPERIMENT.search(line):
            experiment = named[1]
        elif not (line.startswith("--") and experiment and (of_experiment or document.name == "LOG.md")):
            continue
        for option, values in re.findall(r"(--[\w-]+)((?: [^-\s][^\s]*| \|)*)", line):
            yield experiment, option, [word for word in values.split() if word != "|"]


@of_documents
def test_paths_exist(document: Path) -> None:
    named = re.findall(r"(?<![\w./])(?:experiments|harness|notebooks|tests)/[\w./-]+", document.read_text())
    cited = {path.rstrip(".") for path in named}
    assert sorted(path for path in cited if not (REPOSITORY / path).exists()) == []


@of_documents
def test_options_of_experiments_exist(document: Path) -> None:
    for experiment, option, values in cited_options(document):
        if not (REPOSITORY / "experiments" / experiment).exists():
            continue  # named by test_paths_exist
        known = options(experiment)
        assert option in known, f"experiments/{experiment}: {option}"
        assert not known[option] or set(values) <= set(known[option]), f"experiments/{experiment}: {option} {values}"


@of_documents
def test_verbs_and_experiments_of_the_harness_exist(document: Path) -> None:
    lines = [line for line in code(document) if re.match(r"(\$ )?harness\b", line)]
    verbs = {word for line in lines for word in re.findall(r"^(?:\$ )?harness ([a-z]\w*)", line)}
    assert verbs <= {*cli.VERBS, *commands.VERBS}
    for name in {name for line in lines for name in re.findall(r"\bexperiment=([\w/]+)", line)}:
        path = f"conf/experiment/{name}.yaml"
        assert (REPOSITORY / path).exists() or path in document.read_text(), path


@of_documents
def test_targets_of_make_exist(document: Path) -> None:
    targets = re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE)
    cited = {word for line in code(document) for word in re.findall(r"^(?:\$ )?make ([a-z][\w-]*)", line)}
    assert cited <= set(targets)


@pytest.mark.parametrize("script", sorted((REPOSITORY / "experiments").glob("*/run.py")), ids=lambda p: p.parent.name)
def test_experiments_read_their_command_line(script: Path) -> None:
    """So that --help explains and does not train for a quarter of an hour."""
    assert "ArgumentParser(description=__doc__" in script.read_text()
    readme = (script.parent / "README.md").read_text()
    assert f"python {script.relative_to(REPOSITORY)}" in readme, "the README has the command"
