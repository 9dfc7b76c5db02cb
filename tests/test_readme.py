"""README does what it says: its files and commands, pasted into an empty folder, print what stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from worked_pages import REPOSITORY, Page, agree

README = Page.read(REPOSITORY / "README.md")


@pytest.mark.slow
def test_its_commands_print_what_it_says(tmp_path: Path) -> None:
    for command, code, printed in README.run(tmp_path):
        assert code == 0, f"$ {command.words}\n{printed}"
        if command.output:
            assert agree(command.output, printed), (
                f"$ {command.words}\nprints\n{printed}\nrewrite it by: python docs/worked_pages.py README.md"
            )


def test_it_can_be_read_at_one_sitting() -> None:
    assert len(README.text.splitlines()) < 180


def test_what_it_points_to_exists() -> None:
    places = re.findall(r"\]\((?!https?:)([^)#]+)", README.text)
    assert len(places) > 15
    for place in places:
        assert (REPOSITORY / place).exists(), place
