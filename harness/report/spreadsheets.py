"""Tables as CSV for people, who open them in a spreadsheet."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

#: A cell of text that begins with one of these is run by a spreadsheet as a formula: names are what a table says.
_BEGIN_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def for_people(table: pd.DataFrame) -> bytes:
    """A table as CSV in which no text is a formula: an apostrophe stands before what would be. Numbers are in full.

    A carriage return in a name, which would begin a row, is a space.
    """
    text = {name: cells.map(_quoted) for name, cells in table.items() if not is_numeric_dtype(cells)}
    return table.assign(**{str(name): cells for name, cells in text.items()}).to_csv(index=False).encode()


def _quoted(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    return ("'" if cell.startswith(_BEGIN_A_FORMULA) else "") + cell.replace("\r", " ")
