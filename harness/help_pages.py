"""What --help prints: the overview of all verbs, and the help of each verb that takes settings."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Mapping

from harness import commands
from harness.choices import choices, config_groups
from harness.settings import GROUPS
from harness.verbs import DATA, READING, TRAINING, VERBS, StudyVerb

#: Choices of a group that one line of the overview shows.
_MOST_CHOICES = 14
#: Verbs that take results from other tools, or to them.
_ELSEWHERE = ("import", "export", "cite")
_SETTINGS_ABOUT = "every setting with its default, range and meaning, or those of one group"

_TO_BEGIN_WITH = {"init": commands.VERBS["init"].about, "settings": _SETTINGS_ABOUT, "data": DATA.about}

_FLAGS = {
    "--help, -h": "this; harness VERB --help for one verb, --hydra-help for Hydra's own",
    "--version": "of the harness",
    "--multirun, -m": "a comma-separated value is a list of values: every combination, in one pool",
    "--cfg job": "show the settings and stop; --package, --resolve as in Hydra",
    "--info searchpath": "where configs are looked for: ./conf first, then the harness's own",
    "--config-dir DIR": "look there too",
    "-sc install=bash": 'shell completion: eval "$(harness -sc install=bash)"; also zsh, fish',
}
_EXAMPLES = {
    "harness plan experiment=quickstart": "what it would train, and for how long",
    "harness sweep experiment=quickstart": "train it",
    "harness analyze experiment=quickstart": "laws, verdicts, results/quickstart/report.html",
    "harness sweep family=mlp task=digits ladder.widths=[8,16,32,64] ladder.steps=500 name=mine": "your own ladder",
    "harness sweep experiment=quickstart/text --cfg job": "every setting of an experiment",
    "harness settings ladder": "what can be set of sizes and durations",
    "harness fit runs.csv --x N,D --y loss --law hoffmann": "a law of any table of runs",
}

_SETTINGS = """\
usage: harness settings [GROUP | STEP | RULE ...]

Prints every setting as `name: default  # meaning [what is allowed]`, or those of one group, as YAML that can be
pasted into an experiment's file. On the command line the same setting is GROUP.NAME=VALUE.

Groups
  top                settings of no group: name, seeds, results, ...
  {groups}
  family=NAME, task=NAME
                     the settings of one architecture or task
  family, task, experiment, ...
                     what can be chosen, each with what it is; your own ./conf is included

Others
  a step             of data.prepare or data.augment: standardise, missing, crop, ...
  a rule             of {{rule: NAME, ...}}: power, steplaw, ...

Examples
  # sizes and durations
  harness settings ladder
  # a task
  harness settings task=parity
  # a step of preparation
  harness settings standardise
  # all tasks
  harness settings task
  # everything
  harness settings

See also: harness sweep --cfg job experiment=NAME, which prints the settings of an experiment. Flags of all verbs:
harness --help."""


def overview() -> str:
    """What `harness --help` prints."""
    wide = max(map(len, VERBS))
    of_tables = {name: verb.about for name, verb in commands.VERBS.items() if name not in ("init", *_ELSEWHERE)}
    parts = [
        "usage: harness VERB [SETTING=VALUE ...] [FLAG ...]",
        "Train one architecture at many sizes, and find out what its scaling curve really says.",
        _table("Verbs to begin with", _TO_BEGIN_WITH, wide),
        _table("Verbs that train", {name: verb.about for name, verb in TRAINING.items()}, wide),
        _table("Verbs that read results", {name: verb.about for name, verb in READING.items()}, wide),
        _table("Verbs for any table of runs", of_tables, wide),
        _table("Verbs for what is elsewhere", {name: commands.VERBS[name].about for name in _ELSEWHERE}, wide),
        _table("What can be chosen (GROUP=NAME; `harness settings GROUP` explains)", _choices(), 0),
        _examples(_EXAMPLES),
        _table("Flags", _FLAGS, 0),
        "HARNESS_DEBUG=1 in the environment shows the traceback of an error.",
    ]
    return "\n\n".join(parts)


def of_settings() -> str:
    """What `harness settings --help` prints."""
    return _SETTINGS.format(groups=", ".join(GROUPS))


def _choices() -> dict[str, str]:
    """Group -> its choices; of many, those that do not lie in a folder."""
    found = {}
    for group in config_groups():
        names = list(choices(group))
        shown = names if len(names) <= _MOST_CHOICES else [name for name in names if "/" not in name]
        found[f"{group}="] = ", ".join(shown) + (", ..." if len(shown) < len(names) else "")
    return found


def of_verb(name: str, verb: StudyVerb) -> str:
    """What `harness VERB --help` prints."""
    folders = " | FOLDER ..." if verb.reads_folders else ""
    flags = "".join(f" [{flag}]" for flag in verb.flags)
    parts = [
        f"usage: harness {name}{flags} [SETTING=VALUE ...]{folders}",
        _filled(verb.purpose),
        _table("Settings that matter (`harness settings GROUP` explains each)", verb.settings, 0),
        *([_table("Flags", verb.flags, 0)] if verb.flags else []),
        _examples(verb.examples),
        _filled(f"See also: {verb.further}. Flags of all verbs: harness --help."),
    ]
    return "\n\n".join(parts)


def _table(title: str, rows: Mapping[str, str], wide: int) -> str:
    """A titled block, a row each, whose second column is folded under itself."""
    wide = max(wide, *map(len, rows)) if rows else wide
    return "\n".join([title, *(line for name, about in rows.items() for line in _row(name, about, wide))])


def _row(name: str, about: str, wide: int) -> Iterable[str]:
    indent = " " * (wide + 4)
    folded = textwrap.wrap(about, max(40, _columns() - len(indent)), break_long_words=False, break_on_hyphens=False)
    yield f"  {name:<{wide}}  {folded[0] if folded else ''}".rstrip()
    yield from (indent + line for line in folded[1:])


def _examples(rows: Mapping[str, str]) -> str:
    return "\n".join(["Examples", *(f"  # {why}\n  {command}" for command, why in rows.items())])


def _filled(text: str) -> str:
    return textwrap.fill(text, _columns(), break_long_words=False, break_on_hyphens=False)


def _columns() -> int:
    return min(shutil.get_terminal_size().columns, 120)
