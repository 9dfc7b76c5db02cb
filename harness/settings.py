"""The settings of a study: plain dataclasses, each of which refuses values out of its range.

`conf/` holds the values, these dataclasses the names, types and defaults. Family and task are named by `_target_`, so
that a user's own class is chosen exactly as one of ours; its dataclass fields are its settings. Nothing here knows
Hydra: `harness.config` turns what Hydra composes into these objects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from harness.errors import SettingError


@dataclass
class LadderSettings:
    """Sizes and durations of one family.

    Sizes: either `widths` and `depths` written out (a list of one is repeated), or `count` rungs from
    (`first_width`, `first_depth`) by the factors `width_step` and `depth_step`.
    Duration: exactly one of `steps`, `tokens`, `tokens_per_param`, `flops`; a list makes a grid over N and D
    (for `flops`, an IsoFLOP grid).
    """

    widths: list[int] | None = None
    depths: list[int] | None = None
    first_width: int = 16
    width_step: float = 2.0
    first_depth: int = 1
    depth_step: float = 1.0
    count: int = 4
    heads: int | None = None
    head_width: int | None = None
    batch_size: int = 64
    steps: Any = None
    tokens: Any = None
    tokens_per_param: Any = None
    flops: Any = None

    def __post_init__(self) -> None:
        _at_least_one("ladder", self, "first_width", "first_depth", "count", "batch_size")
        for name in ("heads", "head_width"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingError(f"ladder.{name}", value, "a whole number of at least 1, or null")
        for name in ("width_step", "depth_step"):
            if not 1 <= getattr(self, name) < math.inf:
                raise SettingError(f"ladder.{name}", getattr(self, name), "a factor of at least 1 (1: held fixed)")
        for name in ("widths", "depths"):
            values = getattr(self, name)
            if values is not None and (not values or min(values) < 1):
                raise SettingError(f"ladder.{name}", values, "whole numbers of at least 1")


@dataclass
class OptimizerSettings:
    """`lr` may be a list: each learning rate is a member of its own."""

    kind: str = "adamw"
    lr: Any = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    momentum: float = 0.9
    eps: float = 1e-8
    weight_decay: float = 0.0
    grad_clip: float | None = None

    def __post_init__(self) -> None:
        _one_of("optimizer", self, "kind", ("adamw", "sgd"))
        if len(set(self.learning_rates)) < len(self.learning_rates):
            raise SettingError("optimizer.lr", self.lr, "learning rates that differ from each other")
        for i, lr in enumerate(self.learning_rates):
            if not 0 < lr < math.inf:
                raise SettingError(f"optimizer.lr[{i}]", lr, "a number above 0")
        for name in ("beta1", "beta2", "momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingError(f"optimizer.{name}", getattr(self, name), "a number from 0 on, below 1")
        for name in ("eps", "weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise SettingError(f"optimizer.{name}", getattr(self, name), "a number of at least 0")
        if self.grad_clip is not None and not 0 < self.grad_clip < math.inf:
            raise SettingError("optimizer.grad_clip", self.grad_clip, "a number above 0, or null for none")

    @property
    def learning_rates(self) -> list[float]:
        """The base learning rates asked for, as a list.

        Raises:
            SettingError: not a number or a list of numbers.
        """
        return number_list("optimizer.lr", self.lr)


@dataclass
class ScheduleSettings:
    """Factor on the learning rate over training; fractions are of the run's steps."""

    kind: str = "constant"
    warmup: float = 0.0
    decay: float = 0.2
    final: float = 0.0

    def __post_init__(self) -> None:
        _one_of("schedule", self, "kind", ("constant", "cosine", "wsd"))
        for name in ("warmup", "decay", "final"):
            _between("schedule", self, name, 0.0, 1.0)
        if self.warmup + self.decay > 1 and self.kind == "wsd":
            raise SettingError("schedule.decay", self.decay, f"at most {1 - self.warmup:g}, what warmup leaves")


@dataclass
class ParametrizationSettings:
    """How initial values and the optimizer's settings move with width (`kind`) and depth (`depth`).

    At `base_width`, `base_heads` and `base_depth` all choices agree. `decay`: whether the share by which a step shrinks
    a weight is `independent` of the factors on its learning rate, or `coupled` to them.
    """

    kind: str = "standard"
    base_width: int = 16
    base_heads: int = 1
    decay: str = "independent"
    depth: str = "none"
    base_depth: int = 1

    def __post_init__(self) -> None:
        _one_of("parametrization", self, "kind", ("standard", "mup"))
        _one_of("parametrization", self, "decay", ("independent", "coupled"))
        _one_of("parametrization", self, "depth", ("none", "sqrt", "complete"))
        _at_least_one("parametrization", self, "base_width", "base_heads", "base_depth")


@dataclass
class TrainingSettings:
    """Where and how finely a run is trained and measured."""

    device: str = "auto"
    precision: str = "float32"
    evaluations: int = 8

    def __post_init__(self) -> None:
        _one_of("training", self, "device", ("auto", "cpu", "cuda", "mps"))
        _one_of("training", self, "precision", ("float32", "bfloat16"))
        _at_least_one("training", self, "evaluations")


@dataclass
class LauncherSettings:
    """How jobs share the machine; nothing here changes a number.

    `workers`: one-thread processes, all cores where null. `members_together`: members trained in one process, chosen
    by family and device where null.
    """

    workers: int | None = None
    members_together: int | None = None

    def __post_init__(self) -> None:
        _at_least_one("launcher", self, "workers", "members_together")


@dataclass
class AnalysisSettings:
    """What `harness analyze` computes.

    `interval`: the kind of the laws' intervals, profile or bootstrap. `bootstrap`: refits of a bootstrap; `seed`: of
    its draws; both unused with interval=profile.
    """

    x: str = "params_non_embedding"
    alpha: float = 0.05
    level: float = 0.95
    interval: str = "profile"
    bootstrap: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        _between("analysis", self, "alpha", 0.0, 0.5)
        _between("analysis", self, "level", 0.5, 1.0)
        _one_of("analysis", self, "interval", ("profile", "bootstrap"))
        if self.bootstrap < 100:
            raise SettingError("analysis.bootstrap", self.bootstrap, "a whole number of at least 100")
        _not_negative("analysis", self, "seed")


@dataclass
class RefineSettings:
    """What `harness refine` may train, and when an N* is placed well enough.

    `ratio`: of an interval's ends, that is narrow enough. `budget`: FLOPs that refining may cost, in multiples of those
    of the study's own ladder; all runs of the study beyond that ladder count. `seeds`: runs added at a size at a time,
    the study's `seeds` where null. `metrics`: those whose N* matter, the discontinuous ones where null. `subtasks`:
    likewise; where null all of them, or the whole task where it has none. `rounds`: at most, in one call.
    """

    ratio: float = 1.5
    budget: float = 1.0
    seeds: int | None = None
    metrics: list[str] | None = None
    subtasks: list[str] | None = None
    rounds: int = 8

    def __post_init__(self) -> None:
        _at_least_one("refine", self, "seeds", "rounds")
        if not 1 < self.ratio < math.inf:
            raise SettingError("refine.ratio", self.ratio, "a number above 1, of an interval's ends")
        if not 0 <= self.budget < math.inf:
            raise SettingError("refine.budget", self.budget, "a multiple of the FLOPs of the study's own ladder")


@dataclass
class RedoSettings:
    """Which recorded runs `harness redo` trains anew.

    `which`: those with other counts than the code gives now (changed), all of them, or those that ended so (finished,
    diverged, failed). `rungs`, `seeds`, `runs` (run_ids): of these only, all where null. `before`: only those recorded
    before this time (UTC), such as 2026-01-31T12:00:00, so that a redo of all runs can be stopped and gone on with.
    """

    which: str = "changed"
    rungs: list[int] | None = None
    seeds: list[int] | None = None
    runs: list[str] | None = None
    before: str | None = None

    def __post_init__(self) -> None:
        _one_of("redo", self, "which", ("changed", "all", "finished", "diverged", "failed"))
        if self.before is not None:
            try:
                datetime.fromisoformat(self.before)
            except ValueError:
                raise SettingError("redo.before", self.before, "a time such as 2026-01-31T12:00:00") from None

    @property
    def before_time(self) -> datetime:
        """`before` with a time zone, UTC where it names none; the end of time where null."""
        if self.before is None:
            return datetime.max.replace(tzinfo=UTC)
        time = datetime.fromisoformat(self.before)
        return time if time.tzinfo else time.replace(tzinfo=UTC)


@dataclass
class Settings:
    """Everything about one study; an experiment is one study, or the several named in `studies`.

    `notes`: what the study can and cannot show, for the report. `family` and `task` are the chosen objects once
    `harness.config` has built them. `rung` and `seed` name the run of `harness train`. `by`: settings, each of whose
    values is a curve of its own for `harness analyze`, one name or a list.
    """

    name: str = "adhoc"
    study: str = "main"
    studies: list[str] = field(default_factory=list)
    notes: str = ""
    family: Any = None
    task: Any = None
    ladder: LadderSettings = field(default_factory=LadderSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    parametrization: ParametrizationSettings = field(default_factory=ParametrizationSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    launcher: LauncherSettings = field(default_factory=LauncherSettings)
    analysis: AnalysisSettings = field(default_factory=AnalysisSettings)
    refine: RefineSettings = field(default_factory=RefineSettings)
    redo: RedoSettings = field(default_factory=RedoSettings)
    seeds: int = 3
    first_seed: int = 0
    rung: int = 0
    seed: int = 0
    by: Any = None
    results: str = "results/${name}"

    def __post_init__(self) -> None:
        _at_least_one("", self, "seeds")
        _not_negative("", self, "first_seed", "rung", "seed")
        if not self.name or "/" in self.name or self.name in (".", ".."):
            raise SettingError("name", repr(self.name), "a name without '/', other than . and ..")
        if not self.results:
            raise SettingError("results", "''", "a folder")
        if not all(name and isinstance(name, str) for name in self.curves_by):
            raise SettingError("by", self.by, "the name of a setting, e.g. optimizer.lr, or a list of such names")

    @property
    def curves_by(self) -> list[str]:
        """The settings of `by`, as a list."""
        return [] if self.by is None else list(self.by) if isinstance(self.by, (list, tuple)) else [self.by]


def number_list(setting: str, value: Any) -> list[float]:
    """A setting that may be one number or a list of them, as a list.

    Raises:
        SettingError: empty, or something in it is not a number.
    """
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    if not values or not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        raise SettingError(setting, value, "a number or a list of numbers")
    return values


def _full(group: str, name: str) -> str:
    return f"{group}.{name}" if group else name


def _one_of(group: str, settings: Any, name: str, allowed: Sequence[str]) -> None:
    value = getattr(settings, name)
    if value not in allowed:
        raise SettingError(_full(group, name), value, "one of " + ", ".join(allowed))


def _at_least_one(group: str, settings: Any, *names: str) -> None:
    for name in names:
        count = getattr(settings, name)
        if count is not None and count < 1:
            raise SettingError(_full(group, name), count, "a whole number of at least 1")


def _not_negative(group: str, settings: Any, *names: str) -> None:
    for name in names:
        if getattr(settings, name) < 0:
            raise SettingError(_full(group, name), getattr(settings, name), "a whole number of at least 0")


def _between(group: str, settings: Any, name: str, low: float, high: float) -> None:
    value = getattr(settings, name)
    if not low <= value <= high:
        raise SettingError(_full(group, name), value, f"from {low:g} to {high:g}")
