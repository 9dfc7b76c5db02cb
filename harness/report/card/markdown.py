"""The card as Markdown: card.md."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.report.card.facts import CHECKLIST, Facts, Items
from harness.report.names import NOT_RECORDED


def as_markdown(facts: Facts, methods: Sequence[str]) -> str:
    """The card with its paragraphs of methods.

    Args:
        methods: paragraphs, as `methods.describe` writes them.
    """
    lines = [
        f"# Scaling-law card: {_one_line(facts.name)}",
        "",
        f"The checklist of {CHECKLIST}, filled in from the records of this folder. Items that the records do not "
        f"contain are marked *{NOT_RECORDED}*.",
    ]
    for title, items in facts.sections.items():
        lines += ["", f"## {title}", "", *_listed(items)]
    lines += ["", "## Results"]
    for table in facts.results:
        lines += ["", _one_line(table.title), *(["", *_table(table.rows)] if len(table.rows) else [])]
        lines += ["", *(f"- {_one_line(note)}" for note in table.notes)] if table.notes else []
    lines += ["", "## Methods, in prose"]
    for paragraph in methods:
        lines += ["", _one_line(paragraph)]
    lines += ["", "## Not known", "", *(f"- {each}" for each in facts.not_known)]
    return "\n".join(lines) + "\n"


def _listed(items: Items) -> list[str]:
    return [f"- **{name}**: {_one_line(text)}" for name, text in items.items()]


def _table(frame: pd.DataFrame) -> list[str]:
    header = [str(name) for name in frame.columns]
    cells = [[_one_line(row[name]).replace("|", r"\|") for name in header] for row in frame.to_dict("records")]
    return ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *cells)]


def _one_line(text: object) -> str:
    """The text on one line, without anything that Markdown would take for a tag."""
    return " ".join(str(text).split()).replace("<", "&lt;")
