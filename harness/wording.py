"""How numbers are put into words: sizes, intervals, shares, p values and durations, in one style everywhere.

Numbers have a leading zero (0.012), thousands are separated by commas, units and % stand after a space, and a number
that is not there is a dash.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
#: From here on, where only FLOPs are, numbers are written as 3.2e20, for few readers know the prefixes.
_BEYOND_PREFIXES = 1e15
#: Below it, sizes are written in full, to three digits.
_LEAST_WITH_PREFIX = 999.5
#: What stands for a number that is not there.
ABSENT = "–"
_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[-+]?\d+)?)")


def short(value: float, digits: int = 2) -> str:
    """A size in few characters: 800, 1.6k, 12M, 125M; from 1e15 on 7.2e22. For tick labels."""
    if not math.isfinite(value):
        return ABSENT
    if abs(value) < _LEAST_WITH_PREFIX:
        return _significant(value, max(3, digits))
    if abs(rounded := float(f"{value:.{digits}g}")) >= _BEYOND_PREFIXES:
        return f"{rounded:g}".replace("e+", "e")
    rounded = abs(float(f"{value:.{max(3, digits)}g}"))
    scale, prefix = next((each for each in _PREFIXES if rounded >= each[0]), (1.0, ""))
    before_the_point = len(str(int(rounded / scale)))
    return f"{_significant(value / scale, max(digits, before_the_point))}{prefix}"


def count(value: float, digits: int = 3) -> str:
    """A size in full to three significant digits, 4,130; from a million on with a prefix, 4.13M."""
    if not math.isfinite(value):
        return ABSENT
    return short(value, digits) if abs(value) >= 1e6 else f"{float(f'{value:.{digits}g}'):,.12g}"


def plain(value: float) -> str:
    """A number as 20, 0.05 or, below a thousandth, 1e-4; for tick labels."""
    if not 0 < abs(value) < 1e-3:
        return f"{value:g}"
    mantissa, exponent = f"{value:e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def interval(value: float, low: float, high: float, digits: int = 3, unit: str = "") -> str:
    """A size or ratio with its interval: 4,130 (3,300 to 5,210); open ends as `ends` has them.

    The interval alone where there is one but no value, as of a threshold off the ladder: open below, to 960.
    """
    if not math.isfinite(value):
        return ABSENT if math.isnan(low) or math.isnan(high) else ends(low, high, digits)
    return f"{count(value, digits)}{unit} ({ends(low, high, digits)})"


def ends(low: float, high: float, digits: int = 3) -> str:
    """The interval of a size, which is open where its ends are 0 or infinite, for these lie off the ladder: 3,300 to
    5,210; from 3,300, open above; open below, to 5,210; open on both sides; where both lie off the ladder on one side,
    which side."""
    if low == high and (low == 0 or math.isinf(low)):
        return "below the first size" if low == 0 else "beyond the last size"
    if low <= 0:
        return "open on both sides" if high == math.inf else f"open below, to {count(high, digits)}"
    if high == math.inf:
        return f"from {count(low, digits)}, open above"
    return f"{count(low, digits)} to {count(high, digits)}"


def between(low: float, high: float, write: Callable[[float], str] = "{:.4g}".format) -> str:
    """The interval of any number, which is open where its ends are infinite: -0.443 to 0.59, 0.443 or more, up to 0.59,
    anywhere."""
    if low == -math.inf:
        return "anywhere" if high == math.inf else f"up to {write(high)}"
    return f"{write(low)} or more" if high == math.inf else f"{write(low)} to {write(high)}"


def rungs(width: float, ladder: float) -> str:
    """The width of a rise in rungs of a ladder of so many: 4.9 rungs; what is wider than the ladder was not seen whole,
    and how wide it is nobody can tell: longer than the ladder."""
    return "longer than the ladder" if width > ladder else f"{width:.1f} rungs"


def estimate(value: float, low: float, high: float) -> str:
    """A fitted number with its interval, to the decimals of its own third significant digit: 0.515 (0.443 to 0.590)."""
    decimals = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 2
    return f"{value:.{decimals}f} ({low:.{decimals}f} to {high:.{decimals}f})"


def percent(share: float) -> str:
    """A share as 0.6 % or 170 %."""
    if not math.isfinite(share):
        return ABSENT
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def confidence(level: float) -> str:
    """The level of an interval, in full: 95 %, 99.9 %."""
    return f"{100 * level:g} %"


def p_value(p: float) -> str:
    """A p value in a column of them, never rounded to 0: 0.012, < 0.001."""
    if not math.isfinite(p):
        return ABSENT
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def p_equals(p: float) -> str:
    """A p value in a sentence: p = 0.012, p < 0.001."""
    return f"p {p_value(p)}" if p < 0.001 else f"p = {p_value(p)}"


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 3 min 20 s, 2 h 5 min; "?" where unknown."""
    if not math.isfinite(seconds):
        return "?"
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    if hours:
        return f"{hours} h {m} min"
    return f"{m} min {s} s" if minutes else f"{s} s"


def seconds_in_words(seconds: float) -> str:
    """As `duration`, with tenths below ten seconds and milliseconds below a tenth: 30 ms, 2.4 s, 12 s."""
    if seconds < 0.0995:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 9.95 else duration(seconds)


def stopped_early(shares: Sequence[float]) -> str:
    """4 of them stopped early, after 35 % to 60 % of the steps asked for; '' where none did.

    Args:
        shares: of the steps asked for, a number below 1 for each run that stopped early.
    """
    if not shares:
        return ""
    span = " to ".join(dict.fromkeys(map(percent, (min(shares), max(shares)))))
    return f"{len(shares):,} of them stopped early, after {span} of the steps asked for"


def counted(n: int, noun: str) -> str:
    """1 curve, 4,000 curves; of nouns with a plural in -s."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names with commas between them, and how many more there are than `most`."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def by_numbers(name: str) -> tuple[str | float, ...]:
    """A key that sorts names by the numbers in them: width=8 before width=16, lr=1e-05 before lr=0.003."""
    parts = _NUMBER.split(name)  # text and numbers in turn
    return tuple(float(part) if i % 2 else part for i, part in enumerate(parts))


def _significant(value: float, digits: int) -> str:
    return f"{float(f'{value:.{digits}g}'):.12g}"
