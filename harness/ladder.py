"""From a family and a geometric step to rungs: pure, without torch.

A rung is one size. Its durations are a second axis: several step counts give a grid over parameters and tokens, FLOP
budgets give an IsoFLOP grid. A member is one (seed, learning rate) of a rung at one duration; a run is one member.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import SettingError, UserError
from harness.families.base import Family, ParameterCount, Shape
from harness.ranges import identity_of
from harness.settings import LadderSettings, Settings, number_list
from harness.tasks.base import InputKind, Signature
from harness.wording import listed

#: Raised when the same settings begin to give other numbers, so that old runs are not taken for new ones.
IDENTITY_VERSION = 1


@dataclass(frozen=True)
class Rung:
    """One size of the ladder.

    Attributes:
        index: position on the ladder, from 0.
        shape: width, depth, heads as they will be built.
        asked: (width, depth) before rounding to a legal size.
        params: parameters by group.
        flops_per_example: training FLOPs (forward and backward) of one example.
        steps: optimizer steps, one entry for each duration.
    """

    index: int
    shape: Shape
    asked: tuple[float, float]
    params: ParameterCount
    flops_per_example: float
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Member:
    """One (seed, learning rate) of a rung at one duration."""

    seed: int
    lr: float
    run_id: str

    @property
    def label(self) -> str:
        return f"seed={self.seed} lr={self.lr:g}"


@dataclass(frozen=True)
class Job:
    """Members of one rung at one duration that train in one process."""

    settings: Settings
    rung: Rung
    duration: int
    members: tuple[Member, ...]

    @property
    def steps(self) -> int:
        return self.rung.steps[self.duration]

    @property
    def tokens(self) -> int:
        """Training tokens (examples, for a task without tokens) of one member."""
        return self.steps * self.settings.ladder.batch_size * self.settings.task.signature.context

    @property
    def flops(self) -> float:
        """Training FLOPs of one member."""
        return self.steps * self.settings.ladder.batch_size * self.rung.flops_per_example

    @property
    def label(self) -> str:
        shape = self.rung.shape
        return f"{self.settings.study} rung {self.rung.index} (width {shape.width}, depth {shape.depth})"


def build_ladder(settings: Settings) -> list[Rung]:
    """The rungs of a study, smallest first as written.

    Raises:
        SettingError: a width, depth, head count or duration that cannot be built.
    """
    ladder, family, signature = settings.ladder, settings.family, settings.task.signature
    if settings.parametrization.depth != "none" and not family.has_residual_branches:
        allowed = f"none, for family={family.name} has no residual branches to scale"
        raise SettingError("parametrization.depth", settings.parametrization.depth, allowed)
    _refuse_other_inputs(settings)
    rungs = []
    for index, (width, depth) in enumerate(_sizes(_with_fixed_depth(ladder, family))):
        shape = _legal_shape(ladder, family, width, depth)
        params, flops = _counts(settings, shape)
        if not isinstance(params, ParameterCount):
            raise UserError(f"family={family.name}: count() gives {params!r}; wanted is a ParameterCount")
        if isinstance(flops, str) or not 0 < flops < math.inf:
            raise UserError(f"family={family.name}: training_flops() gives {flops!r}; wanted is a number above 0")
        steps = _durations(ladder, signature, params, flops)
        rungs.append(Rung(index, shape, (width, depth), params, flops, steps))
    shapes = [rung.shape for rung in rungs]
    for rung in rungs:
        if rung.shape in shapes[: rung.index]:
            twin = shapes.index(rung.shape)
            size = f"width {rung.shape.width}, depth {rung.shape.depth}"
            raise UserError(
                f"ladder: rungs {twin} and {rung.index} are both of {size} after rounding: take widths further apart, "
                "or a larger step"
            )
    return rungs


#: What can be chosen, of ours, for each kind of inputs: families that read them, tasks that give them.
_OURS: dict[InputKind, tuple[str, str]] = {
    "tokens": ("transformer", "copy or text"),
    "features": ("mlp", "parity"),
    "images": ("cnn or mlp", "digits"),
    "frames": ("cnn, transformer or mlp", "speech"),
}


def _refuse_other_inputs(settings: Settings) -> None:
    """Raise UserError for a family that says what it reads, and does not read what the task gives."""
    family, task = settings.family, settings.task
    gives = task.signature.kind
    if family.reads and gives not in family.reads:
        reads = family.reads[0]
        raise UserError(
            f"family={family.name} reads {listed(family.reads)}, and task={task.name} gives {gives}: take a "
            f"family that reads {gives} (family={_OURS[gives][0]}) or a task of {reads} (task={_OURS[reads][1]})"
        )


def _counts(settings: Settings, shape: Shape) -> tuple[ParameterCount, float]:
    """Parameters and training FLOPs of one example, by the family's formulas."""
    family, task = settings.family, settings.task
    try:
        family.check(shape, task.signature)
        return family.count(shape, task.signature), family.training_flops(shape, task.signature)
    except TypeError as error:
        # As of a family that counts with a vocabulary where there is none, and does not say what it reads.
        raise UserError(
            f"family={family.name} cannot count its parameters for task={task.name}, which gives "
            f"{task.signature.kind}: {error}; its property `reads` may say what it reads"
        ) from error


def rung_of_size(settings: Settings, width: float, depth: float, index: int = 0) -> Rung | None:
    """One rung of any size, rounded to a legal one as a geometric ladder's are; None where it cannot be built."""
    sizes: dict[str, Any] = {"widths": None, "depths": None, "first_width": width, "first_depth": depth, "count": 1}
    try:
        (rung,) = build_ladder(replace(settings, ladder=replace(settings.ladder, **sizes)))
    except UserError:
        return None
    return replace(rung, index=index)


def _with_fixed_depth(ladder: LadderSettings, family: Family) -> LadderSettings:
    """The ladder at the depth that the family's own settings fix, if they do.

    Raises:
        SettingError: the ladder asks for another.
    """
    depth = family.fixed_depth
    if depth is None:
        return ladder
    # A first depth of 1 is the default, and says nothing.
    allowed = {"depths": (None, [depth] * len(ladder.depths or ())), "first_depth": (1, depth), "depth_step": (1,)}
    for name, values in allowed.items():
        if (found := getattr(ladder, name)) not in values:
            words = "1" if name == "depth_step" else f"{depth}"
            fixed = f"for family={family.name} lists its layers, {depth} of them with weights"
            raise SettingError(f"ladder.{name}", found, f"{words}, {fixed}")
    return replace(ladder, first_depth=depth)


def _sizes(ladder: LadderSettings) -> list[tuple[float, float]]:
    if ladder.widths is None and ladder.depths is None:
        return [
            (ladder.first_width * ladder.width_step**i, ladder.first_depth * ladder.depth_step**i)
            for i in range(ladder.count)
        ]
    widths = ladder.widths if ladder.widths is not None else [ladder.first_width]
    depths = ladder.depths if ladder.depths is not None else [ladder.first_depth]
    if len(widths) != len(depths) and 1 not in (len(widths), len(depths)):
        raise SettingError("ladder.depths", depths, f"one depth, or as many as the {len(widths)} widths")
    count = max(len(widths), len(depths))
    widths, depths = (values * count if len(values) == 1 else values for values in (widths, depths))
    return list(zip(widths, depths, strict=True))


def _legal_shape(ladder: LadderSettings, family: Family, width: float, depth: float) -> Shape:
    depth = max(1, round(depth))
    if not family.uses_heads:
        return Shape(max(1, round(width)), depth)
    if ladder.heads is not None and ladder.head_width is not None:
        raise UserError("ladder.heads and ladder.head_width both set: give one, the other follows from the width")
    explicit = ladder.widths is not None
    if ladder.head_width is not None:
        multiple = math.lcm(ladder.head_width, family.width_multiple(1))
        legal = _round_width(ladder, width, multiple, explicit, f"ladder.head_width={ladder.head_width}")
        return Shape(legal, depth, legal // ladder.head_width)
    heads = ladder.heads or 1
    multiple = family.width_multiple(heads)
    return Shape(_round_width(ladder, width, multiple, explicit, f"{heads} heads"), depth, heads)


def _round_width(ladder: LadderSettings, width: float, multiple: int, explicit: bool, why: str) -> int:
    """Geometric widths are rounded; widths that the user wrote out are taken at their word or refused."""
    if explicit and width % multiple:
        raise SettingError("ladder.widths", ladder.widths, f"multiples of {multiple}, for {why} ({width} is not)")
    return max(multiple, multiple * round(width / multiple))


def _durations(
    ladder: LadderSettings, signature: Signature, params: ParameterCount, flops_per_example: float
) -> tuple[int, ...]:
    """Optimizer steps of each duration, from whichever unit the user gave it in."""
    tokens_per_step = ladder.batch_size * signature.context
    steps_per_unit = {
        "steps": 1.0,
        "tokens": 1 / tokens_per_step,
        "tokens_per_param": params.total / tokens_per_step,
        "flops": 1 / (ladder.batch_size * flops_per_example),
    }
    given = [unit for unit in steps_per_unit if getattr(ladder, unit) is not None]
    if len(given) != 1:
        found = " and ".join(f"ladder.{unit}" for unit in given) or "none"
        raise UserError(f"duration: give exactly one of ladder.{', ladder.'.join(steps_per_unit)}; found {found}")
    (unit,) = given
    steps = []
    for value in number_list(f"ladder.{unit}", getattr(ladder, unit)):
        count = value * steps_per_unit[unit]
        if not 0.5 <= count < float("inf"):
            raise SettingError(f"ladder.{unit}", value, f"enough for one step (here {1 / steps_per_unit[unit]:.4g})")
        steps.append(round(count))
    if len(set(steps)) != len(steps):
        raise SettingError(f"ladder.{unit}", getattr(ladder, unit), f"durations of different length (steps: {steps})")
    return tuple(steps)


def members(settings: Settings, rung: Rung, duration: int) -> tuple[Member, ...]:
    """The members asked for at one rung and duration: every seed with every learning rate."""
    seeds = range(settings.first_seed, settings.first_seed + settings.seeds)
    return tuple(
        member(settings, rung, duration, seed, lr) for lr in settings.optimizer.learning_rates for seed in seeds
    )


def member(settings: Settings, rung: Rung, duration: int, seed: int, lr: float) -> Member:
    """One member with its identity."""
    return Member(seed, float(lr), identity_hash(identity_settings(settings, rung, duration, seed, lr)))


def identity_hash(identity: dict[str, Any]) -> str:
    """The run_id of a run with these settings."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def identity_settings(settings: Settings, rung: Rung, duration: int, seed: int, lr: float) -> dict[str, Any]:
    """Exactly the resolved settings that change a run's numbers, as JSON-ready values.

    The study's name is among them: the same training in two studies is two rows, each with its own study. Where a run
    is trained (device, workers, members beside it) is not: it moves numbers by rounding at most.
    """
    optimizer = identity_of(settings.optimizer) | {"lr": float(lr)}
    return {
        "version": IDENTITY_VERSION,
        "study": settings.study,
        "family": {"name": settings.family.name} | identity_of(settings.family),
        "task": {"name": settings.task.name} | identity_of(settings.task),
        "shape": dataclasses.asdict(rung.shape),
        "steps": rung.steps[duration],
        "batch_size": settings.ladder.batch_size,
        "optimizer": optimizer,
        "schedule": identity_of(settings.schedule),
        "parametrization": _parametrization_identity(settings),
        "precision": settings.training.precision,
        "evaluations": settings.training.evaluations,
        "seed": seed,
    }


def _parametrization_identity(settings: Settings) -> dict[str, Any]:
    """The parametrization, less what changes no number of this run.

    Runs from before there was a depth rule or a choice of decay so keep their identity wherever they would be trained
    the same today: without weight decay, and with it under `decay=coupled`, which was how it worked then.
    """
    parametrization = settings.parametrization
    identity = identity_of(parametrization)
    if parametrization.depth == "none":
        del identity["depth"], identity["base_depth"]
    scaled = parametrization.kind == "mup" or parametrization.depth != "none"
    if not (settings.optimizer.weight_decay and scaled and parametrization.decay == "independent"):
        del identity["decay"]
    return identity
