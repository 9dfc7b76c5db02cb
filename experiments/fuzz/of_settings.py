"""Every setting of ``harness settings``, at values of every wrong and odd type; planned, never trained."""

from __future__ import annotations

import random
from functools import cache

import odd
from sandbox import Case

from harness.settings_reference import reference

#: Studies to change a setting of; families and tasks by name where the setting is one of theirs.
_SMALL = ("ladder.widths=[4,8]", "ladder.steps=3", "ladder.batch_size=8", "training.device=cpu", "seeds=1")
#: Groups that need files or packages that a bare machine lacks.
_NEED_FILES = ("task=speech", "task=text8", "task=cifar10", "task=mnist")


@cache
def _settings() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Full name of each setting, and what must be chosen for it to be one."""
    found = []
    for group in reference():
        chosen = (group.name,) if "=" in group.name else ()
        if group.name not in _NEED_FILES:
            found += [(row.name, chosen) for row in group.rows]
    return tuple(found)


def written(rng: random.Random, value: object) -> str:
    """A value in Hydra's grammar, quoted as a careful user would, or bare."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(written(rng, each) for each in value)}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{written(rng, k)}: {written(rng, v)}" for k, v in value.items()) + "}"
    if isinstance(value, str) and rng.random() < 0.6:
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)


def make(rng: random.Random) -> Case:
    """One or two settings changed in a plan."""
    changes, chosen = [], ()
    for _ in range(rng.choice((1, 1, 1, 2))):
        name, its = rng.choice(_settings())
        chosen = its or chosen
        deep = rng.choice(("[" * 600 + "]" * 600, "{a:" * 600 + "1" + "}" * 600, "[" * 600, "${" * 200 + "}" * 200))
        changes.append((name, deep if rng.random() < 0.01 else written(rng, odd.value(rng))))
    family = next((c for c in chosen if c.startswith("family=")), "family=mlp")
    usual = {"family=transformer": "task=copy", "family=cnn": "task=digits"}.get(family, "task=parity")
    task = next((c for c in chosen if c.startswith("task=")), usual)
    if task not in ("task=parity", "task=digits", "task=copy") and family == "family=mlp":
        family = rng.choice(("family=mlp", "family=transformer"))
    verb = rng.choice(("plan",) * 9 + ("status",))
    overrides = [f"{name}={text}" for name, text in changes]
    return Case((verb, family, task, *_SMALL, *overrides))
