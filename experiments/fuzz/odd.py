"""Values and bytes that a program seldom meets: the stock that all kinds of cases draw from."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 3, 7, 64, 255, 1000, 10_001, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1),
    *(99_999_999_999, 10**18, 10**30, 10**400, -(10**30), True, False),
    *(0.0, -0.0, 0.5, 1.5, -2.5, 1e-5, 5e-324, 1e-300, 1e20, 1e300, 1.7976931348623157e308),
    *(float("nan"), float("inf"), float("-inf")),
)
TEXTS: tuple[str, ...] = (
    *("", " ", "a", "all", "auto", "null", "None", "nan", "NaN", "-inf", "true", "yes", "0x10", "1_000", "1e", "007"),
    *("$", "${", "${seeds}", "${nosuch}", "${oc.env:HOME}", "$HOME", "[/b]", "[bold]", ":smile:", "%s %d", "{0}", "{}"),
    *(
        "'",
        '"',
        "''",
        "`",
        "\\",
        "\\n",
        "a,b",
        "a=b",
        "a: b",
        "a#b",
        "a;b",
        "a|b",
        "<script>alert(1)</script>",
        "&amp;",
    ),
    *("..", "../x", "../../x", "/x", "~", "a/b", ".", "con", "-", "--help", "-x", "*", "?", "a" * 300, "a" * 20_000),
    *(
        "\n",
        "a\nb",
        "\t",
        "\r",
        "\x00",
        "a\x00b",
        "\x1b[31mred",
        "\x07",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202eabc",
        "\ufeff",
    ),
    *(
        "é",
        "e\u0301",
        "ß",
        "İ",
        "\u0661\u0662",
        "\uff11",
        "日本語",
        "𝔘",
        "👩‍🚀",
        "\ud800",
        "\udcff",
        "x\udc80y",
        "\U0010ffff",
    ),
    *(
        "__class__",
        "__import__('os').system('x')",
        "=1+1",
        "@",
        "!",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "[1",
        "1]",
        "\\frac",
    ),
)


def text(rng: random.Random) -> str:
    """A text of the stock, two joined, or characters by chance."""
    if rng.random() < 0.7:
        return rng.choice(TEXTS)
    if rng.random() < 0.5:
        return rng.choice(TEXTS) + rng.choice(TEXTS)
    return "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0x3000)))) for _ in range(rng.randrange(1, 12)))


def number(rng: random.Random) -> Any:
    """A number of the stock, or one of any size."""
    if rng.random() < 0.7:
        return rng.choice(NUMBERS)
    return rng.choice((rng.randrange(-5, 200), 10 ** rng.uniform(-12, 30), -(10 ** rng.uniform(-3, 6))))


def value(rng: random.Random, depth: int = 0) -> Any:
    """Any value that JSON or YAML can hold, nested at times."""
    kind = rng.random()
    if kind < 0.4:
        return number(rng)
    if kind < 0.7 or depth > 3:
        return text(rng)
    if kind < 0.78:
        return None
    if kind < 0.9:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind < 0.92:
        return nested(rng.choice((5, 50, 150)))
    return {text(rng): value(rng, depth + 1) for _ in range(rng.randrange(3))}


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    found: Any = [1]
    for _ in range(depth):
        found = [found]
    return found


def bytes_near(rng: random.Random, content: bytes) -> bytes:
    """The same bytes damaged: cut, overwritten, doubled, in other encodings, or not at all of this kind."""
    return rng.choice(_DAMAGES)(rng, content)


def _cut(rng: random.Random, content: bytes) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _overwritten(rng: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 3, 30))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.choice((rng.randrange(256), 0, 0xFF, 0x2C, 0x22, 0x0A))
    return bytes(changed)


def _inserted(rng: random.Random, content: bytes) -> bytes:
    at = rng.randrange(len(content) + 1)
    new = rng.choice((b"\x00", b"\xff\xfe", b"\n\n", b'"', b",,,", b"\xef\xbb\xbf", b"[" * 5000, b"9" * 5000, b"\r"))
    return content[:at] + new + content[at:]


def _moved(rng: random.Random, content: bytes) -> bytes:
    a, b = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return rng.choice((content[:a] + content[b:], content[:b] + content[a:], content[b:] + content[:a]))


def _in_other_encoding(rng: random.Random, content: bytes) -> bytes:
    try:
        return content.decode().encode(rng.choice(("utf-16", "utf-32", "utf-8-sig", "cp037")))
    except UnicodeError:
        return content[::-1]


def _something_else(rng: random.Random, _: bytes) -> bytes:
    others = (b"", b"\n", b"\x00" * 100, b"PAR1" * 3, b"\x1f\x8b\x08\x00junk", b"\x80\x04cos\nsystem\n.", b"{}", b"[]")
    return rng.choice((*others, rng.randbytes(200)))


_DAMAGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    *(_cut, _overwritten, _overwritten, _inserted, _moved),
    *(_in_other_encoding, _something_else),
)


def json_near(rng: random.Random, content: Any) -> Any:
    """The same JSON with a part of it replaced, removed, renamed, nested or repeated."""
    if isinstance(content, dict) and content:
        changed = dict(content)
        key = rng.choice(list(changed))
        match rng.randrange(6):
            case 0:
                del changed[key]
            case 1:
                changed[text(rng)] = changed.pop(key)
            case 2:
                changed[key] = value(rng)
            case _:
                changed[key] = json_near(rng, changed[key])
        return changed
    if isinstance(content, list) and content:
        items = list(content)
        at = rng.randrange(len(items))
        match rng.randrange(6):
            case 0:
                del items[at]
            case 1:
                items.insert(at, items[at])
            case 2:
                items[at] = value(rng)
            case _:
                items[at] = json_near(rng, items[at])
        return items
    return value(rng)


def as_json(content: Any) -> bytes:
    """JSON as Python writes it, NaN and lone surrogates too; what is nested too deeply for it is cut to null."""
    try:
        return json.dumps(content).encode()
    except (RecursionError, ValueError):
        return b"null"
