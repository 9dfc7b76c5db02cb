"""card.tex is LaTeX that compiles, and says what card.md says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from harness.report.analyze import Analysis
from harness.report.card import cards
from harness.report.card.facts import Facts, Table
from harness.report.card.latex import PREAMBLE, as_latex, escape

TEX = next((path for name in ("tectonic", "pdflatex", "lualatex") if (path := shutil.which(name))), None)
#: Letters that LaTeX acts on, or that pdfTeX has no glyph for.
EVIL = 'a_b^c 50% #1 {x} ~ \\input{y} $z$ & <q> "in" 5" `code_1` é ł × ∝ 模 |'


@pytest.fixture(scope="module")
def written(analysis: Analysis) -> tuple[str, str]:
    return cards(analysis)


def rows_of_tables(text: str) -> list[tuple[int, list[str]]]:
    """(columns, cells) of every row of the tables."""
    found = []
    for columns, body in re.findall(r"\\begin\{longtable\}\{([^\n]*)\}\n(.*?)\\end\{longtable\}", text, re.DOTALL):
        n = len(re.findall(r"p\{0\.", columns))
        for line in body.splitlines():
            if line.endswith(r"\\") and "caption" not in line and "multicolumn" not in line:
                found.append((n, re.split(r"(?<!\\) & ", line.removesuffix(r" \\"))))
    return found


def check_latex(text: str) -> None:
    """Groups and environments close in order, and each row has as many cells as its table has columns."""
    plain = re.sub(r"(?m)(?<!\\)%.*$", "", text)
    open_now: list[str] = []
    for command, name, brace in re.findall(r"\\(begin|end)\{(\w+)\}|(?<!\\)([{}])", plain):
        if command == "begin" or brace == "{":
            open_now.append(name or brace)
        else:
            assert open_now.pop() == (name or "{"), text[-200:]
    assert open_now == []
    assert not re.search(r"(?<!\\)[#^_~]|(?<!\\)\$(?!(\\\w+|-)\$)(?<!\w\$)(?<!-\$)", plain)
    assert all(n == len(cells) for n, cells in rows_of_tables(text))


def test_what_a_name_holds_is_escaped() -> None:
    assert escape("a_b & 5%") == r"a\_b \& 5\%"
    assert escape("`E + A x^-alpha`") == r"\texttt{E + A x\textasciicircum{}-alpha}"
    assert escape('the "word"') == "the ``word''"
    assert escape("\\input{y}") == r"\textbackslash{}input\{y\}"
    assert escape("8 × 1\nand 模") == r"8 $\times$ 1 and [U+6A21]"


def test_the_card_is_latex(written: tuple[str, str]) -> None:
    check_latex(written[1])
    assert written[1].splitlines()[0].endswith(PREAMBLE)
    assert len(rows_of_tables(written[1])) > 40
    assert r"\toprule" in written[1] and written[1].count(r"\begin{longtable}") == 2


def evil() -> str:
    facts = Facts(EVIL, {EVIL: {EVIL: EVIL}}, (Table(f"{EVIL}:", pd.DataFrame({EVIL: [EVIL], "b": ["1"]}), (EVIL,)),))
    return as_latex(facts, [EVIL])


def test_names_cannot_break_it() -> None:
    check_latex(evil())
    assert [len(cells) for _, cells in rows_of_tables(evil())] == [2, 2, 2, 2, 2]


@pytest.mark.skipif(TEX is None, reason="no TeX on this machine")
def test_it_compiles(written: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "card.tex").write_text(written[1] + evil())
    paper = tmp_path / "paper.tex"
    paper.write_text("\\documentclass{article}\n" + PREAMBLE + "\\begin{document}\n\\input{card}\n\\end{document}\n")
    command = [
        str(TEX),
        *([] if "tectonic" in str(TEX) else ["-halt-on-error", "-interaction=nonstopmode"]),
        "paper.tex",
    ]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout[-2000:]
    assert paper.with_suffix(".pdf").exists()


def test_it_has_every_number_of_the_markdown(written: tuple[str, str]) -> None:
    markdown, latex = written

    def numbers(text: str) -> list[str]:
        return re.findall(r"\d[\d.,]*\d|\d", text)

    items = re.findall(r"^- \*\*(.+?)\*\*: (.+)$", markdown, re.MULTILINE)
    cells = {row[0]: row[1] for _, row in rows_of_tables(latex) if len(row) == 2}
    assert len(items) > 40
    for name, text in items:
        assert numbers(cells[escape(name)]) == numbers(text), name
    laws = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("| ")]
    in_latex = [row for n, row in rows_of_tables(latex) if n == len(laws[0])]
    assert [numbers(" ".join(row)) for row in in_latex] == [numbers(" ".join(row)) for row in laws if row[0] != "---"]
