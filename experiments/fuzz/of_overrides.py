"""Words of the command line in Hydra's grammar and out of it: signs, sweeps, choices, flags, groups that are not."""

from __future__ import annotations

import random

import odd
from of_settings import written
from sandbox import Case

_SIGNS = ("", "", "", "+", "++", "~", "+~", "=", "@", "-", "--", "$")
_NAMES = (
    *("seeds", "ladder.widths", "ladder", "ladder.", ".ladder", "ladder..widths", "optimizer.lr", "family", "task"),
    *("experiment", "schedule", "loss", "hydra", "hydra.run.dir", "hydra/launcher", "nosuch", "family@task", "name"),
    *("studies", "results", "analysis.x", "optimizer@loss", "/family", "family/mlp", "data", "by", "task._target_"),
)
_VALUES = (
    *("1,2,3", "range(1,5)", "choice(1,2)", "interval(0,1)", "glob(*)", "sort(3,1,2)", "shuffle(1,2)", "tag(a,1)"),
    *("int(3.5)", "str(1)", "float(x)", "json_str('{}')", "extend_list(1)", "range(1)", "choice()", "nosuch(1)"),
    *("mlp", "parity", "quickstart", "quickstart/parity", "[quickstart/parity]", "adamw", "cosine", "mup", "null"),
    *("[1,2", "{a:1", "{a:1}", "${seeds}", "${", "harness.families.mlp.Mlp", "os.system", "builtins.eval", "a.b.c"),
)
_FLAGS = ("--multirun", "-m", "--check", "--cfg", "job", "--package", "ladder", "--resolve", "--info", "--yes", "--")
_VERBS = (
    "plan",
    "plan",
    "plan",
    "status",
    "analyze",
    "collect",
    "verify",
    "redo",
    "settings",
    "data",
    "cite",
    "nosuch",
)


def word(rng: random.Random) -> str:
    """One word, often nearly an override."""
    if rng.random() < 0.1:
        return odd.text(rng)
    name = rng.choice(_NAMES) if rng.random() < 0.9 else odd.text(rng)
    value = rng.choice(_VALUES) if rng.random() < 0.6 else written(rng, odd.value(rng))
    return rng.choice(_SIGNS) + name + rng.choice(("=", "=", "=", "=", "", "==", " = ", ":")) + value


def make(rng: random.Random) -> Case:
    """A verb with words by chance, most of them after a study that could be planned."""
    start = ["family=mlp", "task=parity", "ladder.widths=[4]", "ladder.steps=3"] if rng.random() < 0.7 else []
    words = start + [word(rng) for _ in range(rng.randrange(1, 4))]
    if rng.random() < 0.25:
        words.insert(rng.randrange(len(words) + 1), rng.choice(_FLAGS))
    return Case((rng.choice(_VERBS), *words))
