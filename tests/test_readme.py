"""README is short, and what it points to exists; `tests/docs` runs what it shows, as it does the manual's pages."""

from __future__ import annotations

import re

from worked_pages import REPOSITORY, Page

README = Page.read(REPOSITORY / "README.md")


def test_it_can_be_read_at_one_sitting() -> None:
    assert len(README.text.splitlines()) < 180


def test_what_it_points_to_exists() -> None:
    places = re.findall(r"\]\((?!https?:)([^)#]+)", README.text)
    assert len(places) > 15
    for place in places:
        assert (REPOSITORY / place).exists(), place
