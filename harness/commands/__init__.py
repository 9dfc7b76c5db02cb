"""Verbs that take a table and flags: nothing of Hydra, nothing of torch.

`arguments` declares what may follow each verb and loads nothing heavy, so that --help and mistakes in the words answer
at once; a verb's own module is loaded when it runs.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from harness.commands import arguments
from harness.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Verb:
    """One verb.

    Attributes:
        module: where its ``run(arguments, console) -> exit code`` is.
        about: what it does, in a line.
        declare: adds its arguments to a parser.
    """

    module: str
    about: str
    declare: Callable[[argparse.ArgumentParser], None]


VERBS = {
    "fit": Verb("harness.commands.fit", "fit a law, or rank laws, on any table of runs", arguments.of_fit),
    "forecast": Verb("harness.commands.forecast", "forecast runs not yet made, with intervals", arguments.of_forecast),
    "allocate": Verb(
        "harness.commands.allocate", "the optimal size and tokens for a budget of compute", arguments.of_allocate
    ),
    "gain": Verb("harness.commands.gain", "what compute a recipe saves over a baseline", arguments.of_gain),
    "emergence": Verb(
        "harness.commands.emergence", "which curves of a table jump, with the evidence in words", arguments.of_emergence
    ),
    "compare": Verb(
        "harness.commands.compare",
        "where abilities appear: order, ratios, agreement of two sizes",
        arguments.of_compare,
    ),
    "screen": Verb(
        "harness.commands.screen", "which benchmarks can be read at small size, and from where", arguments.of_screen
    ),
    "import": Verb("harness.commands.importing", "results of other tools into the two tables", arguments.of_import),
    "export": Verb("harness.commands.export", "recorded runs as CSV, for TensorBoard or for W&B", arguments.of_export),
    "init": Verb("harness.starting.project", "a small commented project that runs as it is", arguments.of_init),
    "cite": Verb("harness.commands.cite", "how to cite the harness and the methods used", arguments.of_cite),
}


class _Parser(argparse.ArgumentParser):
    """A mistake in the words is an error of one line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{self.prog.removeprefix('harness ')}: {message} (see {self.prog} --help)")


def run(name: str, words: Sequence[str], console: Console) -> int:
    """Run a verb with the words that follow it; its exit code.

    Raises:
        UserError: a mistake in the words, or whatever the verb raises.
    """
    verb = VERBS[name]
    parser = _Parser(prog=f"harness {name}", description=verb.about, allow_abbrev=False)
    verb.declare(parser)
    try:
        given = parser.parse_args(list(words))
    except SystemExit as stop:  # --help
        return int(stop.code or 0)
    _refuse_to_overwrite(given)
    exit_code: int = import_module(verb.module).run(given, console)
    return exit_code


def _refuse_to_overwrite(given: argparse.Namespace) -> None:
    """Raises UserError for an output that is one of the tables that are read."""
    named = [getattr(given, name, None) for name in ("table", "about", "files", "results")]
    read = [path for each in named if each for path in ([each] if isinstance(each, str) else each)]
    for flag in ("json", "plot"):
        written: str | None = getattr(given, flag, None)
        for path in read:
            if written and os.path.realpath(path) == os.path.realpath(written):
                raise UserError(f"--{flag} {written}: is the table that is read, and would be overwritten")
