"""Whether what a command prints has one way of writing numbers."""

from __future__ import annotations

import re

#: What no output holds -> why.
_FAULTS = {
    r"(?<![\w.])\.\d": "a number without its leading zero",
    r"\d%": "a per cent sign without a space",
    r"\bp[<=]|[<=]\d": "a p value without spaces",
    r"∞": "an open end that is not in words",
    r"\d min\b(?! \d+ s)(?<! h \d min)(?<! h \d\d min)": "a duration in parts of minutes",
}


def check_one_style(text: str) -> None:
    for pattern, fault in _FAULTS.items():
        found = re.search(pattern, text)
        assert found is None, f"{fault}: ...{text[max(0, found.start() - 40) : found.end() + 40]}..."
