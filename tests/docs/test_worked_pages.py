"""Files and commands of manual and README, pasted as they stand into an empty folder, do and print what is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from worked_pages import PAGES, REPOSITORY, Page, agree

WORKED = [page for page in map(Page.read, [REPOSITORY / "README.md", *PAGES]) if page.commands]
#: Pages whose commands `make docs` runs, and so CI, for their figures.
DRAWN = ("gallery",)


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in WORKED if p.path.stem not in DRAWN], ids=lambda page: page.path.stem)
def test_a_page_does_what_it_says(page: Page, tmp_path: Path) -> None:
    for command, code, printed in page.run(tmp_path):
        assert code == 0, f"$ {command.words}\n{printed}"
        if command.output:
            told = f"rewrite it by: python docs/worked_pages.py {page.path.relative_to(REPOSITORY)}"
            assert agree(command.output, printed), f"$ {command.words}\nprints\n{printed}\n{told}"


@pytest.mark.parametrize("page", WORKED, ids=lambda page: page.path.stem)
def test_no_file_of_a_page_is_of_no_use(page: Page) -> None:
    """Each is called by a command, chosen by its name, or imported by another."""
    others = "\n".join(command.words for command in page.commands)
    for name in page.files:
        rest = "\n".join(text for other, text in page.files.items() if other != name)
        assert Path(name).stem in others + rest, name


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("loss 1.00\n", "loss 1.1", True),
        ("loss 1.00\n", "loss 2.0", False),
        ("loss 1.00\n", "accuracy 1.00", False),
        ("loss 1\n", "loss 1\nand more", False),
        ("a\n...\nc\n", "a\nb\nb\nc", True),
        ("a\n...\nc\n", "a\nb\nd", False),
        ("a\n...\n", "a\nb", True),
        ("...\nc\n", "a\nc\nb\nc", True),
        ("took 3 s, 2 left\n", "took 1 min 12 s, 2 left", True),
        ("N is 3 ...\n", "N is 3 because of that", True),
        ("N is 3 ...\n", "N was 3 because of that", False),
        (" a   b\n ────\n", "a b\n──────\n\n", True),
    ],
)
def test_what_agrees(expected: str, printed: str, same: bool) -> None:
    assert agree(expected, printed) is same
