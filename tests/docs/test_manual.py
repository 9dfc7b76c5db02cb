"""The manual leaves out no name that is public, no room of the house and no setting."""

from __future__ import annotations

import re

from worked_pages import REPOSITORY

import harness
from harness.parts_reference import STEPS, parts

PAGES = REPOSITORY / "docs" / "pages"
#: Of the files elsewhere in the repository that pages link to, those that the manual shows too.
KINDS = (".png", "README.md", ".ipynb", "METHOD.md", "VERDICTS.md", "CHANGELOG.md")


def test_every_public_name_has_its_place_in_the_reference() -> None:
    documented = re.findall(r"^::: harness\.([\w.]+)$", "\n".join(p.read_text() for p in PAGES.glob("api/*.md")), re.M)
    assert sorted(documented) == sorted({*harness.__all__, "datasets", "plots"})


def test_every_room_stands_in_the_picture_of_the_house() -> None:
    named = re.findall(r"^\| `harness/([\w.]+)/?` \|", (PAGES / "architecture.md").read_text(), re.M)
    rooms = {path.name for path in (REPOSITORY / "harness").iterdir() if (path / "__init__.py").exists()}
    assert rooms <= set(named)
    assert all((REPOSITORY / "harness" / name).exists() for name in named)


def test_every_picture_says_what_it_shows() -> None:
    for page in PAGES.rglob("*.md"):
        assert all(len(said) > 10 for said in re.findall(r"!\[([^\]]*)\]", page.read_text())), page


def test_every_step_stands_in_the_table_with_its_settings_and_defaults() -> None:
    text = (PAGES / "data.md").read_text().partition("\n## Steps\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*)\| ", text, re.MULTILINE)
    known = parts()
    assert [name for name, *_ in rows] == [name for steps in STEPS.values() for name in steps]
    for name, kinds, settings in rows:
        assert known[name].about.endswith(f" for {kinds}")
        written = [f"{row.name.partition('.')[2]}: {row.value}" for row in known[name].rows]
        assert re.findall(r"`([^`]+)`", settings) == written, name


def test_links_lead_to_what_the_manual_has() -> None:
    """As the strict build would say, half a minute later."""
    for readme in (REPOSITORY / "experiments").glob("*/README.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", readme.read_text()):
            assert "/" not in target and target.endswith(".png") and (readme.parent / target).exists(), readme
    for page in PAGES.rglob("*.md"):
        for target in re.findall(r"\]\(\.\./\.\./([^)#]+)", page.read_text()):
            assert target == "experiments" or target.endswith(KINDS), page
            assert (REPOSITORY / target).exists(), page
