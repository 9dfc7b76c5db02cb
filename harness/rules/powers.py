"""Rules whose constants the user gives: a power of N and D, of the setting itself or of what it follows from."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import ClassVar

from harness.ranges import Number, above, one_of, setting
from harness.rules.base import BETA2, RULED, WARMUP, Rule, Scale


@dataclass(kw_only=True)
class Power(Rule):
    """at (N / N0)^n (D / D0)^d, with the exponents under the names N and D; `at` must be given."""

    name = "power"
    gives: ClassVar[tuple[str, ...]] = RULED

    at: float = setting(MISSING, "the value at N = N0 and D = D0", above(0))
    N: float = setting(0.0, "exponent of the parameters", Number())
    N0: float = setting(1.0, "parameters at which N changes nothing", above(0))
    D: float = setting(0.0, "exponent of the training tokens", Number())
    D0: float = setting(1.0, "training tokens at which D changes nothing", above(0))
    count: str = setting("params_non_embedding", "how N is counted", one_of("params_non_embedding", "params_total"))

    def value(self, name: str, at: Scale) -> float:
        return self.power(at)

    def power(self, at: Scale) -> float:
        """The formula; an exponent of 0 asks for nothing, so that D need not be known."""
        params = at.params.total if self.count == "params_total" else at.params.non_embedding
        found = self.at
        if self.N:
            found *= (params / self.N0) ** self.N
        if self.D:
            found *= (at.D / self.D0) ** self.D
        return found


@dataclass(kw_only=True)
class Tokens(Power):
    """A share of training that is so many tokens, by `Power`: warmup of one token a parameter is {at: 1, N: 1}."""

    name = "tokens"
    gives = (WARMUP,)

    def value(self, name: str, at: Scale) -> float:
        return self.power(at) / at.D


@dataclass(kw_only=True)
class HalfLife(Power):
    """The decay of an average that forgets half of its past in so many tokens, by `Power`.

    It is 2^(-tokens of a step / half-life). Holding the half-life of Adam's second moments fixed over batch sizes is
    the rule of Marek et al. 2025, "Small Batch Size Training for Language Models" (arXiv 2507.07101).
    """

    name = "half_life"
    gives = (BETA2,)

    def value(self, name: str, at: Scale) -> float:
        return float(2.0 ** (-at.batch_tokens / self.power(at)))
