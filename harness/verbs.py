"""The names of all verbs, and which of them take settings in Hydra's grammar; nothing heavy is loaded for them."""

from __future__ import annotations

from harness import commands

#: Verbs that train or look at training need families and tasks built; the others only read tables.
TRAINING_VERBS = ("plan", "train", "sweep", "refine", "redo", "status")
TABLE_VERBS = ("verify", "collect", "analyze")
VERBS = TRAINING_VERBS + TABLE_VERBS + tuple(commands.VERBS)

#: Flags of these verbs' own; all others are Hydra's.
FLAGS = {"plan": ("--check",), "redo": ("--yes",)}
