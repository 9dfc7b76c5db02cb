"""The card: the checklist of Li et al. 2025, "(Mis)Fitting: A Survey of Scaling Laws", filled in from the records.

`facts` gathers what is stated, of each study by `studies`; `methods` says it in prose; `markdown` and `latex` write it.
"""

from __future__ import annotations

from harness.report.analyze import Analysis
from harness.report.card.facts import gather_facts
from harness.report.card.latex import as_latex
from harness.report.card.markdown import as_markdown
from harness.report.card.methods import describe

__all__ = ["cards"]


def cards(analysis: Analysis) -> tuple[str, str]:
    """The card of a results folder, in Markdown and in LaTeX."""
    facts = gather_facts(analysis)
    methods = describe(analysis, facts.not_known)
    return as_markdown(facts, methods), as_latex(facts, methods)
