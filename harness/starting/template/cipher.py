"""A task on tokens: encipher a text, where each letter's cipher depends on the letter before it as well.

The cipher is a fixed table of all pairs of letters, which has to be learnt by heart. A larger model knows more of it,
so the share of letters that it enciphers correctly climbs with size. Whole texts leap: of 16 letters all are correct in
hardly any text when 85 % of the letters are, and in most when 98 % are.
"""

from dataclasses import dataclass

import numpy as np

from harness.ranges import setting, whole
from harness.tasks.sequences.base import SequenceTask


@dataclass
class Cipher(SequenceTask):
    """Which letter does the cipher's table have for this letter and the one before it?

    The fields are settings: conf/task/cipher.yaml gives their values, and ``task.length=8`` on the command line changes
    one. `SequenceTask` adds `train_fraction`, `n_eval` and `eval_seed`; it keeps evaluation texts out of training and
    scores, on the same outputs, the loss, the accuracy of each letter, and the exact match of all letters of a text.
    """

    # The default, the meaning, and what is allowed: other values are refused in a line that names the setting.
    n_letters: int = setting(20, "letters; the table holds n_letters^2 entries", whole(2))
    length: int = setting(16, "letters of a text that are enciphered", whole(1))

    name = "cipher"  # in the tables of results

    @property
    def vocab_size(self) -> int:
        """Tokens are 0 ... vocab_size - 1, answers first."""
        return self.n_letters

    @property
    def n_answers(self) -> int:
        """Tokens that an answer can be; a model that guesses is right once in so many times."""
        return self.n_letters

    @property
    def scored(self) -> np.ndarray:
        """(length + 1,) bool: the positions whose answers count; the first letter has none before it."""
        return np.arange(self.length + 1) >= 1

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """(n, length + 1) inputs and (n, length + 1) targets, int64. All chance is drawn from `rng`, so runs repeat."""
        inputs = rng.integers(self.n_letters, size=(n, self.length + 1))
        # Drawn with a seed of its own: the same table in every run.
        table = np.random.default_rng(0).integers(self.n_letters, size=(self.n_letters, self.n_letters))
        targets = np.zeros_like(inputs)
        targets[:, 1:] = table[inputs[:, :-1], inputs[:, 1:]]
        return inputs, targets
