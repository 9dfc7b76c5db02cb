"""Expressions of --where, --exclude and --derive: grammatical ones, and the same damaged."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import odd
import pandas as pd
from sandbox import Case, Ran

from harness.records.expressions import derive, evaluate, select

_NAMES = ("N", "loss", "corpus", "flag", "`model size`", "µ", "gone", "mixed", "nosuch", "when", "whole", "empty")
_BINARY = (
    "+",
    "-",
    "*",
    "/",
    "**",
    "%",
    "<",
    "<=",
    ">",
    ">=",
    "==",
    "!=",
    "and",
    "or",
    "in",
    "not in",
    "//",
    "@",
    "is",
)
_CALLS = ("log", "log10", "exp", "sqrt", "abs", "min", "max", "isnan", "eval", "open", "__import__", "print")


@cache
def _frame() -> pd.DataFrame:
    columns = {
        "N": [1.0, 10.0, 1e3, 1e308, 0.0, -1.0],
        "loss": [1.0, np.nan, np.inf, 2.0, 3.0, -np.inf],
        "corpus": ["web", None, "1.5", "", "b'c", "nan"],
        "flag": [True, False, True, True, False, False],
        "model size": [1, 2, 3, 4, 5, 6],
        "µ": [1.5] * 6,
        "mixed": [1, "a", None, [1], {"a": 1}, True],
        "when": pd.to_datetime(["2025-01-01"] * 6),
        "whole": pd.array([1, 2, None, 4, 5, 6], dtype="Int64"),
        "empty": [None] * 6,
    }
    return pd.DataFrame(columns, index=range(1, 7))


def expression(rng: random.Random, depth: int = 0) -> str:
    """Nearly an expression of the grammar."""
    kind = rng.random()
    if depth > 4 or kind < 0.25:
        return rng.choice(_NAMES)
    if kind < 0.4:
        return rng.choice(
            (str(odd.number(rng)), repr(odd.text(rng)), "True", "None", "1e999", "9" * 5000, "1j", "b'x'")
        )
    if kind < 0.7:
        return f"{expression(rng, depth + 1)} {rng.choice(_BINARY)} {expression(rng, depth + 1)}"
    if kind < 0.78:
        return f"({expression(rng, depth + 1)})"
    if kind < 0.85:
        return rng.choice(("-", "+", "not ", "~")) + expression(rng, depth + 1)
    if kind < 0.95:
        inside = ", ".join(expression(rng, depth + 1) for _ in range(rng.randrange(4)))
        return f"{rng.choice(_CALLS)}({inside})"
    if kind < 0.98:
        return f"[{', '.join(expression(rng, depth + 1) for _ in range(rng.randrange(4)))}]"
    return rng.choice(
        ("(" * 300 + "N" + ")" * 300, "-" * 3000 + "N", " + ".join(["N"] * 2000), "N[0]", "N.real", "lambda: 1")
    )


def _damaged(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + odd.text(rng) + text[at + rng.randrange(3) :]


def make(rng: random.Random) -> Case:
    """An expression that is evaluated, chooses rows, or makes a column."""
    text = expression(rng)
    if rng.random() < 0.3:
        text = _damaged(rng, text)
    frame, use = _frame(), rng.randrange(3)
    if use == 0:
        return Case((f"evaluate {text!r}",), check=_a_cell_a_row, call=lambda: evaluate(frame, text))
    if use == 1:
        name = rng.choice(("new", "N", "`a b`", "µ2", odd.text(rng)))
        return Case((f"derive {name!r} {text!r}",), call=lambda: derive(frame, f"{name} = {text}"))
    return Case((f"select {text!r}",), check=_all_counted, call=lambda: select(frame, text, [text] * rng.randrange(3)))


def _a_cell_a_row(ran: Ran) -> str:
    return "" if ran.code or list(ran.value.index) == list(_frame().index) else "not a cell a row"


def _all_counted(ran: Ran) -> str:
    if ran.code:
        return ""
    found = len(ran.value.kept) + len(ran.value.excluded) + ran.value.n_outside
    return "" if found == len(_frame()) else f"{found} rows of {len(_frame())} are accounted for"
