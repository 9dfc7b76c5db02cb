"""From a family and a geometric step to rungs: pure, without torch.

A rung is one size. Its durations are a second axis: several step counts give a grid over parameters and tokens, FLOP
budgets give an IsoFLOP grid, several training sets one over data (`harness.durations`). A member is one (seed, learning
rate) of a rung at one duration; a run is one member.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.branches import Branch
from harness.durations import Duration, durations, resolved
from harness.errors import SettingError, UserError
from harness.families.base import Family, ParameterCount, Shape
from harness.lineage import Parent
from harness.metrics import LOSS
from harness.ranges import identity_of
from harness.settings import LadderSettings, Settings
from harness.tasks.base import InputKind
from harness.wording import listed

#: Raised when the same settings begin to give other numbers, so that old runs are not taken for new ones.
IDENTITY_VERSION = 1

#: Of a model: a width is recorded in 32 bits, and of layers each is built and counted.
LARGEST = {"width": 2**31 - 1, "depth": 10_000}


@dataclass(frozen=True)
class Rung:
    """One size of the ladder.

    Attributes:
        index: position on the ladder, from 0.
        shape: width, depth, heads as they will be built.
        asked: (width, depth) before rounding to a legal size.
        params: parameters by group.
        flops_per_example: training FLOPs (forward and backward) of one example.
        trained: parameters that training changes, adapters among them.
        durations: how long it trains, on how many examples.
    """

    index: int
    shape: Shape
    asked: tuple[float, float]
    params: ParameterCount
    flops_per_example: float
    trained: int
    durations: tuple[Duration, ...] = ()

    @property
    def steps(self) -> tuple[int, ...]:
        """Optimizer steps of each duration."""
        return tuple(duration.steps for duration in self.durations)


@dataclass(frozen=True)
class Member:
    """One (seed, learning rate) of a rung at one duration.

    Attributes:
        parent: the run that it starts from; None where it starts from its initial values.
    """

    seed: int
    lr: float
    run_id: str
    parent: Parent | None = None

    @property
    def label(self) -> str:
        return f"seed={self.seed} lr={self.lr:g}"


@dataclass(frozen=True)
class Job:
    """Members of one rung at one duration that train in one process.

    Attributes:
        settings: those of the study; in the job, where a setting follows a rule, the value that it gives here.
        duration: position among the rung's durations.
        micro_batches: into how many parts the batch of a step is split, where it does not fit into memory.
        branch: its part of the trunk that it shares with jobs of other durations; None where it shares none.
    """

    settings: Settings
    rung: Rung
    duration: int
    members: tuple[Member, ...]
    micro_batches: int = 1
    branch: Branch | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", resolved(self.settings, self.rung.durations[self.duration]))

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which needs to know of the job's own members alone what they start from."""
        if self.settings.init_from is None:
            return vars(self)
        own = self.settings.init_from.only((self.rung.shape, member.seed) for member in self.members)
        return vars(self) | {"settings": replace(self.settings, init_from=own)}

    def at_duration(self, duration: int) -> Job:
        """The same seeds and learning rates at another duration of the rung."""
        made = tuple(member(self.settings, self.rung, duration, each.seed, each.lr) for each in self.members)
        return Job(self.settings, self.rung, duration, made, self.micro_batches)

    @property
    def steps(self) -> int:
        return self.rung.steps[self.duration]

    @property
    def own_steps(self) -> int:
        """The steps that it is to train itself: all but those of a trunk that a shorter job trains."""
        return self.steps - (self.branch.begins if self.branch else 0)

    @property
    def examples(self) -> int | None:
        """Training examples that are visited epoch by epoch; None where the task draws from all that it has."""
        return self.rung.durations[self.duration].examples

    @property
    def unique_examples(self) -> int | None:
        """Training examples that differ; None where they are generated without end."""
        return self.settings.task.n_train if self.examples is None else self.examples

    @property
    def epochs(self) -> float | None:
        """Examples of one member's training over those that differ; None where they are generated without end."""
        return self.unique_examples and self.steps * self.settings.ladder.batch_size / self.unique_examples

    @property
    def tokens(self) -> int:
        """Training tokens (examples, for a task without tokens) of one member."""
        return self.steps * self.settings.ladder.batch_size * self.settings.task.signature.context

    @property
    def flops(self) -> float:
        """Training FLOPs of one member."""
        return self.steps * self.settings.ladder.batch_size * self.rung.flops_per_example

    @property
    def own_flops(self) -> float:
        """Training FLOPs that it is to spend on one member: those of `own_steps`."""
        return self.own_steps * self.settings.ladder.batch_size * self.rung.flops_per_example

    @property
    def label(self) -> str:
        shape = self.rung.shape
        return f"{self.settings.study} rung {self.rung.index} (width {shape.width}, depth {shape.depth})"


def build_ladder(settings: Settings) -> list[Rung]:
    """The rungs of a study, smallest first as written.

    Raises:
        SettingError: a width, depth, head count or duration that cannot be built.
    """
    ladder, family = settings.ladder, settings.family
    if settings.parametrization.depth != "none" and not family.has_residual_branches:
        allowed = f"none, for family={family.name} has no residual branches to scale"
        raise SettingError("parametrization.depth", settings.parametrization.depth, allowed)
    _refuse_other_inputs(settings)
    _refuse_other_answers(settings)
    rungs = []
    for index, (width, depth) in enumerate(_sizes(_with_fixed_depth(ladder, family))):
        shape = _legal_shape(ladder, family, width, depth)
        params, flops, trained = _counts(settings, shape)
        if not isinstance(params, ParameterCount):
            raise UserError(f"family={family.name}: count() gives {params!r}; wanted is a ParameterCount")
        if isinstance(flops, str) or not 0 < flops < math.inf:
            raise UserError(f"family={family.name}: training_flops() gives {flops!r}; wanted is a number above 0")
        rung = Rung(index, shape, (width, depth), params, flops, trained)
        rungs.append(replace(rung, durations=durations(settings, rung)))
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
    "mixed": ("transformer", "two_digits"),
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


def _refuse_other_answers(settings: Settings) -> None:
    """Raise SettingError for a loss that is not of the answers that the task gives, or that it does not measure."""
    task, kind = settings.task, settings.loss.kind
    if task.signature.answers == "values" and kind not in ("mse", "binary"):
        allowed = f"mse or binary, for the answers of task={task.name} are values: write loss=mse"
        raise SettingError("loss.kind", kind, allowed)
    if kind == "contrastive" and task.augmenter is None:
        raise SettingError("loss.kind", kind, f"another loss, for task={task.name} augments no batch (data.augment)")
    if settings.training.patience is not None and LOSS not in settings.metrics:
        allowed = f"null, for task={task.name} does not measure its loss"
        raise SettingError("training.patience", settings.training.patience, allowed)


def _counts(settings: Settings, shape: Shape) -> tuple[ParameterCount, float, int]:
    """Parameters, training FLOPs of one example, and how many parameters training changes.

    By the family's formulas, or, where a part of the model stays as it is, counted on the model.
    """
    family, task, signature = settings.family, settings.task, settings.signature
    try:
        family.check(shape, signature)
        params, flops = family.count(shape, signature), family.training_flops(shape, signature)
    except TypeError as error:
        # As of a family that counts with a vocabulary where there is none, and does not say what it reads.
        raise UserError(
            f"family={family.name} cannot count its parameters for task={task.name}, which gives "
            f"{task.signature.kind}: {error}; its property `reads` may say what it reads"
        ) from error
    trained = params.total if isinstance(params, ParameterCount) else 0
    if settings.finetune.is_partial:
        from harness.families.adapted import trained_counts  # builds a model

        partly = settings.parametrization, settings.finetune, settings.parents_outputs
        trained, flops = trained_counts(family, shape, signature, *partly)
    return params, flops * settings.loss.views, trained


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
    """(width, depth) of each rung before rounding.

    Raises:
        SettingError: a size that no model has, or as many depths as there are no widths.
    """
    if ladder.widths is None and ladder.depths is None:
        _refuse_steps_too_far(ladder)
        return [
            (ladder.first_width * ladder.width_step**i, ladder.first_depth * ladder.depth_step**i)
            for i in range(ladder.count)
        ]
    widths = ladder.widths if ladder.widths is not None else [ladder.first_width]
    depths = ladder.depths if ladder.depths is not None else [ladder.first_depth]
    if len(widths) != len(depths) and 1 not in (len(widths), len(depths)):
        raise SettingError("ladder.depths", depths, f"one depth, or as many as the {len(widths)} widths")
    for name, values in (("width", widths), ("depth", depths)):
        if max(values) > LARGEST[name]:
            raise SettingError(f"ladder.{name}s", values, f"numbers of at most {LARGEST[name]:,}")
    count = max(len(widths), len(depths))
    widths, depths = (values * count if len(values) == 1 else values for values in (widths, depths))
    return list(zip(widths, depths, strict=True))


def _refuse_steps_too_far(ladder: LadderSettings) -> None:
    """Raise SettingError for a geometric ladder whose sizes pass what a model can have."""
    for name, largest in LARGEST.items():
        first, step = getattr(ladder, f"first_{name}"), getattr(ladder, f"{name}_step")
        most = ladder.count if step == 1 else 1 + math.floor(math.log(largest / first) / math.log(step))
        if ladder.count > most:
            why = f"where ladder.first_{name}={first} and ladder.{name}_step={step:g}: a {name} is at most {largest:,}"
            raise SettingError("ladder.count", ladder.count, f"at most {most:,} {why}")


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


def members(settings: Settings, rung: Rung, duration: int) -> tuple[Member, ...]:
    """The members asked for at one rung and duration: every seed with every learning rate."""
    seeds = range(settings.first_seed, settings.first_seed + settings.seeds)
    rates = learning_rates(settings, rung, duration)
    return tuple(each for lr in rates for each in members_of_seeds(settings, rung, duration, lr, seeds))


def members_of_seeds(settings: Settings, rung: Rung, duration: int, lr: float, seeds: Sequence[int]) -> list[Member]:
    """The members of these seeds at one learning rate; what they share is written as JSON once."""
    if settings.init_from is not None:
        return [member(settings, rung, duration, seed, lr) for seed in seeds]
    identity = identity_settings(settings, rung, duration, settings.first_seed, lr)
    before, after = (
        json.dumps({name: value for name, value in identity.items() if is_there(name)}, sort_keys=True)
        for is_there in (lambda name: name < "seed", lambda name: name > "seed")
    )
    start, end = f'{before[:-1]}, "seed": ', f", {after[1:]}"
    return [Member(seed, float(lr), _run_id(f"{start}{seed}{end}")) for seed in seeds]


def learning_rates(settings: Settings, rung: Rung, duration: int) -> list[float]:
    """The base learning rates at one rung and duration."""
    return resolved(settings, rung.durations[duration]).optimizer.learning_rates


def member(settings: Settings, rung: Rung, duration: int, seed: int, lr: float) -> Member:
    """One member with its identity."""
    parent = None if settings.init_from is None else settings.init_from.of(rung.shape, seed)
    return Member(seed, float(lr), identity_hash(identity_settings(settings, rung, duration, seed, lr)), parent)


def identity_hash(identity: dict[str, Any]) -> str:
    """The run_id of a run with these settings."""
    return _run_id(json.dumps(identity, sort_keys=True))


def _run_id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def identity_settings(settings: Settings, rung: Rung, duration: int, seed: int, lr: float) -> dict[str, Any]:
    """Exactly the resolved settings that change a run's numbers, as JSON-ready values.

    The study's name is among them: the same training in two studies is two rows, each with its own study. Where a run
    is trained (device, workers, members beside it) is not: it moves numbers by rounding at most.
    """
    trained = rung.durations[duration]
    settings = resolved(settings, trained)
    optimizer = identity_of(settings.optimizer) | {"lr": float(lr)}
    limit = {} if trained.examples is None else {"train_examples": trained.examples}
    return limit | {
        "version": IDENTITY_VERSION,
        "study": settings.study,
        "family": {"name": settings.family.name} | identity_of(settings.family),
        "task": {"name": settings.task.name} | identity_of(settings.task),
        "shape": dataclasses.asdict(rung.shape),
        "steps": trained.steps,
        "batch_size": settings.ladder.batch_size,
        "optimizer": optimizer,
        "schedule": identity_of(settings.schedule),
        "parametrization": _parametrization_identity(settings),
        "precision": settings.training.precision,
        "evaluations": settings.training.evaluations,
        "seed": seed,
        **({"loss": loss} if (loss := identity_of(settings.loss)) else {}),
        **_stopping_identity(settings),
        **_lineage_identity(settings, rung.shape, seed),
        # They change none of the other numbers, but which there are.
        **({"shifts": settings.shifts} if settings.shifts else {}),
    }


def _lineage_identity(settings: Settings, shape: Shape, seed: int) -> dict[str, Any]:
    """What a run starts from and what training changes, where that is not all of a model at its initial values."""
    finetune = identity_of(settings.finetune)
    start = {} if settings.init_from is None else {"init_from": settings.init_from.of(shape, seed).identity}
    return start | ({"finetune": finetune} if finetune else {})


def _stopping_identity(settings: Settings) -> dict[str, Any]:
    """When a run is evaluated and ends early, where that is otherwise than it was before there was a choice."""
    training = settings.training
    names = ("evaluate", "eval_share", *(() if training.patience is None else ("patience", "min_delta")))
    return {name: value for name, value in identity_of(training).items() if name in names}


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
