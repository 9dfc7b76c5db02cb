"""Questions on whole numbers in words, made by rule: which follows, which is larger, what is their sum?"""

from __future__ import annotations

import numpy as np

from harness.data.dataset import Question
from harness.data.sources.found import Found

_BELOW_TWENTY = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
#: Numbers are below it.
LARGEST = 100
N_CHOICES = 4


def found() -> Found:
    """The successors of 99 numbers, 2,000 comparisons of four numbers and 2,000 sums below 100, all different.

    Wrong answers to a sum or successor are near the right one; those to a comparison are its other numbers. The place
    of the right answer is drawn. The groups are the three kinds of question, and every machine makes the same ones.
    """
    rng = np.random.default_rng([0, 7])
    asked: list[tuple[str, str, list[int]]] = [
        ("next", f"which number comes after {in_words(number)}?", [number + 1, *_near(number + 1, rng)])
        for number in range(LARGEST - 1)
    ]
    pairs = [(a, b) for a in range(LARGEST) for b in range(LARGEST - a)]
    for place in rng.permutation(len(pairs))[:2000]:
        a, b = pairs[place]
        asked.append(("sum", f"what is {in_words(a)} plus {in_words(b)}?", [a + b, *_near(a + b, rng)]))
    while len(asked) < LARGEST - 1 + 4000:
        numbers = rng.choice(LARGEST, N_CHOICES, replace=False).tolist()
        text = f"which is the largest of {', '.join(map(in_words, numbers))}?"
        largest = max(numbers)
        asked.append(("largest", text, [largest, *(number for number in numbers if number != largest)]))
    return Found(
        inputs=[_question(text, numbers, rng) for _, text, numbers in asked],
        names=[f"{kind} {row}" for row, (kind, _, _) in enumerate(asked, start=1)],
        title="questions on numbers",
        groups=[kind for kind, _, _ in asked],
        licence="Apache-2.0",
        version="1",
    )


def in_words(number: int) -> str:
    """A whole number from 0 to 99, such as forty-two."""
    tens, ones = divmod(number, 10)
    if number < len(_BELOW_TWENTY):
        return _BELOW_TWENTY[number]
    return f"{_TENS[tens]}-{_BELOW_TWENTY[ones]}" if ones else _TENS[tens]


def _near(number: int, rng: np.random.Generator) -> list[int]:
    """Wrong answers: numbers at most ten away."""
    around = [other for other in range(number - 10, number + 11) if 0 <= other < LARGEST and other != number]
    return rng.choice(around, N_CHOICES - 1, replace=False).tolist()


def _question(text: str, numbers: list[int], rng: np.random.Generator) -> Question:
    """With the choices in a random order; the first of `numbers` is right."""
    order = rng.permutation(N_CHOICES).tolist()
    return Question(text, tuple(in_words(numbers[i]) for i in order), order.index(0))
