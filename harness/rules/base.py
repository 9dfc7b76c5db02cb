"""What a rule is: a setting as a function of the parameters N and the training tokens D of a run."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.errors import SettingError
from harness.families.base import ParameterCount
from harness.ranges import Checked, Flag, OneOrMore, above, number_list, setting

BATCH_SIZE, LR, BETA2 = "ladder.batch_size", "optimizer.lr", "optimizer.beta2"
WEIGHT_DECAY, WARMUP = "optimizer.weight_decay", "schedule.warmup"
#: Examples of a step that no machine holds.
MOST_EXAMPLES = 1e9
#: The settings that may follow a rule, in the order in which they are resolved: the others may depend on the batch.
RULED = (BATCH_SIZE, LR, BETA2, WEIGHT_DECAY, WARMUP)


@dataclass(frozen=True)
class Scale:
    """What a rule may depend on.

    Attributes:
        params: parameters by group.
        context: tokens of an example; 1 where inputs are features, whose tokens are examples.
        flops_per_token: training FLOPs of a token without those of the readout.
        tokens: training tokens that the run is asked for; None where they follow from a batch size not yet known.
        batch_size: examples of a step; None where it is not yet known.
    """

    params: ParameterCount
    context: int
    flops_per_token: float
    tokens: float | None = None
    batch_size: int | None = None

    @property
    def D(self) -> float:
        """Training tokens of the run.

        Raises:
            SettingError: they follow from the batch size that is being asked for.
        """
        if self.tokens is None:
            allowed = "a rule without D where the duration is in ladder.steps; otherwise give it in ladder.tokens"
            raise SettingError(BATCH_SIZE, "a rule in D", allowed)
        return self.tokens

    @property
    def batch_tokens(self) -> float:
        """Training tokens of a step."""
        assert self.batch_size is not None, f"{BATCH_SIZE} is resolved first"
        return self.batch_size * self.context


@dataclass
class Rule(Checked, ABC):
    """A setting by a formula; subclasses have its constants as fields, made by `harness.ranges.setting`."""

    #: The name in ``{rule: NAME}``, and the settings that the rule gives.
    name: ClassVar[str]
    gives: ClassVar[tuple[str, ...]]

    times: Any = setting(1.0, "factor on what the rule gives; a list of them for optimizer.lr", OneOrMore(above(0)))
    power_of_two: bool = setting(False, "whether a batch size is rounded to a power of two of examples", Flag())

    def _number(self, name: str, at: Scale) -> float:
        try:
            value = self.value(name, at)
        except (OverflowError, ZeroDivisionError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            where = f"{at.params.non_embedding:,} parameters"
            raise SettingError(name, f"rule {self.name}, which gives no finite number at {where}", "one that does")
        return value

    @abstractmethod
    def value(self, name: str, at: Scale) -> float:
        """The value of the setting of this name, one of `gives`; a batch size in examples, not yet rounded."""

    def resolved(self, name: str, at: Scale) -> Any:
        """The value as the setting would have it: a whole batch size of at least 1, a list for a list of `times`.

        Raises:
            SettingError: the rule gives no number at this scale, or a batch size that rounds to nothing.
        """
        value = self._number(name, at)
        if name == BATCH_SIZE:
            examples = value * self.times
            if not 0.5 <= examples < MOST_EXAMPLES:
                found = f"rule {self.name}, which gives {examples:.3g} examples"
                raise SettingError(name, found, f"a rule that gives 1 to {MOST_EXAMPLES:.0e}")
            return max(1, 2 ** round(math.log2(examples)) if self.power_of_two else round(examples))
        if isinstance(self.times, list):
            return [value * factor for factor in number_list(name, self.times)]
        return value * self.times
