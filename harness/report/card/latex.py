"""The card as LaTeX: card.tex, which a paper includes with ``\\input``.

It needs the preamble that its first line states, and fits a page of one column. Names of studies are a
user's: every letter that LaTeX would act on is escaped, and one that pdfTeX has no glyph for stands by its code point.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from harness.report.card.facts import CHECKLIST, Facts, Items, Table
from harness.report.names import NOT_RECORDED

_ESCAPED = {
    **{letter: f"\\{letter}" for letter in "{}$&#_%"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "∝": r"$\propto$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "\u00a0": "~",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "σ": r"$\sigma$",
    "μ": r"$\mu$",
    "µ": r"$\mu$",
}
#: What the document that includes the card must load: straight quotes are of the encoding T1.
PREAMBLE = r"\usepackage[T1]{fontenc}\usepackage{array,booktabs,longtable,textcomp}"
#: What quotes look like in print, where a text has two.
_QUOTED = re.compile(r'"([^"]*)"')
_CODE = re.compile(r"`([^`]*)`")
#: The last letter that pdfTeX prints without further packages.
_LAST_LETTER = "\u017f"


def as_latex(facts: Facts, methods: Sequence[str]) -> str:
    """The paragraphs of methods, the card as a long table, and a table for each of its results.

    Args:
        methods: paragraphs, as `methods.describe` writes them.
    """
    lines = [
        f"% Made by the scaling harness. In the preamble: {PREAMBLE}",
        "",
        "% ---- methods",
        *(line for paragraph in methods for line in ("", escape(paragraph))),
        "",
        "% ---- the card",
        *_card(facts),
    ]
    for table in facts.results:
        lines += ["", "% ---- results", *_result(table)]
    return "\n".join(lines) + "\n"


def escape(text: object) -> str:
    """The text on one line, printed as it stands."""
    line = " ".join(str(text).split())
    parts = _CODE.split(line)
    # Every second part stood between backticks.
    return "".join(rf"\texttt{{{_letters(part)}}}" if at % 2 else _prose(part) for at, part in enumerate(parts))


def _prose(text: str) -> str:
    parts = _QUOTED.split(text)
    return "".join(f"``{_letters(part)}''" if at % 2 else _letters(part) for at, part in enumerate(parts))


def _letters(text: str) -> str:
    return "".join(
        _ESCAPED.get(letter, letter if letter <= _LAST_LETTER else f"[U+{ord(letter):04X}]") for letter in text
    )


def _card(facts: Facts) -> list[str]:
    lines = [
        r"{\small",
        r"\begin{longtable}{@{}p{0.26\linewidth}p{0.68\linewidth}@{}}",
        rf"\caption{{Scaling-law card of {escape(facts.name)}: the checklist of {escape(CHECKLIST)}, filled in from "
        rf"the records. Items that they do not contain are marked \emph{{{NOT_RECORDED}}}.}}\\",
        r"\toprule",
        r"Item & Stated \\",
        r"\midrule",
        r"\endfirsthead",
        r"\toprule",
        r"Item & Stated \\",
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
    ]
    for at, (title, items) in enumerate(facts.sections.items()):
        lines += [r"\addlinespace"] if at else []
        lines += [rf"\multicolumn{{2}}{{@{{}}l}}{{\textbf{{{escape(title)}}}}} \\*", *_items(items)]
    return [*lines, r"\end{longtable}", "}"]


def _items(items: Items) -> list[str]:
    marked = rf"\emph{{{NOT_RECORDED}}}"
    return [f"{escape(name)} & {escape(text).replace(NOT_RECORDED, marked)} \\\\" for name, text in items.items()]


def _result(table: Table) -> list[str]:
    if table.rows.empty:
        return [r"\noindent " + escape(table.title)]
    names = [str(name) for name in table.rows.columns]
    # The column of words at the end takes what the numbers leave.
    share = 0.92 / (len(names) + 1)
    shares = [share] * (len(names) - 1) + [2 * share]
    columns = "".join(rf">{{\raggedright\arraybackslash}}p{{{each:.3f}\linewidth}}" for each in shares)
    return [
        r"{\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}",
        rf"\caption{{{escape(table.title.removesuffix(':'))}.}}\\",
        r"\toprule",
        " & ".join(map(escape, names)) + r" \\",
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *_rows(table.rows),
        r"\end{longtable}",
        *(r"\noindent " + escape(note) + r"\par" for note in table.notes),
        "}",
    ]


def _rows(frame: pd.DataFrame) -> list[str]:
    return [" & ".join(escape(cell) for cell in row) + r" \\" for row in frame.itertuples(index=False)]
