"""A small arithmetic over the columns of a table: new columns, and which rows count.

    D = C / (6 * N)
    log10(`Model Size`) > 6 and optimizer in ['adam', 'sgd'] and not isnan(loss)

Numbers (float64), 'text', True, False; columns by name, any name in backticks; ``+ - * / ** %``, comparisons,
``in [...]``, and, or, not; `FUNCTIONS`, of which isnan is true where a cell of any kind is missing. An expression is
parsed and its syntax tree evaluated here; Python never runs it, so that one from an untrusted file can do no harm.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from harness.errors import DataError, nearest
from harness.records.columns import any_column, column, number_column

#: What can be called, cell by cell: min and max of two values or more, the others of one.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "log": np.log,
    "log10": np.log10,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
    "isnan": pd.isna,
}
_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.And: operator.and_,
    ast.Or: operator.or_,
    ast.Not: operator.invert,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_REFUSED: dict[type, str] = {
    ast.Attribute: "attribute access",
    ast.JoinedStr: "an f-string",
    ast.NamedExpr: "':='",
    ast.ListComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.Subscript: "indexing",
    ast.Lambda: "a lambda",
    ast.IfExp: "if ... else",
    ast.List: "a list that is not after 'in'",
    ast.Constant: "a constant that is no number, text, True or False",
    ast.MatMult: "'@'",
    ast.FloorDiv: "'//'",
    ast.BitAnd: "'&'; write 'and'",
    ast.BitOr: "'|'; write 'or'",
    ast.Invert: "'~'; write 'not'",
}
_KINDS = {"f": "a number", "b": "True or False", "O": "text"}
_LONGEST = 10_000  # characters, lest parsing exhaust memory
_TOKENS = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`[^`]+`|#""", re.DOTALL)
_DEFINITION = re.compile(r"\s*(`[^`]+`|[^\W\d]\w*)\s*=(?!=)(.*)", re.DOTALL)


class ExpressionError(DataError):
    """An expression that cannot be read or does not fit its table; names it and the place in it."""


@dataclass(frozen=True)
class Selection:
    """What `select` made of a frame.

    Attributes:
        kept: the rows to analyse, indexed as they were.
        excluded: one row each: `row`, its index label (in a table from a file its number, counted from 1), and `why`,
            the expression.
        n_outside: number of rows that the analysis is not about, which are neither kept nor excluded.
    """

    kept: pd.DataFrame
    excluded: pd.DataFrame
    n_outside: int


def evaluate(frame: pd.DataFrame, expression: str) -> pd.Series:
    """The expression's value in each row: float64, bool or text, indexed as the frame.

    What has no value, as 1 / 0 or log(-1), is inf or NaN. A comparison with a missing cell is False (``!=`` True).

    Raises:
        ExpressionError: bad syntax, an unknown column, anything not in the grammar, operands of a wrong kind.
    """
    return pd.Series(_Evaluation(frame, expression).result(), index=frame.index)


def derive(frame: pd.DataFrame, definition: str) -> pd.DataFrame:
    """The frame with one column more, from ``NAME = EXPRESSION``.

    Raises:
        ExpressionError: not of that form, a column of that name is there already, or as `evaluate`.
    """
    form = _DEFINITION.fullmatch(definition)
    if form is None:
        raise ExpressionError("wanted is NAME = EXPRESSION, such as D = C / (6 * N)", source=_shown(definition))
    name, expression = form[1].strip("`"), form[2]
    if name in frame.columns:
        raise ExpressionError(f"column '{name}' is there already and is not overwritten", source=_shown(definition))
    return frame.assign(**{name: evaluate(frame, expression)})


def select(frame: pd.DataFrame, where: str | None = None, exclude: Sequence[str] = ()) -> Selection:
    """The rows that an analysis is about, less those excluded from it.

    Each exclusion sees the rows that those before it left, and may rely on them: ``loss == 'n/a'``, then ``loss > 9``.

    Args:
        where: condition of the rows that the analysis is about; None for all.
        exclude: conditions of rows to leave out; a row is counted under the first that holds.

    Raises:
        ExpressionError: as `evaluate`, or an expression that is not True or False.
    """
    about = frame if where is None else frame[_Evaluation(frame, where).result("b")]
    why = np.full(len(about), None, dtype=object)
    for expression in [exclude] if isinstance(exclude, str) else exclude:
        left = np.flatnonzero(pd.isna(why))
        why[left[_Evaluation(about.iloc[left], expression).result("b")]] = expression
    kept = pd.isna(why)
    excluded = pd.DataFrame({"row": about.index[~kept], "why": why[~kept]})
    return Selection(about[kept], excluded, len(frame) - len(about))


class _Evaluation:
    """One expression over one frame: each node of its syntax tree becomes an array, a cell a row."""

    def __init__(self, frame: pd.DataFrame, expression: str) -> None:
        self.frame, self.source = frame, expression.strip()
        if not 0 < len(self.source) <= _LONGEST:
            raise ExpressionError(f"an expression of 1 to {_LONGEST} characters is wanted", source=_shown(self.source))
        self.known: dict[ast.expr, np.ndarray] = {}  # a side of several comparisons is computed once
        self.parsed = re.sub("[\n\r]", " ", _TOKENS.sub(_plain, self.source))  # places stay what they were

    def result(self, kind: str = "") -> np.ndarray:
        """Cells of `kind`; of whichever kind they are if that is ''."""
        try:
            with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
                body = ast.parse(self.parsed, mode="eval").body
                for node in ast.walk(body):
                    if isinstance(node, ast.Constant) and isinstance(node.value, str):
                        node.value.encode()  # an escape may make half a pair of UTF-16, which is no text
                return self.cells(body, kind)
        except SyntaxError as error:
            place = error.offset or len(self.source)
            raise ExpressionError(error.msg, source=f"{_shown(self.source)}, character {place}") from error
        except (RecursionError, MemoryError, ValueError, OverflowError) as error:
            why = "nested too deeply, a number too large, or not plain text"
            raise ExpressionError(why, source=_shown(self.source)) from error

    def cells(self, node: ast.expr, kind: str = "") -> np.ndarray:
        if isinstance(node, ast.Name):
            found = self.read(node, number_column if kind == "f" else any_column)
        else:
            if node not in self.known:
                self.known[node] = self.compute(node)
            found = self.known[node]
        if kind and found.dtype.kind != kind:
            raise self.fault(node, f"{_KINDS[kind]} is wanted, not {_KINDS[found.dtype.kind]}")
        return found

    def read(self, node: ast.Name, reader: Callable[[pd.DataFrame, str], Any]) -> Any:
        try:
            return reader(self.frame, self.text_of(node).strip("`"))  # node.id is normalised: another µ than written
        except DataError as error:
            found = self.fault(node, error.problem)
            found.column, found.row = error.column, error.row
            raise found from error

    def compute(self, node: ast.expr) -> np.ndarray:
        match node:
            case ast.Constant(value=bool() | str() as constant):
                return np.full(len(self.frame), constant, dtype=bool if isinstance(constant, bool) else object)
            case ast.Constant(value=int() | float() as constant):
                return np.full(len(self.frame), float(constant))
            case ast.UnaryOp(op=op) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](self.cells(node.operand, "b" if isinstance(op, ast.Not) else "f"))
            case ast.BinOp(op=op) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](self.cells(node.left, "f"), self.cells(node.right, "f"))
            case ast.BoolOp(op=op):
                return reduce(_OPERATORS[type(op)], (self.cells(part, "b") for part in node.values))
            case ast.Compare():
                return reduce(
                    operator.and_, map(self.compare, node.ops, [node.left, *node.comparators], node.comparators)
                )
            case ast.Call(func=ast.Name()):
                return self.call(node, self.text_of(node.func))
        culprit = type(getattr(node, "op", getattr(node, "func", node)))
        raise self.fault(node, f"not allowed: {_REFUSED.get(culprit, culprit.__name__)}")

    def call(self, node: ast.Call, name: str) -> np.ndarray:
        if name not in FUNCTIONS:
            hint = nearest(name, FUNCTIONS) or f"; functions are {', '.join(FUNCTIONS)}"
            raise self.fault(node, f"not allowed: call of {name}{hint}")
        function, n, folds = FUNCTIONS[name], len(node.args), name in ("min", "max")
        if node.keywords or (n < 2 if folds else n != 1):
            raise self.fault(node, f"{name} takes {'two values or more' if folds else 'one value'}")
        if name == "isnan" and isinstance(node.args[0], ast.Name):
            return self.read(node.args[0], column).isna().to_numpy()
        cells = [self.cells(argument, "" if name == "isnan" else "f") for argument in node.args]
        return reduce(function, cells) if folds else function(*cells)

    def compare(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> np.ndarray:
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, ast.List):
                raise self.fault(right, "a list [...] is wanted after 'in'")
            found = self.contained(left, right.elts)
            return ~found if isinstance(op, ast.NotIn) else found
        if type(op) not in _OPERATORS:
            raise self.fault(left, "not allowed: 'is'; write '=='")
        a, b = self.cells(left), self.cells(right)
        kinds = a.dtype.kind + b.dtype.kind
        if (kinds == "Of" and isinstance(left, ast.Name)) or (kinds == "fO" and isinstance(right, ast.Name)):
            a, b = self.cells(left, "f"), self.cells(right, "f")  # a text column may spell numbers; else it says where
        elif len({*kinds}) > 1:
            known = f"{self.text_of(left)} is {_KINDS[kinds[0]]}, {self.text_of(right)} is {_KINDS[kinds[1]]}"
            raise self.fault(left, f"{known}: one kind is wanted")
        holds, present = np.full(len(a), isinstance(op, ast.NotEq)), pd.notna(a) & pd.notna(b)
        holds[present] = _OPERATORS[type(op)](a[present], b[present])
        return holds

    def contained(self, left: ast.expr, items: Sequence[ast.expr]) -> np.ndarray:
        """Whether each cell equals an item; plain values, of which there may be thousands, are looked up together."""
        cells = self.cells(left)
        found = np.zeros(len(cells), dtype=bool)
        plain: dict[str, list[Any]] = {}
        for item in items:
            kind, value = _plain_value(item)
            # A text column may spell numbers.
            if kind == cells.dtype.kind or (kind == "f" and cells.dtype.kind == "O" and isinstance(left, ast.Name)):
                plain.setdefault(kind, []).append(value)
            else:
                found |= self.compare(ast.Eq(), left, item)
        for kind, values in plain.items():
            found |= pd.Series(self.cells(left, kind)).isin(values).to_numpy()
        return found

    def text_of(self, node: ast.expr) -> str:
        """The node's part of the expression, as the user wrote it."""
        return self.source[self.place(node.col_offset) : self.place(node.end_col_offset)]

    def place(self, offset: int | None) -> int:
        """Characters before an offset of the parser, which counts bytes."""
        return len(self.parsed.encode()[:offset].decode())

    def fault(self, node: ast.expr, what: str) -> ExpressionError:
        part = "" if isinstance(node, ast.Name) else f": {_shown(self.text_of(node))}"
        spot = f", character {self.place(node.col_offset) + 1}{part}" if self.text_of(node) != self.source else ""
        return ExpressionError(what, source=f"{_shown(self.source)}{spot}")


def _plain_value(node: ast.expr) -> tuple[str, Any]:
    """Kind and value of an item that is a number, a text, True or False as it is written; '' and None of any other."""
    match node:
        case ast.Constant(value=bool() as value):
            return "b", value
        case ast.Constant(value=str() as value):
            return "O", value
        case ast.Constant(value=int() | float() as value):
            return "f", float(value)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as operand) if _plain_value(operand)[0] == "f":
            return "f", -_plain_value(operand)[1]
    return "", None


def _plain(token: re.Match[str]) -> str:
    """What Python can parse, of the same length: a name for one in backticks, no comment that hides what follows."""
    return {"`": "_" * len(token[0]), "#": "?"}.get(token[0][0], token[0])


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 80 else f"{line[:76]} ...")
