"""The page itself: template, style, script, the drawing library and the data, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.report import tables
from harness.report.analyze import Analysis
from harness.report.interactive.data import page_data
from harness.report.names import size_name
from harness.wording import confidence

#: Largest size of the page.
LIMIT_BYTES = 5_000_000
#: Of it, what is kept for the table of verdicts and the rest of the page.
_ROOM_BYTES = 200_000

#: Rows of the table of verdicts.
_MOST_ROWS = 2_000

_HERE = Path(__file__).parent
_STYLES = _HERE / "page.css", _HERE.parent / "verdicts.css"
_LIBRARY, _LICENCE = _HERE / "vendor" / "plotly-basic.min.js", _HERE / "vendor" / "plotly-LICENSE.txt"


def interactive_page(analysis: Analysis) -> str:
    """The report of an analysis as a self-contained page of at most `LIMIT_BYTES`.

    Its reader chooses x and y, linear or logarithmic axes, studies and verdicts, and sees run, seed and settings of
    each point. What a large folder has too much of is left out, and the page says what.
    """
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    library = _LIBRARY.read_text(encoding="utf-8")
    rows = _verdict_rows(analysis)
    room = LIMIT_BYTES - len(library.encode()) - _ROOM_BYTES - sum(len(str(row).encode()) for row in rows)
    data, left_out = page_data(analysis, room)
    return environment.get_template("page.html.j2").render(
        experiments=sorted(set(analysis.runs["experiment"].astype(str))),
        n_runs=len(analysis.runs),
        headline=tables.verdict_counts(analysis.jumps, analysis.x),
        x_name=size_name(analysis.x),
        level=confidence(analysis.level),
        rows=rows,
        n_more_rows=len(analysis.jumps) - len(rows),
        left_out=left_out,
        not_curves=analysis.left_out,
        n_unfinished=int(analysis.runs["status"].ne("finished").sum()),
        impossible=analysis.impossible,
        style="".join(path.read_text(encoding="utf-8") for path in _STYLES),
        script=(_HERE / "page.js").read_text(encoding="utf-8"),
        library=library,
        licence=_LICENCE.read_text(encoding="utf-8"),
        data=data,
    )


def _verdict_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """The rows of the static page's tables of verdicts, with what they are filtered by."""
    jumps = analysis.jumps.head(_MOST_ROWS)
    words = tables.verdict_table(jumps, analysis.x).to_dict("records")
    named = zip(words, jumps["study"], jumps["subtask"], jumps["verdict"], strict=True)
    return [
        {"cells": cells, "study": str(study), "subtask": str(subtask), "verdict": str(verdict)}
        for cells, study, subtask, verdict in named
    ]
