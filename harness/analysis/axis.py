"""The x of curves where further is smaller: along a loss abilities appear as it falls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.metric_names import meaning
from harness.records.columns import POSITIVE, number_column, require_columns
from harness.records.comparable import DATA

#: Places of a rise in the unit of x, in the tables of the analysis: an estimate with its low and high end.
_PLACES = ("threshold", "onset", "half_rise")


@dataclass(frozen=True)
class Axis:
    """A column of sizes, > 0, along which abilities appear as it grows, or as it falls.

    The analysis knows sizes that grow. One over a size that falls grows, and its steps in ln x are as long.

    Attributes:
        x: the column.
        falls: whether further is smaller, as of a loss.
    """

    x: str
    falls: bool

    @classmethod
    def of(cls, x: str) -> Axis:
        """By the name of the column: it falls where smaller is better (`metric_names`)."""
        return cls(x, not meaning(x).higher_is_better)

    @property
    def places(self) -> str:
        """What the places along it are called: sizes, or amounts of data."""
        return "amounts of data" if self.x == DATA else "sizes"

    @property
    def rising(self) -> str:
        """The column that grows as abilities appear."""
        return f"1/{self.x}" if self.falls else self.x

    def with_rising(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with that column.

        Raises:
            DataError: there is no column x, or it holds what is no finite number above 0.
        """
        if not self.falls:
            return frame
        require_columns(frame, (self.x,))
        return frame.assign(**{self.rising: 1 / number_column(frame, self.x, POSITIVE, empty=False)})

    def written(self, size: float) -> float:
        """A size along `rising` in the unit of x."""
        return _over(size) if self.falls else size

    def turned(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row of the analysis with its places in the unit of the other column: of x for those along `rising`, and
        the reverse. Open ends, 0 and inf, change places too."""
        found = dict(row)
        for name in _PLACES if self.falls else ():
            if name in found:
                ends = (f"{name}_low", f"{name}_high")
                found[name], found[ends[0]], found[ends[1]] = (_over(row[each]) for each in (name, *ends[::-1]))
        return found

    def turned_rows(self, found: pd.DataFrame) -> pd.DataFrame:
        """`turned` for every row of a table."""
        if not self.falls:
            return found
        rows = [self.turned(row) for row in found.to_dict("records")]  # type: ignore[arg-type]
        return pd.DataFrame(rows, index=found.index, columns=found.columns)


def _over(place: float) -> float:
    """1 / place; inf for 0, NaN for NaN."""
    return float("inf") if place == 0 else float(np.divide(1.0, place))
