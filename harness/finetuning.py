"""How a model that has been trained before is trained on: the settings, and which parameters they name. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from harness.errors import SettingError
from harness.ranges import Checked, ListOf, Text, above, one_of, or_null, setting, whole

_PATTERNS = Text("names of layers or parameters, such as embedding, blocks.0 or blocks.*.mlp")


@dataclass
class FinetuneSettings(Checked):
    """What training changes of a model, which usually starts from a checkpoint (`init_from`).

    Names are those of the module's parameters, ``blocks.0.attention.inner.qkv.weight``. A pattern names all that hold
    its parts in a row, with ``*`` for anything within a part: ``qkv``, ``blocks.0``, ``blocks.*.mlp``.
    """

    settings_group = "finetune"

    kind: str = setting(
        "full",
        "what is trained: all parameters, the readout alone, or low-rank adapters of matrices (LoRA, Hu et al. 2021)",
        one_of("full", "head", "lora"),
        default_in_identity=False,
    )
    frozen: Any = setting(
        [],
        "layers or parameters that training leaves as they are",
        ListOf(_PATTERNS, empty=True),
        default_in_identity=False,
    )
    reset: Any = setting(
        [],
        "layers or parameters that are drawn anew and trained; a readout of other outputs than the parent's always is",
        ListOf(_PATTERNS, empty=True),
        default_in_identity=False,
    )
    rank: int = setting(8, "of lora: rank of each adapter", whole(1), default_in_identity=False)
    alpha: float = setting(16.0, "of lora: adapters count alpha / rank times", above(0), default_in_identity=False)
    targets: Any = setting(
        None,
        "of lora: layers whose matrices get an adapter",
        or_null(ListOf(_PATTERNS), "all linear layers but the first and the readout"),
        default_in_identity=False,
    )
    where: str | None = setting(
        None,
        'which of the parents\' runs, where several have one size and seed, e.g. "steps == 1000"',
        or_null(Text("a condition on columns of the runs"), "the only one"),
        in_identity=False,
    )
    step: int | None = setting(
        None,
        "the parents' step whose checkpoint is taken, which needs training.keep=all there",
        or_null(whole(1), "the last"),
        in_identity=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, default in (("rank", 8), ("alpha", 16.0), ("targets", None)):
            if self.kind != "lora" and (found := getattr(self, name)) != default:
                nothing = "null" if default is None else default
                allowed = f"{nothing} with finetune={self.kind}: it is of finetune=lora alone"
                raise SettingError(f"finetune.{name}", found, allowed)

    @property
    def is_partial(self) -> bool:
        """Whether names are to be looked up in the model: something stays as it is, is drawn anew or is added."""
        return self.kind != "full" or bool(self.frozen) or bool(self.reset)


def is_named(name: str, patterns: Sequence[str]) -> bool:
    """Whether a parameter is among those that patterns name."""
    parts = name.split(".")
    return any(
        all(map(fnmatchcase, parts[at : at + len(wanted)], wanted))
        for wanted in (pattern.split(".") for pattern in patterns)
        for at in range(len(parts) - len(wanted) + 1)
    )
