"""Settings: dataclasses that Hydra validates against, and the one place where a DictConfig becomes plain objects.

`conf/` holds the values, these dataclasses the names, types and defaults. Family and task are named by `_target_`, so
that a user's own class is chosen exactly as one of ours; its dataclass fields are its settings.
"""

from __future__ import annotations

import dataclasses
import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from harness.errors import SettingError, UserError, nearest

if TYPE_CHECKING:
    from harness.families.base import Family
    from harness.tasks.base import Task


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


@dataclass
class ScheduleSettings:
    """Factor on the learning rate over training; fractions are of the run's steps."""

    kind: str = "constant"
    warmup: float = 0.0
    decay: float = 0.2
    final: float = 0.0


@dataclass
class ParametrizationSettings:
    """How initialisation and learning rates move with width; at `base_width` and `base_heads` both kinds agree."""

    kind: str = "standard"
    base_width: int = 16
    base_heads: int = 1


@dataclass
class TrainingSettings:
    """Where and how finely a run is trained and measured."""

    device: str = "auto"
    precision: str = "float32"
    evaluations: int = 8


@dataclass
class LauncherSettings:
    """How jobs share the machine; nothing here changes a number.

    `workers`: one-thread processes, all cores where null. `members_together`: members trained in one process, chosen
    by family and device where null.
    """

    workers: int | None = None
    members_together: int | None = None


@dataclass
class AnalysisSettings:
    """What `harness analyze` computes."""

    x: str = "params_non_embedding"
    alpha: float = 0.05
    level: float = 0.95
    bootstrap: int = 1000
    seed: int = 0


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


@dataclass
class Settings:
    """Everything about one study; an experiment is one study, or the several named in `studies`.

    `notes`: what the study can and cannot show, for the report.
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
    seeds: int = 3
    first_seed: int = 0
    rung: int = 0
    seed: int = 0
    results: str = "results/${name}"


def register() -> None:
    """Make the settings known to Hydra as the schema that conf/config.yaml builds on."""
    ConfigStore.instance().store(name="settings", node=Settings)


def to_settings(config: DictConfig) -> Settings:
    """Turn a composed config into plain objects, family and task built.

    Raises:
        UserError: a setting with an unknown name, a wrong type or a value out of its range.
    """
    plain = OmegaConf.to_object(config)
    assert isinstance(plain, Settings)
    plain.family = _build("family", plain.family)
    plain.task = _build("task", plain.task)
    check(plain)
    return plain


def _build(setting: str, values: Any) -> Family | Task:
    if not isinstance(values, dict) or "_target_" not in values:
        raise UserError(f"{setting} is not chosen: give {setting}=NAME, one of the files in conf/{setting}/")
    values = dict(values)
    target = values.pop("_target_")
    module, _, name = str(target).rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, ValueError, AttributeError) as error:
        raise UserError(f"{setting}._target_={target} cannot be imported: {error}") from error
    try:
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cls), values))  # type: ignore[return-value]
    except ConfigKeyError as error:
        known = [f.name for f in dataclasses.fields(cls)]
        near = nearest(str(error.key), known)
        raise UserError(f"{setting}.{error.key} is not a setting of {target}{near}") from error
    except OmegaConfBaseException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise UserError(f"{setting}.{error.key or ''}: {str(error).splitlines()[0]}") from error


def check(settings: Settings) -> None:
    """Raise SettingError for the first value out of its range."""
    optimizer, schedule, training = settings.optimizer, settings.schedule, settings.training
    one_of = {
        "optimizer.kind": (optimizer.kind, ("adamw", "sgd")),
        "schedule.kind": (schedule.kind, ("constant", "cosine", "wsd")),
        "parametrization.kind": (settings.parametrization.kind, ("standard", "mup")),
        "training.device": (training.device, ("auto", "cpu", "cuda", "mps")),
        "training.precision": (training.precision, ("float32", "bfloat16")),
    }
    for name, (value, allowed) in one_of.items():
        if value not in allowed:
            raise SettingError(name, value, "one of " + ", ".join(allowed))
    at_least_one = {
        "seeds": settings.seeds,
        "ladder.batch_size": settings.ladder.batch_size,
        "parametrization.base_width": settings.parametrization.base_width,
        "parametrization.base_heads": settings.parametrization.base_heads,
        "training.evaluations": training.evaluations,
        "launcher.workers": settings.launcher.workers,
        "launcher.members_together": settings.launcher.members_together,
        "analysis.bootstrap": settings.analysis.bootstrap,
        "refine.seeds": settings.refine.seeds,
        "refine.rounds": settings.refine.rounds,
    }
    for name, count in at_least_one.items():
        if count is not None and count < 1:
            raise SettingError(name, count, "a whole number of at least 1")
    for name, rate in {f"optimizer.lr[{i}]": lr for i, lr in enumerate(learning_rates(settings))}.items():
        if not 0 < rate < float("inf"):
            raise SettingError(name, rate, "a number above 0")
    ranges = {
        "optimizer.beta1": (optimizer.beta1, 0.0, 1.0),
        "optimizer.beta2": (optimizer.beta2, 0.0, 1.0),
        "optimizer.momentum": (optimizer.momentum, 0.0, 1.0),
        "schedule.warmup": (schedule.warmup, 0.0, 1.0),
        "schedule.decay": (schedule.decay, 0.0, 1.0),
        "schedule.final": (schedule.final, 0.0, 1.0),
        "analysis.alpha": (settings.analysis.alpha, 0.0, 0.5),
        "analysis.level": (settings.analysis.level, 0.5, 1.0),
    }
    for name, (number, low, high) in ranges.items():
        if not low <= number <= high:
            raise SettingError(name, number, f"from {low:g} to {high:g}")
    if schedule.warmup + schedule.decay > 1 and schedule.kind == "wsd":
        raise SettingError("schedule.decay", schedule.decay, f"at most {1 - schedule.warmup:g}, what warmup leaves")
    if optimizer.grad_clip is not None and optimizer.grad_clip <= 0:
        raise SettingError("optimizer.grad_clip", optimizer.grad_clip, "a number above 0, or null for none")
    if not 1 < settings.refine.ratio < float("inf"):
        raise SettingError("refine.ratio", settings.refine.ratio, "a number above 1, of an interval's ends")
    if not 0 <= settings.refine.budget < float("inf"):
        raise SettingError("refine.budget", settings.refine.budget, "a multiple of the FLOPs of the study's own ladder")
    if not settings.name or "/" in settings.name:
        raise SettingError("name", repr(settings.name), "a name without '/'")


def learning_rates(settings: Settings) -> list[float]:
    """The base learning rates asked for, as a list.

    Raises:
        SettingError: not a number or a list of numbers.
    """
    return numbers("optimizer.lr", settings.optimizer.lr)


def numbers(setting: str, value: Any) -> list[float]:
    """A setting that may be one number or a list of them, as a list.

    Raises:
        SettingError: empty, or something in it is not a number.
    """
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    if not values or not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        raise SettingError(setting, value, "a number or a list of numbers")
    return values
