"""A second table joined to a first by the columns that both have: sizes of models to their scores, say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.errors import DataError, nearest
from harness.records.columns import number_column


@dataclass(frozen=True)
class Joined:
    """What `join` made of two tables.

    Attributes:
        frame: every row of the first that has a partner, indexed as before, with the other's columns beside its own.
        key: columns that partners share.
        alone: (rows,) which rows of the first have no partner.
        why: what is lacking for each of these.
        unused: rows of the other that no row of the first asks for.
    """

    frame: pd.DataFrame
    key: tuple[str, ...]
    alone: np.ndarray
    why: tuple[str, ...]
    unused: int


def join(frame: pd.DataFrame, other: pd.DataFrame, name: str) -> Joined:
    """The columns of `other` beside those of `frame`, row by row, by what stands in the columns that both have.

    Partners share the text of the first column, else of all columns of text that both tables have, that tells the rows
    of `other` apart, else the cells of every column that both have. Where a further column is in both, its cells must
    agree; an empty one is filled from `other`.

    Args:
        frame: any rows.
        other: one row for each value of the key; rows without a key (a blank line of a spreadsheet) are passed over.
        name: what the user calls `other`.

    Raises:
        DataError: no column in both, two rows of `other` for one key, cells of partners that differ, or no partners.
    """
    shared = [str(column) for column in other.columns if column in frame.columns]
    if not shared:
        found, theirs = (", ".join(map(str, table.columns[:8])) for table in (frame, other))
        raise DataError(f"no column in common with the table that it is about ({theirs}; {found})", source=name)
    key = _key(frame, other, shared, name)
    wanted, known = _keys(frame, other, key)
    place = {cells: i for i, cells in enumerate(known) if _is_whole(cells)}
    partner = np.array([place.get(cells, -1) for cells in wanted])
    alone = partner < 0
    if alone.all():
        raise DataError(f"no row in common: {_lacking(wanted[0], key, known, name)}", source=name)
    why = tuple(_lacking(wanted[i], key, known, name) for i in np.flatnonzero(alone))
    kept, at = frame[~alone], partner[~alone]
    beside = other.iloc[at].set_axis(kept.index, axis="index")
    for column in shared:
        if column not in key:
            kept = kept.assign(**{column: _agreed(kept[column], beside[column], name)})
    new = [column for column in other.columns if column not in frame.columns]
    return Joined(pd.concat([kept, beside[new]], axis="columns"), key, alone, why, len(place) - len(np.unique(at)))


def _key(frame: pd.DataFrame, other: pd.DataFrame, shared: list[str], name: str) -> tuple[str, ...]:
    """The columns that partners share."""
    text = tuple(column for column in shared if not (_is_numbers(frame[column]) and _is_numbers(other[column])))
    for key in filter(None, (*((column,) for column in text), text, tuple(shared))):
        rows: dict[tuple, list[object]] = {}
        for row, cells in zip(other.index, _cells(other, key), strict=True):
            if _is_whole(cells):
                rows.setdefault(cells, []).append(row)
        if all(len(each) == 1 for each in rows.values()):
            return key
    cells, (first, second, *_) = next((cells, each) for cells, each in rows.items() if len(each) > 1)
    raise DataError(f"rows {first} and {second} are both of {_words(cells, key)}: allowed is one", source=name)


def _is_whole(cells: tuple) -> bool:
    """Whether no cell of a key is empty: what has no name has no partner."""
    return all(cell == cell and cell != "" for cell in cells)


def _keys(frame: pd.DataFrame, other: pd.DataFrame, key: tuple[str, ...]) -> tuple[list[tuple], list[tuple]]:
    """The key of each row of both tables; cells are compared as text where a column is not of numbers in both."""
    numbers = {column for column in key if _is_numbers(frame[column]) and _is_numbers(other[column])}
    return _cells(frame, key, numbers), _cells(other, key, numbers)


def _cells(table: pd.DataFrame, key: tuple[str, ...], numbers: set[str] | None = None) -> list[tuple]:
    columns = []
    for column in key:
        cells = table[column]
        of_numbers = _is_numbers(cells) if numbers is None else column in numbers
        columns.append(cells.astype(float).tolist() if of_numbers else [_text(cell) for cell in cells])
    return list(zip(*columns, strict=True))


def _is_numbers(cells: pd.Series) -> bool:
    return cells.dtype.kind in "iuf"


def _text(cell: object) -> str:
    """A cell as one would write it: 70 and 70.0 are the same, and all that is missing is ''."""
    if cell is None or cell is pd.NA or cell != cell:
        return ""
    return f"{cell:.15g}" if isinstance(cell, float) else str(cell).strip()


def _lacking(wanted: tuple, key: tuple[str, ...], known: list[tuple], name: str) -> str:
    """Why a row has no partner."""
    near = nearest(str(wanted[0]), [str(cells[0]) for cells in known]) if len(key) == 1 else ""
    return f"{_words(wanted, key)} has no row in {name}{near}"


def _words(cells: tuple, key: tuple[str, ...]) -> str:
    written = (f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in cells)
    return ", ".join(f"{column} {cell}" for column, cell in zip(key, written, strict=True))


def _agreed(own: pd.Series, theirs: pd.Series, name: str) -> pd.Series:
    """A column that is in both tables, of partners."""
    if _is_numbers(own) and _is_numbers(theirs):
        table = pd.DataFrame({"own": own, "theirs": theirs})
        a, b = number_column(table, "own"), number_column(table, "theirs")
        differ = ~np.isclose(a, b, rtol=1e-9, atol=0) & ~np.isnan(a) & ~np.isnan(b)
    else:
        differ = (own.map(_text) != theirs.map(_text)).to_numpy() & own.notna().to_numpy() & theirs.notna().to_numpy()
    if differ.any():
        row = int(np.argmax(differ))
        found = f"{own.iloc[row]}, and {theirs.iloc[row]} in {name}; keep the column in one of the tables only"
        raise DataError(found, column=str(own.name), row=own.index[row])
    return own.where(own.notna(), theirs)
