"""Frames of words for a terminal: as a table where it is wide enough, else as a paragraph a row."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.report.tables import VERDICT_STYLES

#: Lines of cells up to this length stay whole; longer ones are prose, whose column has at least as many characters.
_SHORT = 36


@dataclass(frozen=True)
class AsRich:
    """A frame of words under a title. Nothing is left out in a narrow terminal: each row is a paragraph there."""

    frame: pd.DataFrame
    title: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._least_width() <= options.max_width:
            yield self._table()
        else:
            yield Text(f"{self.title}\n", style="bold")
            for row in self.frame.to_dict("records"):
                yield from self._paragraph({str(name): str(cell) for name, cell in row.items()})

    def _least_width(self) -> int:
        """Of a table in which short cells are whole: the columns, three spaces between two, one at each end."""
        columns = [min(max(map(cell_len, self._lines(name)), default=0), _SHORT) for name in self.frame.columns]
        return sum(columns) + 3 * (len(columns) - 1) + 2

    def _lines(self, name: str) -> list[str]:
        """Of a column's cells, its heading first."""
        return [line for cell in (name, *self.frame[name]) for line in str(cell).splitlines()]

    def _table(self) -> Table:
        table = Table(title=Text(self.title, style="bold"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for name in self.frame.columns:
            prose = any(cell_len(line) > _SHORT for line in self._lines(name))
            table.add_column(Text(str(name)), overflow="fold", no_wrap=not prose, min_width=_SHORT if prose else None)
        for row in self.frame.to_dict("records"):
            table.add_row(*(_styled(str(name), str(cell)) for name, cell in row.items()))
        return table

    def _paragraph(self, row: dict[str, str]) -> RenderResult:
        (first, label), *others = row.items()
        yield Text(label if first in ("what", "study") else f"{first} {label}", style="bold")
        named = [Text.assemble((f"{name} ", "dim"), _styled(name, cell.replace("\n", " "))) for name, cell in others]
        in_a_line = [each for each, (_, cell) in zip(named, others, strict=True) if len(cell) <= _SHORT]
        prose = [each for each, (_, cell) in zip(named, others, strict=True) if len(cell) > _SHORT]
        for line in (Text(" · ").join(in_a_line), *prose):
            yield Padding(line, (0, 0, 0, 2), expand=False)
        yield Text()


def as_rich(frame: pd.DataFrame, title: str) -> AsRich:
    """A frame of words for a terminal; its first column says what a row is of."""
    return AsRich(frame, title)


def _styled(name: str, cell: str) -> Text:
    return Text(cell, style=VERDICT_STYLES.get(cell, "") if name == "verdict" else "")
