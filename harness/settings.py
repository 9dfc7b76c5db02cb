"""The settings of a study: plain dataclasses, each of which refuses values out of its range.

A setting's default, meaning and range stand here, on its field; `conf/` holds the values of the choices of a group.
Family and task are named by `_target_`, so that a user's own class is chosen exactly as one of ours; its dataclass
fields are its settings. Nothing here knows Hydra: `harness.config` turns what Hydra composes into these objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness.branches import check_branched
from harness.data.settings import DataSettings
from harness.errors import SettingError
from harness.finetuning import FinetuneSettings
from harness.metrics import OF_VIEWS, Metric
from harness.mixtures import Mixtures
from harness.ranges import (
    Anything,
    Checked,
    Flag,
    ListOf,
    Number,
    OneOrMore,
    Text,
    above,
    at_least,
    between,
    moment,
    number_list,
    one_of,
    or_null,
    setting,
    whole,
)
from harness.rules.reading import or_rule
from harness.tasks.shifts.reading import Shifts

#: Seeds are recorded as 64-bit integers.
LARGEST_SEED = 10**18

if TYPE_CHECKING:
    from harness.tasks.base import Signature


@dataclass
class LadderSettings(Checked):
    """Sizes and durations of one family.

    Sizes: either `widths` and `depths` written out (a list of one is repeated), or `count` rungs from
    (`first_width`, `first_depth`) by the factors `width_step` and `depth_step`.
    Duration: exactly one of `steps`, `tokens`, `tokens_per_param`, `flops`, `epochs`; a list makes a grid over N and D
    (for `flops`, an IsoFLOP grid). `train_examples` limits the training set, whatever the duration;
    `mixtures` weighs what the task mixes.
    """

    settings_group = "ladder"

    widths: Any = setting(
        None,
        "width of each size, written out; a list of one is repeated for every depth",
        or_null(ListOf(whole(1)), "first_width and width_step"),
    )
    depths: Any = setting(
        None,
        "depth of each size, written out; a list of one is repeated for every width",
        or_null(ListOf(whole(1)), "first_depth and depth_step"),
    )
    # Numbers, not whole ones: refining asks for sizes between those of the ladder, which are rounded when built.
    first_width: int = setting(16, "width of the smallest size, where widths is null", between(1, 2**31 - 1))
    width_step: float = setting(2.0, "width of a size over that of the one before; 1 holds it fixed", at_least(1))
    first_depth: int = setting(1, "depth of the smallest size, where depths is null", between(1, 10_000))
    depth_step: float = setting(1.0, "depth of a size over that of the one before; 1 holds it fixed", at_least(1))
    count: int = setting(4, "number of sizes, where neither widths nor depths is given", whole(1, 1000))
    heads: int | None = setting(
        None,
        "attention heads of every size; give this or head_width",
        or_null(whole(1), "one, or what head_width gives"),
    )
    head_width: int | None = setting(
        None, "width of a head: wider sizes have more heads", or_null(whole(1), "as many heads as `heads` says")
    )
    batch_size: Any = setting(
        64,
        "examples (sequences, for tokens) in a training step; all: the whole training set",
        or_rule(whole(1, 10**8), "all"),
    )
    steps: Any = setting(
        None, "duration in training steps; a list makes a grid over durations", or_null(OneOrMore(above(0)))
    )
    tokens: Any = setting(
        None, "duration in training tokens (examples, for a task of features)", or_null(OneOrMore(above(0)))
    )
    tokens_per_param: Any = setting(
        None, "duration in training tokens for each parameter of the size, all counted", or_null(OneOrMore(above(0)))
    )
    flops: Any = setting(None, "duration in training FLOPs; a list makes an IsoFLOP grid", or_null(OneOrMore(above(0))))
    epochs: Any = setting(
        None,
        "duration in passes over the training examples, each pass in a fresh order",
        or_null(OneOrMore(above(0))),
    )
    train_examples: Any = setting(
        None,
        "examples to train on, the first of a fixed order, epoch by epoch; a list makes a grid with the durations",
        or_null(OneOrMore(whole(1, 10**8)), "as the task draws them"),
    )
    branched: bool = setting(
        False,
        "whether durations share their first steps, trained once, from which each branches off its decay",
        Flag(),
        in_identity=False,
    )
    mixtures: Any = setting(
        None,
        "weights of what the task mixes, in place of its own; a list makes a grid with the durations",
        or_null(Mixtures(), "those of the task"),
    )


@dataclass
class LossSettings(Checked):
    """What training minimises: a criterion, and penalties on the weights that decay.

    The metric "loss" is the criterion without label smoothing and penalties.
    """

    settings_group = "loss"

    kind: str = setting(
        "cross_entropy",
        "the criterion; loss=NAME chooses it and its defaults",
        one_of("cross_entropy", "mse", "binary", "contrastive"),
        default_in_identity=False,
    )
    label_smoothing: float = setting(
        0.0,
        "share of a target's probability that is spread over all classes, for cross_entropy and binary",
        Number(0, 1, below=True),
        default_in_identity=False,
    )
    l1: float = setting(
        0.0, "times the sum of |w|, a penalty on weights w that decay", at_least(0), default_in_identity=False
    )
    l2: float = setting(
        0.0, "times half the sum of w^2, a penalty on weights w that decay", at_least(0), default_in_identity=False
    )
    temperature: float = setting(
        0.1, "of contrastive: what similarities are divided by", above(0), default_in_identity=False
    )
    dimensions: int = setting(
        32, "of contrastive: outputs of the model, which are an embedding", whole(2), default_in_identity=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_smoothing and self.kind not in ("cross_entropy", "binary"):
            raise SettingError("loss.label_smoothing", self.label_smoothing, f"0 with loss.kind={self.kind}")
        for name, default in (("temperature", 0.1), ("dimensions", 32)):
            if self.kind != "contrastive" and (found := getattr(self, name)) != default:
                raise SettingError(f"loss.{name}", found, f"{default} with loss.kind={self.kind}, which has none")

    @property
    def views(self) -> int:
        """How many inputs are made of each training example."""
        return 2 if self.kind == "contrastive" else 1

    def signature_for(self, task: Signature) -> Signature:
        """The shapes that a model needs to have: those of the task, with the embedding as outputs under contrastive."""
        return replace(task, n_outputs=self.dimensions) if self.kind == "contrastive" else task


@dataclass
class OptimizerSettings(Checked):
    """The optimizer and its learning rates."""

    settings_group = "optimizer"

    kind: str = setting(
        "adamw",
        "the optimizer; optimizer=NAME chooses it and its defaults",
        one_of("gd", "sgd", "adam", "adamw", "muon"),
    )
    lr: Any = setting(
        0.01, "base learning rate; a list trains every size with each, as members", or_rule(OneOrMore(above(0)))
    )
    adamw_lr: float = setting(
        0.01,
        "base learning rate of all but the hidden matrices, which AdamW trains beside Muon",
        above(0),
        default_in_identity=False,
    )
    beta1: float = setting(0.9, "decay of Adam's average of gradients", Number(0, 1, below=True))
    beta2: Any = setting(0.999, "decay of Adam's average of squared gradients", or_rule(Number(0, 1, below=True)))
    momentum: float = setting(0.9, "momentum of SGD and Muon", Number(0, 1, below=True))
    nesterov: bool = setting(
        False, "whether SGD and Muon look ahead (Nesterov's momentum)", Flag(), default_in_identity=False
    )
    eps: float = setting(1e-8, "added to the denominator of Adam's step", at_least(0))
    weight_decay: Any = setting(
        0.0,
        "times the learning rate: by what share a step shrinks weights; see parametrization.decay",
        or_rule(at_least(0)),
    )
    grad_clip: float | None = setting(
        None, "largest norm of a member's gradient; longer ones are scaled down", or_null(above(0), "no limit")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind == "adam" and self.weight_decay:
            allowed = "0 with optimizer.kind=adam: loss.l2 is its penalty, optimizer=adamw decays weights"
            raise SettingError("optimizer.weight_decay", self.weight_decay, allowed)

    @property
    def learning_rates(self) -> list[float]:
        """The base learning rates asked for, as a list; those of a rule are known once a job has resolved it.

        Raises:
            SettingError: not a number or a list of numbers.
        """
        return number_list("optimizer.lr", self.lr)


@dataclass
class ScheduleSettings(Checked):
    """Factor on the learning rate over training; shares are of the run's steps."""

    settings_group = "schedule"

    kind: str = setting(
        "constant", "the shape; schedule=NAME chooses it and its defaults", one_of("constant", "cosine", "wsd")
    )
    warmup: Any = setting(0.0, "share of the steps in which the learning rate rises from 0", or_rule(between(0, 1)))
    warmup_steps: int | None = setting(
        None,
        "steps in which the learning rate rises from 0, the same for every duration; they take the place of warmup",
        or_null(whole(0), "the share of warmup"),
        default_in_identity=False,
    )
    decay: float = setting(
        0.2,
        "share of the steps, at the end, in which wsd falls; with warmup at most 1",
        between(0, 1),
    )
    final: float = setting(0.0, "last learning rate over the base one, for cosine and wsd", between(0, 1))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup_steps is not None:
            self.warmup = 0.0  # the files of conf/schedule state a share
        if self.kind == "wsd" and not isinstance(self.warmup, dict) and self.warmup + self.decay > 1:
            raise SettingError("schedule.decay", self.decay, f"at most {1 - self.warmup:g}, what warmup leaves")


@dataclass
class ParametrizationSettings(Checked):
    """How initial values and the optimizer's settings move with width (`kind`) and depth (`depth`).

    At `base_width`, `base_heads` and `base_depth` all choices agree.
    """

    settings_group = "parametrization"

    kind: str = setting(
        "standard", "how they move with width: not at all, or by muP (Yang et al. 2021)", one_of("standard", "mup")
    )
    base_width: int = setting(16, "the width at which muP changes nothing", whole(1))
    base_heads: int = setting(1, "heads at the base width", whole(1))
    decay: str = setting(
        "independent",
        "share by which a step shrinks a weight: alike at every size, or coupled to muP's factors on its learning rate",
        one_of("independent", "coupled"),
    )
    depth: str = setting(
        "none",
        "scale residual branches by 1/sqrt(m) or 1/m, m = depth / base_depth (depth-muP, CompleteP)",
        one_of("none", "sqrt", "complete"),
    )
    base_depth: int = setting(1, "the depth at which a depth rule changes nothing", whole(1))


@dataclass
class TrainingSettings(Checked):
    """Where and how finely a run is trained and measured."""

    settings_group = "training"

    device: str = setting("auto", "where to train; auto: a GPU if there is one", one_of("auto", "cpu", "cuda", "mps"))
    precision: str = setting("float32", "of activations; weights stay float32", one_of("float32", "bfloat16"))
    evaluations: int = setting(8, "evaluations over training, the last at its end", whole(1))
    evaluate: str = setting(
        "geometric",
        "how evaluations are spaced: alike in the logarithm of the steps, or in steps",
        one_of("geometric", "even"),
        default_in_identity=False,
    )
    eval_share: float | None = setting(
        None,
        "most FLOPs that evaluations may cost, over those of training: where all would cost more, they are fewer",
        or_null(above(0), "no limit"),
        default_in_identity=False,
    )
    patience: int | None = setting(
        None,
        "evaluations in a row without a new lowest evaluation loss after which a run ends; needs evaluate=even",
        or_null(whole(1), "training to the last step"),
        default_in_identity=False,
    )
    min_delta: float = setting(
        0.0,
        "with patience: by how much a loss must fall to count as a new lowest",
        at_least(0),
        default_in_identity=False,
    )

    checkpoint_s: float | None = setting(
        60.0,
        "seconds from one checkpoint of a job in training to the next, from which it goes on after it was stopped",
        or_null(at_least(0), "no checkpoints"),
        in_identity=False,
    )
    keep: str = setting(
        "none",
        "checkpoints of a run that stay after its end: none, that of its last step, or one at every evaluation",
        one_of("none", "last", "all"),
        in_identity=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patience is not None and self.evaluate != "even":
            # The first geometric evaluations are a step apart: patience would run out in noise.
            raise SettingError("training.evaluate", self.evaluate, "even, where training.patience counts evaluations")
        if self.patience is None and self.min_delta:
            raise SettingError("training.min_delta", self.min_delta, "0 without training.patience")


@dataclass
class LauncherSettings(Checked):
    """Where jobs run, and how they share a machine; nothing here changes a number."""

    settings_group = "launcher"

    engine: str = setting(
        "local",
        "where jobs run: on this machine, as tasks of Slurm, or on Ray",
        one_of("local", "slurm", "ray"),
    )

    workers: int | None = setting(
        None, "processes that train side by side", or_null(whole(1), "as many as there are cores for their threads")
    )
    threads: int | None = setting(
        None, "threads of each of these processes on the CPU", or_null(whole(1), "one, for which numbers are the same")
    )
    step: str = setting(
        "auto",
        "how a training step is run; auto: as a trial finds it fastest, where one pays",
        one_of("auto", "replayed", "compiled", "captured"),
    )
    members_together: int | None = setting(
        None,
        "members of a size that one process trains at once",
        or_null(whole(1), "what runs fastest for the family on this device"),
    )
    gpus_per_run: int = setting(
        1, "GPUs, or cores of a machine without, that train a run together, each on its share of every batch", whole(1)
    )
    shard: str = setting(
        "auto",
        "whether parameters lie in shards on the GPUs of a run; auto: where they would take half of a GPU's memory",
        one_of("auto", "never", "always"),
    )
    minutes: float = setting(60.0, "walltime of a task on a cluster; what trains then goes on in the next", above(0))
    partition: str | None = setting(
        None, "partition of the tasks", or_null(Text("a partition"), "the cluster's default")
    )
    account: str | None = setting(None, "who is charged for the tasks", or_null(Text("an account"), "the user's own"))
    at_once: int | None = setting(
        None, "tasks that run at the same time", or_null(whole(1), "as many as the cluster lets")
    )
    cpus_per_task: int = setting(1, "cores of a task, and of a worker on Ray", whole(1))
    gpus_per_node: int | None = setting(None, "GPUs of a task", or_null(whole(1), "none"))
    memory_gb: float | None = setting(None, "memory of a task in GiB", or_null(above(0), "what the cluster gives"))
    additional: Any = setting(
        None, "further options of the scheduler", or_null(Anything("options over values: {qos: high}"), "none")
    )

    address: str | None = setting(
        None,
        "where the Ray cluster is; auto: the one that this machine is of",
        or_null(Text("auto, HOST:PORT or ray://HOST:PORT"), "a Ray of its own on this machine"),
    )
    gpus_per_job: float | None = setting(
        None,
        "the share of a GPU that a job on Ray gets",
        or_null(Number(0, 1, above=True), "a whole one on cuda, none on cpu"),
    )

    @property
    def is_here(self) -> bool:
        """Whether jobs run on this machine alone."""
        return self.engine == "local" or (self.engine == "ray" and self.address is None)

    def gpus_of_job(self, device: str) -> float:
        """The share of a GPU that a job on Ray gets, on such a device."""
        return (self.gpus_per_job or 1) if device == "cuda" else 0

    def slots(self, device: str) -> int:
        """Processes side by side in a task on a cluster, on such a device."""
        return self.processes(device, self.cpus_per_task, self.gpus_per_node or 1)

    def processes(self, device: str, cores: int, cards: int = 1) -> int:
        """Processes side by side where there are so many cores and cards: `workers`, or as many as these hold.

        Those that train a run together count as one.
        """
        if self.workers is not None:
            return self.workers
        places = cores // (self.threads or 1) if device == "cpu" else cards
        return max(1, places // self.gpus_per_run)

    @property
    def way(self) -> str:
        """How a step is run, where no trial has chosen."""
        return "replayed" if self.step == "auto" else self.step


@dataclass
class AnalysisSettings(Checked):
    """What `harness analyze` computes."""

    settings_group = "analysis"

    x: str = setting(
        "params_non_embedding",
        "the size on the x axis",
        Text("a column of the runs: params_non_embedding, params_total, flops, tokens, width, depth, ..."),
    )
    alpha: float = setting(0.05, "false discovery rate of all jumps that are claimed", between(0, 0.5))
    level: float = setting(0.95, "confidence of intervals", between(0.5, 1))
    interval: str = setting("profile", "the kind of the laws' intervals", one_of("profile", "bootstrap"))
    bootstrap: int = setting(1000, "refits of a bootstrap; unused with interval=profile", whole(100))
    seed: int = setting(0, "seed of the bootstrap's draws; unused with interval=profile", whole(0))


@dataclass
class RefineSettings(Checked):
    """What `harness refine` may train, and when an N* is placed well enough."""

    settings_group = "refine"

    ratio: float = setting(1.5, "upper over lower end of an N*'s interval that is narrow enough", above(1))
    budget: float = setting(
        1.0,
        "FLOPs that refining may cost, in multiples of those of the study's own ladder; earlier refining counts",
        at_least(0),
    )
    seeds: int | None = setting(None, "runs added at a size at a time", or_null(whole(1), "the study's seeds"))
    metrics: Any = setting(
        None, "metrics whose N* matter", or_null(ListOf(Text("names of metrics"), empty=True), "all discontinuous ones")
    )
    subtasks: Any = setting(
        None,
        "subtasks whose N* matter",
        or_null(ListOf(Text("names of subtasks"), empty=True), "all, or the whole task where it has none"),
    )
    rounds: int = setting(8, "most rounds of training in one call", whole(1))


@dataclass
class RedoSettings(Checked):
    """Which recorded runs `harness redo` trains anew."""

    settings_group = "redo"

    which: str = setting(
        "changed",
        "runs whose counts the code now gives otherwise or whose parent's checkpoint is another now (changed), all, "
        "those that ended so, or finished ones without the checkpoints that training.keep asks for (unkept)",
        one_of("changed", "all", "finished", "diverged", "failed", "unkept"),
    )
    rungs: Any = setting(None, "of these sizes only, counted from 0", or_null(ListOf(whole(0)), "all"))
    seeds: Any = setting(None, "of these seeds only", or_null(ListOf(whole(0)), "all"))
    runs: Any = setting(None, "of these runs only", or_null(ListOf(Text("run_ids")), "all"))
    before: str | None = setting(
        None, "only runs recorded before this time (UTC), so that a redo of all can be gone on with", or_null(moment())
    )

    @property
    def before_time(self) -> datetime:
        """`before` with a time zone, UTC where it names none; the end of time where null."""
        if self.before is None:
            return datetime.max.replace(tzinfo=UTC)
        time = datetime.fromisoformat(self.before)
        return time if time.tzinfo else time.replace(tzinfo=UTC)


@dataclass
class Settings(Checked):
    """Everything about one study; an experiment is one study, or the several named in `studies`.

    `family` and `task` are the chosen objects once `harness.config` has built them, `init_from` is a
    `harness.lineage.Parents` once `harness.sweeping.parents` has found them.
    """

    name: str = setting(
        "adhoc",
        "name of the experiment",
        Text("a name without '/', other than . and ..", lambda name: name not in ("", ".", "..") and "/" not in name),
    )
    study: str = setting("main", "name of the study, that of its curves in the report", Anything("text"))
    studies: Any = setting(
        [],
        "files of conf/experiment/ that this experiment consists of; settings beside them apply to all",
        ListOf(Text("names of files in conf/experiment, such as quickstart/parity"), empty=True),
    )
    notes: str = setting("", "what the study can and cannot show, for the report", Anything("text"))
    family: Any = setting(None, "the architecture: family=NAME", Anything("a file in conf/family"))
    task: Any = setting(None, "what is learnt: task=NAME", Anything("a file in conf/task"))
    init_from: Any = setting(
        None,
        "where each size starts from: an experiment, one of its studies (NAME/STUDY), a run, a folder of weights in "
        "the layout of Hugging Face, or a study of this command; null: from its initial values",
        Anything("a name, a folder or a run_id; null"),
    )
    ladder: LadderSettings = field(default_factory=LadderSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    parametrization: ParametrizationSettings = field(default_factory=ParametrizationSettings)
    data: DataSettings = field(default_factory=DataSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    finetune: FinetuneSettings = field(default_factory=FinetuneSettings)
    launcher: LauncherSettings = field(default_factory=LauncherSettings)
    analysis: AnalysisSettings = field(default_factory=AnalysisSettings)
    refine: RefineSettings = field(default_factory=RefineSettings)
    redo: RedoSettings = field(default_factory=RedoSettings)
    shifts: Any = setting(
        None,
        "further evaluation sets, each a name over what changes: noise, blur, tokens, length, groups, files and more",
        Shifts(),
        default_in_identity=False,
    )
    seeds: int = setting(3, "runs of every size, learning rate and duration, each from another seed", whole(1, 10_000))
    first_seed: int = setting(0, "the first of these seeds", whole(0, LARGEST_SEED))
    rung: int = setting(0, "which size `harness train` trains, counted from 0", whole(0))
    seed: int = setting(0, "which seed `harness train` trains", whole(0, LARGEST_SEED))
    by: Any = setting(
        None,
        "settings, or width or depth, each of whose values `harness analyze` makes a curve of its own",
        or_null(ListOf(Text("names of settings, such as optimizer.lr"))),
    )
    results: str = setting("results/${name}", "folder of the results", Text("a folder"))

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, nothing in (("reset", []), ("where", None), ("step", None)):
            if self.init_from is None and (found := getattr(self.finetune, name)) != nothing:
                allowed = f"{'null' if nothing is None else '[]'} without init_from: it is of what a run starts from"
                raise SettingError(f"finetune.{name}", found, allowed)
        check_branched(self)

    @property
    def signature(self) -> Signature:
        """The shapes that a model needs to have."""
        return self.loss.signature_for(self.task.signature)

    @property
    def parents_outputs(self) -> int | None:
        """Outputs of the models that those of the study start from; None where they start from none."""
        return None if self.init_from is None else self.init_from.n_outputs

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What every evaluation measures."""
        of_task: tuple[Metric, ...] = self.task.metrics
        return OF_VIEWS if self.loss.kind == "contrastive" else of_task

    @property
    def curves_by(self) -> list[str]:
        """The settings of `by`, as a list."""
        return [] if self.by is None else list(self.by)


#: The groups of `Settings`, in the order in which they are listed.
GROUPS = tuple(f.name for f in fields(Settings) if is_dataclass(f.default_factory))
