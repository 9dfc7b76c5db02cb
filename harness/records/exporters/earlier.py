"""Tables that earlier exports, or their user, have written: rows that are there already are kept."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd

from harness.errors import UserError


def read_earlier(path: Path, key: str) -> pd.DataFrame:
    """The cells of a table as they stand there, with at least the column `key`; no rows where there is no file.

    Raises:
        UserError: a file is there that is no table with this column, so that no export has written it.
    """
    if not path.exists():
        return pd.DataFrame(columns=[key], dtype=str)
    try:
        found = _cells(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        raise _of_another(path) from error
    if key not in found:
        raise _of_another(path)
    return found


def with_earlier(table: pd.DataFrame, earlier: pd.DataFrame, key: str) -> bytes:
    """A table as CSV, followed by the rows of an earlier one of which it has no `key`; columns are those of both."""
    own = _cells(table.to_csv(index=False))
    kept = earlier[~earlier[key].isin(list(own[key]))]
    both = pd.concat([own, kept], ignore_index=True).fillna("") if len(kept) else own
    return both.to_csv(index=False).encode()


def _cells(text: str) -> pd.DataFrame:
    """What the cells of a CSV table say, letter by letter."""
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)


def _of_another(path: Path) -> UserError:
    return UserError(
        f"{path}: is no file of an earlier export, and would be overwritten; choose another folder by --into"
    )
