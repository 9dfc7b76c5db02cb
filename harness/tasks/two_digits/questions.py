"""What is asked about two digits a and b, and the answer in digits.

left      a                         one digit
right     b                         one digit
max       the larger of them        one digit
larger    which one is: 1 where a > b, 2 where b > a, 0 where neither is
mod       (a + b) mod 10            one digit
sum       a + b                     two digits, "07" or "13"
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: Digits, and so answers of one position.
BASE = 10


@dataclass(frozen=True)
class Question:
    """A question with one answer.

    Attributes:
        number: (n,) and (n,) digits a and b -> (n,) the answer as a number.
        length: digits that it is written in.
    """

    number: Callable[[np.ndarray, np.ndarray], np.ndarray]
    length: int = 1

    def answers(self, digits: np.ndarray) -> np.ndarray:
        """(n, 2) digits -> (n, length) the digits of the answers, the highest first."""
        number = self.number(digits[:, 0], digits[:, 1])
        return number[:, None] // BASE ** np.arange(self.length - 1, -1, -1) % BASE


#: By name. A question's place here is its token, after the ten digits.
QUESTIONS: dict[str, Question] = {
    "left": Question(lambda a, b: a),
    "right": Question(lambda a, b: b),
    "max": Question(np.maximum),
    "larger": Question(lambda a, b: np.where(a > b, 1, np.where(b > a, 2, 0))),
    "mod": Question(lambda a, b: (a + b) % BASE),
    "sum": Question(lambda a, b: a + b, length=2),
}
