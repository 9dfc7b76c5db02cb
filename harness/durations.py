"""How long a rung trains and on how many examples, and what rules make of its settings: pure, without torch.

The durations of a rung are the product of the lengths asked for, in whichever unit, of `ladder.train_examples` and of
`ladder.mixtures`.
Tokens are known first, then the batch size, then the other settings that follow a rule, and the whole steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from harness.branches import refuse_other_paths, size_in_words
from harness.errors import SettingError, UserError, nearest
from harness.rules.base import BATCH_SIZE, RULED, Scale
from harness.rules.reading import rule_of
from harness.settings import LadderSettings, Settings, number_list
from harness.tasks.base import Task
from harness.wording import listed

if TYPE_CHECKING:
    from harness.ladder import Rung

#: Settings that say how long a run trains, of which a ladder has one.
UNITS = ("steps", "tokens", "tokens_per_param", "flops", "epochs")

#: Steps that no run reaches: one that takes a microsecond would train for a decade.
MOST_STEPS = 1e15

#: The batch size that is the whole training set.
ALL = "all"


@dataclass(frozen=True)
class Duration:
    """One of the ends to which a rung is trained.

    Attributes:
        length: how long, as it was asked for in the ladder's unit.
        steps: optimizer steps.
        examples: training examples, visited epoch by epoch; None where the task draws each batch from all that it has.
        rules: setting -> the rule that it follows as it was given, or "all" for a batch size.
        values: setting -> its value here: of the settings in `rules` what the rule gives, and of a mixture its weights.
    """

    length: float
    steps: int
    examples: int | None
    rules: Mapping[str, Any]
    values: Mapping[str, Any]


def unit_of(ladder: LadderSettings) -> str:
    """The unit that the durations are given in, one of `UNITS`.

    Raises:
        UserError: none is given, or several.
    """
    given = [unit for unit in UNITS if getattr(ladder, unit) is not None]
    if len(given) != 1:
        found = " and ".join(f"ladder.{unit}" for unit in given) or "none"
        raise UserError(f"duration: give exactly one of ladder.{', ladder.'.join(UNITS)}; found {found}")
    return given[0]


def lengths_of(ladder: LadderSettings) -> list[float]:
    """The lengths that are asked for, in the unit that they are given in."""
    return number_list(f"ladder.{unit_of(ladder)}", getattr(ladder, unit_of(ladder)))


def limits_of(ladder: LadderSettings) -> list[int | None]:
    """The values of `ladder.train_examples`."""
    given = ladder.train_examples
    return list(given) if isinstance(given, list | tuple) else [given]


def mixtures_of(settings: Settings) -> list[dict[str, Any]]:
    """For each of `ladder.mixtures` the setting that it takes the place of, with its weights; [{}] where none is asked.

    Parts of the task that a mixture does not name are not trained on.

    Raises:
        SettingError: the task mixes nothing, or a mixture names what is no part of it.
    """
    asked, task = settings.ladder.mixtures, settings.task
    if asked is None:
        return [{}]
    if task.mixture_setting is None:
        raise SettingError("ladder.mixtures", asked, f"null, for task={task.name} mixes nothing")
    name, parts = f"task.{task.mixture_setting}", tuple(task.mixture)
    for i, mixture in enumerate(asked):
        if other := next((part for part in mixture if part not in parts), None):
            allowed = f"weights of {listed(parts)}, which {name} names{nearest(other, parts)}"
            raise SettingError(f"ladder.mixtures[{i}]", other, allowed)
    return [{name: {part: mixture.get(part, 0.0) for part in parts}} for mixture in asked]


def durations(settings: Settings, rung: Rung) -> tuple[Duration, ...]:
    """The durations of a rung, those of the first length first.

    Args:
        rung: its size; its own durations are not looked at.

    Raises:
        UserError: a duration, a number of examples or a rule that this size cannot be trained by.
    """
    others = list(product(limits_of(settings.ladder), mixtures_of(settings)))
    lengths = lengths_of(settings.ladder)
    found = tuple(_duration(settings, rung, length, *other) for length, other in product(lengths, others))
    for first in range(len(others)):
        steps = [each.steps for each in found[first :: len(others)]]
        if len(set(steps)) != len(steps):
            unit, allowed = unit_of(settings.ladder), f"durations of different length (steps: {steps})"
            raise SettingError(f"ladder.{unit}", getattr(settings.ladder, unit), allowed)
        if settings.ladder.branched:
            refuse_other_paths(rung, found[first :: len(others)])
    return found


def resolved(settings: Settings, duration: Duration) -> Settings:
    """The settings with what rules and a mixture give at this duration of a size, in place of both."""
    for name, value in duration.values.items():
        group, _, field = name.partition(".")
        settings = replace(settings, **{group: replace(getattr(settings, group), **{field: value})})
    return settings


def _duration(settings: Settings, rung: Rung, length: float, limit: int | None, mixture: Mapping[str, Any]) -> Duration:
    unit, context = unit_of(settings.ladder), settings.task.signature.context
    examples = _examples(settings.ladder, settings.task, limit)
    tokens = _tokens(unit, length, rung, examples, context)
    rules, scale = _rules(settings), Scale(rung.params, context, _flops_per_token(settings, rung), tokens)
    values: dict[str, Any] = dict(mixture)
    if (rule := rules.get(BATCH_SIZE)) is not None:
        values[BATCH_SIZE] = examples if rule == ALL else rule_of(BATCH_SIZE, rule).resolved(BATCH_SIZE, scale)
    batch_size: int = values.get(BATCH_SIZE, settings.ladder.batch_size)
    if examples is not None and batch_size > examples:
        raise SettingError(BATCH_SIZE, batch_size, f"at most the {examples} training examples, or {ALL}")
    if batch_size < 2 and settings.loss.kind == "contrastive":
        raise SettingError(BATCH_SIZE, batch_size, "at least 2 with loss=contrastive, which tells examples apart")
    steps = _steps(unit, length, rung, examples, batch_size, context)
    scale = replace(scale, tokens=tokens or length * batch_size * context, batch_size=batch_size)
    values |= {name: rule_of(name, rule).resolved(name, scale) for name, rule in rules.items() if name != BATCH_SIZE}
    duration = Duration(length, steps, examples, rules, values)
    try:
        schedule = resolved(settings, duration).schedule
    except SettingError as error:
        raise SettingError(error.setting, f"{error.found} (at {size_in_words(rung)})", error.allowed) from None
    decay_steps = schedule.decay * steps if schedule.kind == "wsd" else 0.0
    if (schedule.warmup_steps or 0) + decay_steps > steps:
        left = (
            f"the {steps - decay_steps:g} of {steps} steps that decay leaves" if decay_steps else f"the {steps} steps"
        )
        found, allowed = f"{schedule.warmup_steps} (at {size_in_words(rung)})", f"at most {left}"
        raise SettingError("schedule.warmup_steps", found, allowed)
    return duration


def _examples(ladder: LadderSettings, task: Task, limit: int | None) -> int | None:
    """The examples that training visits epoch by epoch; None where nothing asks for epochs."""
    if limit is not None:
        if task.n_train is not None and limit > task.n_train:
            allowed = f"at most {task.n_train}, the training examples of task={task.name}"
            raise SettingError("ladder.train_examples", limit, allowed)
        return limit
    wants = [name for name, given in (("epochs", ladder.epochs is not None), (ALL, ladder.batch_size == ALL)) if given]
    if wants and task.n_train is None:
        setting = "ladder.epochs" if wants[0] == "epochs" else f"{BATCH_SIZE}={ALL}"
        raise UserError(
            f"{setting}: task={task.name} generates examples without end; ladder.train_examples=N gives their number"
        )
    return task.n_train if wants else None


def _tokens(unit: str, length: float, rung: Rung, examples: int | None, context: int) -> float | None:
    """The training tokens asked for; None for a number of steps, whose tokens follow from the batch size."""
    asked = {
        "tokens": length,
        "tokens_per_param": length * rung.params.total,
        "flops": length / rung.flops_per_example * context,
        "epochs": length * (examples or 0) * context,
    }
    return asked.get(unit)


def _steps(unit: str, length: float, rung: Rung, examples: int | None, batch_size: int, context: int) -> int:
    tokens_per_step = batch_size * context
    per_unit = {
        "steps": 1.0,
        "tokens": 1 / tokens_per_step,
        "tokens_per_param": rung.params.total / tokens_per_step,
        "flops": 1 / (batch_size * rung.flops_per_example),
        "epochs": (examples or 0) / batch_size,
    }
    count = length * per_unit[unit]
    if unit == "steps" and not float(length).is_integer():
        raise SettingError("ladder.steps", length, "whole numbers")
    if not 0.5 < count < MOST_STEPS:
        fewest, most = (f"{steps / per_unit[unit]:.4g}" for steps in (1, MOST_STEPS))
        raise SettingError(f"ladder.{unit}", length, f"enough for one step (here {fewest}) and fewer than {most}")
    return round(count)


def _flops_per_token(settings: Settings, rung: Rung) -> float:
    """Training FLOPs of a token without the readout."""
    signature = settings.task.signature
    # The parameters of a readout that is tied to the embedding are counted there.
    readout = rung.params.head or rung.shape.width * signature.n_outputs
    return rung.flops_per_example / signature.context - 6 * readout


def _rules(settings: Settings) -> dict[str, Any]:
    """Setting -> the rule that it follows, in the order of `RULED`."""
    found = {}
    for name in RULED:
        group, _, field = name.partition(".")
        value = getattr(getattr(settings, group), field)
        if isinstance(value, dict) or value == ALL:
            found[name] = value
    return found
