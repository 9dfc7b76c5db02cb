from __future__ import annotations

import operator
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.records.expressions import FUNCTIONS, ExpressionError, derive, evaluate, select

FRAME = pd.DataFrame(
    {
        "N": [1e6, 2e6, np.nan, 8e6],
        "C": [6e6, 3e6, 1.0, 2.0],
        "Model Size": [1, 2, 3, 4],
        "family": ["gpt", None, "mlp", "gpt"],
        "loss": ["1.5", "n/a", "3", ""],
        "spelt": ["1e9", "2", None, "3"],
        "flag": [True, False, True, False],
        "empty": [np.nan] * 4,
        "half": [True, None, False, True],
        "µ": [1, 2, 3, 4],
        "not": [4, 3, 2, 1],
        "a`b'c#d": [1, 1, 1, 1],
    },
    index=[1, 2, 5, 7],
)


def refused(expression: str, *words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(FRAME, expression)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 400
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("C / (6 * N)", [1, 0.25, np.nan, 2 / 48e6]),
        ("`Model Size` ** 2 % 5", [1, 4, 4, 1]),
        ("-2 ** 2 + +C * 0", [-4, -4, -4, -4]),
        ("µ + `µ`", [2, 4, 6, 8]),
        ("'é' == 'é' and `Model Size` < 2", [True, False, False, False]),
        ("`not`\n - 1", [3, 2, 1, 0]),
        ("log10(C / C * 100) + log(exp(1)) + sqrt(abs(-4))", [5, 5, 5, 5]),
        ("min(C, 5, `Model Size`)", [1, 2, 1, 2]),
        ("max(N, 3)", [1e6, 2e6, np.nan, 8e6]),
        ("spelt * 2", [2e9, 4, np.nan, 6]),
        ("spelt >= 3", [True, False, False, True]),
        ("spelt == '3'", [False, False, False, True]),
        ("2 < spelt", [True, False, False, True]),
        ("9 ** 9 ** 9", [np.inf] * 4),
        ("1 / 0", [np.inf] * 4),
        ("0 / 0", [np.nan] * 4),
        ("log(-1)", [np.nan] * 4),
        ("1 < `Model Size` <= 3", [False, True, True, False]),
        ("N > 0", [True, True, False, True]),
        ("N != 1e6", [False, True, True, True]),
        ("not N > 0", [False, False, True, False]),
        ("isnan(N) or flag", [True, False, True, False]),
        ("isnan(N / 0 - 1 / 0)", [True] * 4),
        ("isnan(family)", [False, True, False, False]),
        ("isnan(half)", [False, True, False, False]),
        ("family == 'gpt'", [True, False, False, True]),
        ('family != "gpt"', [False, True, True, False]),
        ("family < 'h'", [True, False, False, True]),
        ("family in ['mlp', 'cnn']", [False, False, True, False]),
        ("family not in ['mlp']", [True, True, False, True]),
        ("`Model Size` in [1, C, 4]", [True, False, False, True]),
        ("C in []", [False] * 4),
        ("-C in [-1, N, 0]", [False, False, True, False]),
        ("flag in [True]", [True, False, True, False]),
        ("flag == True", [True, False, True, False]),
        ("loss == 'n/a'", [False, True, False, False]),
        ("empty == 'x' or empty > 1", [False] * 4),
        ("'a`b' == 'a#b'", [False] * 4),
        ("family", ["gpt", None, "mlp", "gpt"]),
    ],
)
def test_values(expression: str, wanted: list) -> None:
    found = evaluate(FRAME, expression)
    assert found.index.equals(FRAME.index)
    if isinstance(wanted[0], float | int) and not isinstance(wanted[0], bool):
        np.testing.assert_allclose(found, wanted, rtol=1e-15)
    else:
        assert [None if pd.isna(cell) else cell for cell in found] == wanted


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("los < 3", ["'los < 3'", "character 1", "'loss'"]),
        ("1 + `Model Siz`", ["character 5", "'Model Siz'", "'Model Size'"]),
        ("'é' == x", ["character 8", "'x'"]),
        ("(N", ["'(N'", "character 1", "never closed"]),
        ("N = 3", ["character 3", "invalid syntax"]),
        ("N >", ["character 3", "invalid syntax"]),
        ("N > 1 # or C", ["character 7", "invalid syntax"]),
        ("`N", ["character 1"]),
        ("'N", ["character 1", "unterminated"]),
        ("", ["''", "wanted"]),
        ("   ", ["''"]),
        ("loss * 2", ["column loss, row 2: 'n/a'"]),
        ("loss < 2", ["column loss, row 2: 'n/a'"]),
        ("family < 2", ["'family < 2'", "column family, row 1: 'gpt'"]),
        ("N == 'gpt'", ["N is a number", "'gpt' is text"]),
        ("'a' + 1", ["'a'", "a number is wanted, not text"]),
        ("-'a'", ["a number is wanted, not text"]),
        ("log('a')", ["a number is wanted, not text"]),
        ("flag + 1", ["column flag, row 1: True"]),
        ("(N > 1) + 1", ["a number is wanted, not True or False"]),
        ("flag == 1", ["flag is True or False", "1 is a number"]),
        ("half", ["column half, row 2: empty"]),
        ("N and flag", ["character 1", "True or False is wanted, not a number"]),
        ("not family", ["True or False is wanted, not text"]),
        ("C in 3", ["list"]),
        ("C in [1, 'a']", ["C is a number", "'a' is text"]),
        ("lg(N)", ["call of lg", "'log'"]),
        ("log(N, 2)", ["log takes one value"]),
        ("log(x=N)", ["log takes one value"]),
        ("min(N)", ["min takes two values or more"]),
        ("max(*N, *N)", ["Starred"]),
        ("log", ["'log' is missing"]),
    ],
)
def test_mistakes_are_named_with_their_place(expression: str, words: list[str]) -> None:
    refused(expression, *words)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("__import__('os')", ["call of __import__"]),
        ("open('x')", ["call of open"]),
        ("eval('1')", ["call of eval"]),
        ("().__class__", ["attribute access"]),
        ("N.__class__", ["attribute access"]),
        ("N.to_csv('x')", ["attribute access"]),
        ("log.__globals__", ["attribute access"]),
        ("(N := 3)", ["':='"]),
        ("[N for N in N]", ["comprehension"]),
        ("(N for N in N)", ["comprehension"]),
        ("{N: 1}", ["Dict"]),
        ("lambda: N", ["lambda"]),
        ("(lambda: N)()", ["lambda"]),
        ("f'{N}'", ["f-string"]),
        ("b'a' == b'a'", ["constant"]),
        ("1j", ["constant"]),
        ("None", ["constant"]),
        ("...", ["constant"]),
        ("N[0]", ["indexing"]),
        ("N @ C", ["'@'"]),
        ("@N", ["invalid syntax"]),
        ("N // 2", ["'//'"]),
        ("N & C", ["'&'; write 'and'"]),
        ("flag | flag", ["'|'; write 'or'"]),
        ("~flag", ["'~'; write 'not'"]),
        ("N << 2", ["LShift"]),
        ("N if flag else C", ["if ... else"]),
        ("N is C", ["'is'"]),
        ("[1]", ["list"]),
        ("N; C", ["invalid syntax"]),
        ("import os", ["invalid syntax"]),
        ("N\0", []),
        ("\ud800", []),
        (r"'\ud800'", ["not plain text"]),
        (r"corpus in ['a', '\ud800']", ["not plain text"]),
        ("1" * 400, ["too large"]),
        ("1" * 5000, ["limit"]),
        ("(" * 9000, ["nested"]),
        ("-" * 9000 + "N", ["nested too deeply"]),
        ("1+" * 4900 + "N", ["nested too deeply"]),
        ("N**" * 3000 + "N", ["nested too deeply"]),
        ("not " * 2400 + "flag", ["nested too deeply"]),
        ("a" * 10_001, ["10000"]),
        ("'\\" * 1_000_000, ["10000"]),
    ],
)
def test_what_is_not_of_the_grammar_is_refused(expression: str, words: list[str]) -> None:
    refused(expression, *words)


def test_a_side_of_several_comparisons_is_computed_once() -> None:
    expression = "flag"
    for _ in range(40):  # 2**40 comparisons otherwise
        expression = f"({expression} in [True, True])"
    assert evaluate(FRAME, expression).tolist() == FRAME["flag"].tolist()


def test_many_plain_items_are_looked_up_together() -> None:
    frame = pd.DataFrame({"N": np.arange(20_000.0), "name": [f"{i}" for i in range(20_000)]})
    tracemalloc.start()
    try:
        for column, items in (("N", range(0, 3000, 2)), ("name", [f"{i}" for i in range(1200)]), ("name", range(1500))):
            found = evaluate(frame, f"{column} in {list(items)}")
            assert found.sum() == len(items) and found.iloc[: len(items)].any()
        assert tracemalloc.get_traced_memory()[1] < 50e6  # a column an item would take 240 MB
    finally:
        tracemalloc.stop()


def test_missing_cells_are_in_no_list() -> None:
    frame = pd.DataFrame({"x": [1.0, np.nan, -0.0], "name": ["a", None, "nan"], "digits": ["1", None, "2.0"]})
    assert evaluate(frame, "x in [1, 0]").tolist() == [True, False, True]
    assert evaluate(frame, "x not in [1]").tolist() == [False, True, True]
    assert evaluate(frame, "name in ['nan', 'None']").tolist() == [False, False, True]
    assert evaluate(frame, "digits in [1, +2]").tolist() == [True, False, True]


def binary(side: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("({} {} {})".format, side, st.sampled_from("+-*/%"), side) | side.map("(-{})".format)


NUMBERS = st.floats(0, allow_infinity=False).map(repr) | st.sampled_from(["`a`", "`b c`", "d"])
ARITHMETIC = st.recursive(NUMBERS, binary, max_leaves=12)
COMPARISON = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
TRUTHS = st.builds("{} {} {} {} {}".format, ARITHMETIC, COMPARISON, ARITHMETIC, COMPARISON, ARITHMETIC)


@given(ARITHMETIC | TRUTHS, st.lists(st.floats(), min_size=3, max_size=3))
def test_agrees_with_python(expression: str, numbers: list[float]) -> None:
    names = dict(zip(("a", "b_c", "d"), numbers, strict=True))
    try:
        wanted = eval(expression.replace("`", "").replace("b c", "b_c"), {}, names)
    except ZeroDivisionError:
        wanted = None
    frame = pd.DataFrame([numbers] * 2, columns=["a", "b c", "d"])
    found = evaluate(frame, expression)
    if wanted is not None:
        np.testing.assert_array_equal(found, [wanted, wanted])


@given(st.floats(0.01, 100), st.floats(-20, 20), st.floats(-100, 100))
def test_powers_and_functions_agree_with_numpy(a: float, b: float, c: float) -> None:
    frame = pd.DataFrame({"a": [a], "b": [b], "c": [c]})
    assert evaluate(frame, "a ** b")[0] == pytest.approx(operator.pow(a, b), rel=1e-13)
    for name in ("log", "log10", "exp", "sqrt", "abs"):
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(evaluate(frame, f"{name}(c)")[0], FUNCTIONS[name](c))
    assert evaluate(frame, "min(a, b, c)")[0] == min(a, b, c)
    assert evaluate(frame, "max(a, b, c)")[0] == max(a, b, c)


SYMBOLS = [*"()[],+-/%<={`'\"#", "**", "==", ":=", "f'", "in", "not", "and", "or", "is", "if", "else", "lambda"]
PIECES = st.sampled_from([*FRAME.columns, *FUNCTIONS, *SYMBOLS, "`Model Size`", "'gpt'", "1", "2.5", "True"])


@given(st.text() | st.lists(PIECES).map(" ".join) | st.lists(PIECES).map("".join))
@example("D = = 1")
def test_any_text_is_a_value_or_one_line(text: str) -> None:
    for attempt in (lambda: evaluate(FRAME, text), lambda: derive(FRAME, f"D = {text}"), lambda: derive(FRAME, text)):
        try:
            assert len(attempt()) == len(FRAME)
        except UserError as error:
            assert len(str(error).splitlines()) == 1


def test_derive() -> None:
    frame = derive(derive(FRAME, "D = C / (6 * N)"), "`log D` = log(D)")
    assert list(frame.columns) == [*FRAME.columns, "D", "log D"]
    assert frame.index.equals(FRAME.index)
    np.testing.assert_allclose(frame["log D"], np.log(FRAME["C"] / (6 * FRAME["N"])))
    assert "D" not in FRAME.columns


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ("D", "NAME = EXPRESSION"),
        ("D == C", "NAME = EXPRESSION"),
        ("2D = C", "NAME = EXPRESSION"),
        ("D.x = C", "NAME = EXPRESSION"),
        ("log D = C", "NAME = EXPRESSION"),
        ("D =", "wanted"),
        ("D = C = N", "invalid syntax"),
        ("N = C", "'N' is there already"),
        ("`Model Size` = C", "'Model Size' is there already"),
    ],
)
def test_what_is_not_a_definition(definition: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words) as caught:
        derive(FRAME, definition)
    assert len(str(caught.value).splitlines()) == 1


def test_select_counts_each_row_once() -> None:
    found = select(FRAME, "`Model Size` > 1", ["isnan(N)", "loss == 'n/a'", "C < 3"])
    assert found.n_outside == 1
    assert found.excluded.to_dict("list") == {"row": [2, 5, 7], "why": ["loss == 'n/a'", "isnan(N)", "C < 3"]}
    assert found.kept.empty
    assert len(FRAME) == 4


def test_an_exclusion_makes_room_for_the_next() -> None:
    found = select(FRAME, exclude=["loss == 'n/a'", "loss > 2"])
    assert found.excluded["row"].tolist() == [2, 5]
    assert found.kept.index.tolist() == [1, 7]
    with pytest.raises(ExpressionError, match="row 2: 'n/a'"):
        select(FRAME, exclude=["loss > 2"])


def test_select_of_everything() -> None:
    found = select(FRAME)
    pd.testing.assert_frame_equal(found.kept, FRAME)
    assert (len(found.excluded), list(found.excluded.columns), found.n_outside) == (0, ["row", "why"], 0)
    assert select(FRAME, exclude="flag").excluded["why"].tolist() == ["flag", "flag"]


@pytest.mark.parametrize("expression", ["N", "family", "N + 1", "1", "'a'"])
def test_a_condition_is_true_or_false(expression: str) -> None:
    with pytest.raises(ExpressionError, match="True or False is wanted"):
        select(FRAME, where=expression)
    with pytest.raises(ExpressionError, match="True or False is wanted"):
        select(FRAME, exclude=[expression])
